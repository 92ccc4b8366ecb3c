"""Writes as the API server carries them out: uid, generation, resourceVersion, finalizers.

Sources of the rules: the strategies in ``pkg/registry`` of Kubernetes (a Deployment's generation
counts its spec and its annotations) and the custom resource's in ``apiextensions-apiserver`` (all
changes outside of ``metadata``, and of ``status`` where that is a subresource).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.playground.aws.records import Minter
from bot.playground.kube import refusals
from bot.playground.kube.defaults import check, defaulted
from bot.playground.kube.patches import patched
from bot.playground.kube.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICE_ACCOUNTS,
    Json,
    Resource,
    cloned,
)
from bot.playground.kube.store import Key, Store

LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # of generated names: no vowels, no look-alikes
SERVER_SET = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "selfLink")
#: Built-in objects whose generation is not counted.
UNCOUNTED = {NAMESPACES, PODS, EVENTS, CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS}


@dataclass(frozen=True, slots=True)
class Write:
    """One write to an object: through which subresource, and whether only to try it."""

    subresource: str = ""
    dry_run: bool = False


PLAIN = Write()
STATUS = Write("status")


class Objects:
    """The writing side of the API. ``stamp`` tells the moment that is shown, in Unix seconds."""

    def __init__(self, store: Store, stamp: Callable[[], float], minter: Minter) -> None:
        self.store = store
        self._stamp = stamp
        self._minter = minter

    def now(self) -> str:
        """The moment as objects show it: RFC 3339, whole seconds."""
        return rfc3339(self._stamp())

    def before(self, seconds: float) -> str:
        """A moment that long ago, as objects show it."""
        return rfc3339(self._stamp() - seconds)

    def word(self, what: str, length: int = 5) -> str:
        """A suffix as in a pod's name."""
        source = self._minter.source(what)
        return "".join(source.choice(LETTERS) for _ in range(length))

    def create(self, resource: Resource, namespace: str, body: Json, write: Write = PLAIN) -> Json:
        """Make an object. Raises ``ApiError``."""
        with self.store.lock:
            fresh = self._prepared(resource, namespace, body)
            name = fresh["metadata"]["name"]
            if resource.namespaced and self.store.find(NAMESPACES, "", namespace) is None:
                raise refusals.not_found(NAMESPACES, namespace)
            if self.store.find(resource, namespace, name) is not None:
                raise refusals.already_exists(resource, name)
            fresh = defaulted(resource, fresh)
            check(resource, fresh, None)
            return fresh if write.dry_run else self.store.put(resource, fresh)

    def replace(self, key: Key, body: Json, write: Write = PLAIN) -> Json:
        """Update an object. Raises ``ApiError``: 409 where ``body`` was made from an older one."""
        with self.store.lock:
            before = self.get(key)
            resource, _, name = key
            _check_identity(resource, key, body)
            version = body["metadata"].get("resourceVersion", "")
            if not version and resource.custom:
                why = 'Invalid value: "": must be specified for an update'
                raise refusals.invalid(resource, name, "metadata.resourceVersion", why)
            return self._write(key, before, body, write)

    def patch(self, key: Key, content_type: str, patch: Any, write: Write = PLAIN) -> Json:
        """Patch an object as it is now. Raises ``ApiError``: 409 where the patch names an older
        resourceVersion."""
        with self.store.lock:
            before = self.get(key)
            after = patched(key[0], before, content_type, patch)
            _check_identity(key[0], key, after)
            return self._write(key, before, after, write)

    def delete(self, key: Key, options: Mapping[str, Any], write: Write = PLAIN) -> Json:
        """Delete an object, or mark it where finalizers or a grace period keep it.

        Returns the object as it was left. Raises ``ApiError``.
        """
        with self.store.lock:
            before = self.get(key)
            wanted = options.get("preconditions") or {}
            for field in ("uid", "resourceVersion"):
                if wanted.get(field) and wanted[field] != before["metadata"][field]:
                    raise refusals.conflict(key[0], key[2])
            if write.dry_run:
                return before
            grace = self._grace(key[0], before, options)
            if before["metadata"].get("finalizers") or grace:
                return self._mark(key[0], before, grace)
            return self.store.remove(*key)

    def get(self, key: Key) -> Json:
        """The object. Raises ``ApiError`` (404) where there is none."""
        found = self.store.find(*key)
        if found is None:
            raise refusals.not_found(key[0], key[2])
        return found

    def edit(self, key: Key, change: Callable[[Json], None], write: Write = PLAIN) -> Json:
        """Let ``change`` work on a copy and write that back; what controllers do."""
        with self.store.lock:
            draft = cloned(self.get(key))
            change(draft)
            return self._write(key, self.get(key), draft, write)

    def _prepared(self, resource: Resource, namespace: str, body: Json) -> Json:
        _check_type(resource, body)
        body = cloned(body)
        metadata = dict(body.get("metadata") or {})
        if metadata.get("resourceVersion"):
            text = "resourceVersion should not be set on objects to be created"
            raise refusals.ApiError(500, "InternalError", text)
        if metadata.get("namespace", namespace) != namespace:
            raise _other_namespace()
        metadata["name"] = metadata.get("name") or self._generated(resource, metadata)
        for field in SERVER_SET:
            metadata.pop(field, None)
        if resource.namespaced:
            metadata["namespace"] = namespace
        metadata["uid"] = str(uuid.UUID(self._minter.hexadecimal("uid")))
        metadata["creationTimestamp"] = self.now()
        if resource not in UNCOUNTED:
            metadata["generation"] = 1
        fresh = {**body, "apiVersion": resource.api_version, "kind": resource.kind}
        fresh["metadata"] = metadata
        if resource.counts_status:
            fresh.pop("status", None)
        return fresh

    def _generated(self, resource: Resource, metadata: Json) -> str:
        prefix = metadata.get("generateName")
        if not prefix:
            text = "Required value: name or generateName is required"
            raise refusals.invalid(resource, "", "metadata.name", text)
        return str(prefix) + self.word(f"name/{prefix}")

    def _write(self, key: Key, before: Json, after: Json, write: Write) -> Json:
        resource, _, name = key
        version = after["metadata"].get("resourceVersion") or before["metadata"]["resourceVersion"]
        if version != before["metadata"]["resourceVersion"]:
            raise refusals.conflict(resource, name)
        after = self._allowed(resource, before, after, write.subresource)
        check(resource, after, before)
        if _without_version(after) == _without_version(before):
            return before
        if write.dry_run:
            return after
        ending = after["metadata"].get("deletionTimestamp") and resource != PODS
        if ending and not after["metadata"].get("finalizers"):
            return self.store.remove(*key)
        return self.store.put(resource, after)

    def _allowed(self, resource: Resource, before: Json, after: Json, subresource: str) -> Json:
        # What this endpoint does not write stays as it was.
        metadata = dict(after["metadata"])
        metadata.update({k: v for k, v in before["metadata"].items() if k in SERVER_SET})
        if subresource == "status":
            kept = before["metadata"] if resource.custom else metadata
            status = {"status": after["status"]} if "status" in after else {}
            unchanged = {key: each for key, each in before.items() if key != "status"}
            return {**unchanged, "metadata": kept, **status}
        result = {**after, "metadata": metadata}
        if resource.counts_status:
            result.pop("status", None)
            if "status" in before:
                result["status"] = before["status"]
        result = defaulted(resource, result)
        if _counts(resource, before, result):
            result["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
        return result

    def _grace(self, resource: Resource, found: Json, options: Mapping[str, Any]) -> int:
        if resource != PODS:
            return 0
        given = options.get("gracePeriodSeconds")
        usual = found["spec"].get("terminationGracePeriodSeconds", 30)
        return int(usual if given is None else given)

    def _mark(self, resource: Resource, found: Json, grace: int) -> Json:
        if found["metadata"].get("deletionTimestamp"):
            return found
        metadata = {
            **found["metadata"],
            "deletionTimestamp": rfc3339(self._stamp() + grace),
            "deletionGracePeriodSeconds": grace,
        }
        return self.store.put(resource, {**found, "metadata": metadata})


def rfc3339(moment: float) -> str:
    """Unix seconds as Kubernetes shows them."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _counts(resource: Resource, before: Json, after: Json) -> bool:
    if resource == DEPLOYMENTS:
        old, new = before["metadata"].get("annotations"), after["metadata"].get("annotations")
        return bool(before["spec"] != after["spec"] or (old or {}) != (new or {}))
    if resource == REPLICA_SETS:
        return bool(before["spec"] != after["spec"])
    if not resource.custom:
        return False
    outside = {"metadata", "status"} if resource.counts_status else {"metadata"}
    return {k: v for k, v in before.items() if k not in outside} != {
        k: v for k, v in after.items() if k not in outside
    }


def _without_version(found: Json) -> Json:
    metadata = {k: v for k, v in found["metadata"].items() if k != "resourceVersion"}
    return {**found, "metadata": metadata}


def _check_type(resource: Resource, body: Any) -> None:
    if not isinstance(body, dict):
        raise refusals.bad_request("the body is no JSON object")
    wanted = (resource.api_version, resource.kind)
    given = (body.get("apiVersion", wanted[0]), body.get("kind", wanted[1]))
    if given != wanted:
        text = (
            f"the API version and kind in the data ({', '.join(given)}) do not match the expected"
        )
        raise refusals.bad_request(f"{text} ({', '.join(wanted)})")


def _check_identity(resource: Resource, key: Key, body: Any) -> None:
    _check_type(resource, body)
    metadata = body.get("metadata") or {}
    if metadata.get("name", key[2]) != key[2]:
        text = f"the name of the object ({metadata['name']}) does not match the name on the URL"
        raise refusals.bad_request(f"{text} ({key[2]})")
    if metadata.get("namespace", key[1]) != key[1]:
        raise _other_namespace()
    body["metadata"] = {"name": key[2], **metadata}
    if resource.namespaced:
        body["metadata"].setdefault("namespace", key[1])


def _other_namespace() -> refusals.ApiError:
    return refusals.bad_request(
        "the namespace of the provided object does not match the namespace sent on the request"
    )
