"""What the API server says no with: a ``Status`` object and its HTTP code.

Reasons and messages are those of ``k8s.io/apimachinery/pkg/api/errors``.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.playground.kube.resources import Json, Resource


class ApiError(Exception):
    """A refusal. ``reason`` is empty where the API server gives none."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    def status(self) -> Json:
        """The ``Status`` object that goes over the wire."""
        body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return {**body, "code": self.code}


def _details(resource: Resource, name: str) -> Json:
    named: Json = {"name": name} if name else {}
    if resource.group:
        named["group"] = resource.group
    return {**named, "kind": resource.plural}


def not_found(resource: Resource, name: str) -> ApiError:
    """No object of that name."""
    text = f'{resource.title} "{name}" not found'
    return ApiError(404, "NotFound", text, _details(resource, name))


def no_such_resource() -> ApiError:
    """No resource at that address of a group that is served."""
    text = "the server could not find the requested resource"
    return ApiError(404, "NotFound", text, {})


def already_exists(resource: Resource, name: str) -> ApiError:
    """A create met an object of the same name."""
    text = f'{resource.title} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, _details(resource, name))


def conflict(resource: Resource, name: str) -> ApiError:
    """The object is newer than the one that the write was made from."""
    text = (
        f'Operation cannot be fulfilled on {resource.title} "{name}": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )
    return ApiError(409, "Conflict", text, _details(resource, name))


def bad_request(message: str) -> ApiError:
    """A request that cannot be understood."""
    return ApiError(400, "BadRequest", message)


def invalid(resource: Resource, name: str, field: str, why: str) -> ApiError:
    """An object that validation turns away; ``why`` as in ``Required value``."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    reason = "FieldValueRequired" if why.startswith("Required") else "FieldValueInvalid"
    details: Json = {**_details(resource, name), "kind": resource.kind}
    details["causes"] = [{"reason": reason, "message": why, "field": field}]
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {field}: {why}', details)


def unprocessable_patch(why: str) -> ApiError:
    """A patch that does not apply."""
    text = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", text, {"causes": [{"message": why}]})


def unsupported_media(accepted: tuple[str, ...]) -> ApiError:
    """A body of a type that is not taken here."""
    text = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )
    return ApiError(415, "UnsupportedMediaType", text)


def method_not_allowed() -> ApiError:
    """The resource has no such verb."""
    text = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", text, {})


def expired(message: str) -> ApiError:
    """A resourceVersion, or a page of a list, that is no longer kept."""
    return ApiError(410, "Expired", message)


def too_old(wanted: int, oldest: int) -> ApiError:
    """A watch from before what is still kept."""
    return expired(f"too old resource version: {wanted} ({oldest})")


def unauthorized() -> ApiError:
    """No token, or one that nobody has."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """What the caller's roles do not allow."""
    of = f'{resource.title} "{name}"' if name else resource.title
    return ApiError(403, "Forbidden", f"{of} is forbidden: {why}", _details(resource, name))


def too_many_requests(retry_after: int) -> ApiError:
    """The API server's priority and fairness has no room."""
    return ApiError(
        429,
        "TooManyRequests",
        "Too many requests, please try again later.",
        {"retryAfterSeconds": retry_after},
        {"Retry-After": str(retry_after)},
    )


def internal() -> ApiError:
    """Something broke inside, as when etcd changes its leader."""
    text = "Internal error occurred: etcdserver: leader changed"
    return ApiError(500, "InternalError", text, {"causes": [{"message": text.partition(": ")[2]}]})


def unavailable() -> ApiError:
    """The API server cannot serve just now."""
    text = "the server is currently unable to handle the request"
    return ApiError(503, "ServiceUnavailable", text, {})
