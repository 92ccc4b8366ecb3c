"""What a Kubernetes API server answers, and what keeps it from answering, as ``bot.model.errors``.

Messages name the verb, the resource and the namespace of our own call, as an RBAC rule does. The
server's text is quoted where it explains a refusal, and never after a 401: a proxy in front may
echo what it was sent.

Codes: https://kubernetes.io/docs/reference/using-api/api-concepts/ and the ``Status`` objects of
apimachinery's ``api/errors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    QuarterdeckError,
    Terminal,
    Throttled,
    Transient,
    Unknown,
    Unreachable,
)
from bot.providers.kube.cluster import Resource

_QUOTED = 300


class Conflict(Transient):
    """The object changed since it was read; nothing was written."""


class Gone(Transient):
    """The server does not remember that resource version any more: list anew."""


class NotThere(Misconfigured):
    """There is no object of that name."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: ``verb`` as RBAC names it (get, list, watch, patch, create)."""

    cluster: str
    verb: str
    resource: Resource
    namespace: str
    name: str = ""

    @property
    def writes(self) -> bool:
        """Whether a lost answer leaves open what became of it. An access review changes nothing."""
        return self.verb == "patch"

    @property
    def text(self) -> str:
        """How messages name it."""
        named = f"{self.resource.title}/{self.name}" if self.name else self.resource.title
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {named}{where}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no success. ``status`` is its ``Status`` object, or empty."""

    code: int
    status: Mapping[str, Any]
    retry_after: str = ""

    @property
    def said(self) -> str:
        """The server's own words, in one line."""
        return " ".join(str(self.status.get("message", "")).split())[:_QUOTED].rstrip(".")


def refused(answer: Answer, call: Call) -> QuarterdeckError:
    """The fault that an answer stands for."""
    known = _BY_CODE.get(answer.code)
    if known is not None:
        return known(answer, call)
    if answer.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _failed(answer, call)
    said = answer.said or "no reason was given"
    return Terminal(f"Cluster {call.cluster} refused to {call.text}: {said} ({answer.code}).")


def unanswered(kind: str, call: Call, *, sent: bool) -> QuarterdeckError:
    """No answer came; ``sent`` says whether the call may have arrived."""
    if not sent:
        return Unreachable(f"Cluster {call.cluster} could not be reached to {call.text} ({kind}).")
    if call.writes:
        return Unknown(
            f"The answer of cluster {call.cluster} to {call.text} was lost ({kind}); "
            "it may have taken effect."
        )
    return Unreachable(f"Cluster {call.cluster} did not answer to {call.text} ({kind}).")


def unreadable(kind: str, call: Call) -> QuarterdeckError:
    """Something answered that does not speak as an API server does."""
    said = f"What cluster {call.cluster} answered to {call.text} cannot be read ({kind})"
    return Unknown(f"{said}; it may have taken effect.") if call.writes else Unreachable(f"{said}.")


def _credentials(answer: Answer, call: Call) -> QuarterdeckError:
    del answer
    return AccessDenied(
        f"Cluster {call.cluster} did not accept our credentials to {call.text} (401).",
        hint="Renew the token or certificate in the kubeconfig, or that of the service account.",
    )


def _denied(answer: Answer, call: Call) -> QuarterdeckError:
    if answer.said and " cannot " not in answer.said:  # as RBAC has it: User "x" cannot get ...
        return AccessDenied(
            f"Cluster {call.cluster} refused to {call.text}: {answer.said} (403).",
            hint="That is a policy or a quota of the cluster, and no matter of its Roles.",
        )
    return AccessDenied(
        f"Cluster {call.cluster} does not let us {call.text}.",
        hint=f'Allow it in a Role: apiGroups ["{call.resource.group}"], '
        f'resources ["{call.resource.rule}"], verbs ["{call.verb}"].',
    )


def _not_there(answer: Answer, call: Call) -> QuarterdeckError:
    if call.name and (answer.status.get("details") or {}).get("name"):
        return NotThere(
            f"Cluster {call.cluster} has no {call.resource.kind} {call.name} in namespace "
            f"{call.namespace}.",
            hint="Check cluster, namespace and name in the catalog.",
        )
    return Misconfigured(
        f"Cluster {call.cluster} does not know {call.resource.title} at all.",
        hint="Check the cluster in the catalog, and whether what serves them is installed there.",
    )


def _conflict(answer: Answer, call: Call) -> QuarterdeckError:
    del answer
    return Conflict(
        f"{call.resource.kind} {call.name} changed while it was about to be written; "
        "nothing was changed."
    )


def _gone(answer: Answer, call: Call) -> QuarterdeckError:
    del answer
    return Gone(f"Cluster {call.cluster} has forgotten from where to {call.text} (410).")


def _throttled(answer: Answer, call: Call) -> QuarterdeckError:
    fault = Throttled(f"Cluster {call.cluster} limits how often we may {call.text}.")
    fault.retry_after = _seconds(answer.retry_after)
    return fault


def _failed(answer: Answer, call: Call) -> QuarterdeckError:
    if call.writes:
        return Unknown(
            f"Cluster {call.cluster} failed ({answer.code}) as it was to {call.text}; "
            "it may have taken effect."
        )
    return Transient(f"Cluster {call.cluster} failed to {call.text} ({answer.code}).")


_BY_CODE = {
    int(HTTPStatus.UNAUTHORIZED): _credentials,
    int(HTTPStatus.FORBIDDEN): _denied,
    int(HTTPStatus.NOT_FOUND): _not_there,
    int(HTTPStatus.CONFLICT): _conflict,
    int(HTTPStatus.GONE): _gone,
    int(HTTPStatus.TOO_MANY_REQUESTS): _throttled,
}


def _seconds(value: str) -> float:
    try:
        return max(0.0, float(value))
    except ValueError:  # absent, or an HTTP date; the engine's own backoff will do
        return 0.0
