"""Task definitions as plain JSON documents: read, changed in one place, and compared. Pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from bot.model.deployment import Image
from bot.model.errors import Misconfigured

DEPLOYMENT_TAG = "quarterdeck:deployment-id"
DIGEST_TAG = "quarterdeck:image-digest"
VERSION_TAG = "quarterdeck:version"

#: What ECS assigns on registration; RegisterTaskDefinition takes everything else.
_ASSIGNED = frozenset(
    {
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "deleteRequestedAt",
    }
)


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """One revision: ``document`` is ECS's JSON with all its members; ``tags`` by key."""

    document: Mapping[str, Any]
    tags: Mapping[str, str]

    @property
    def arn(self) -> str:
        """The revision's full name."""
        return str(self.document["taskDefinitionArn"])

    @property
    def active(self) -> bool:
        """Whether services may still be pointed at it."""
        return self.document.get("status") == "ACTIVE"

    @property
    def containers(self) -> tuple[str, ...]:
        """The names of its containers."""
        return tuple(str(part.get("name")) for part in self.document["containerDefinitions"])

    def container(self, name: str) -> Mapping[str, Any]:
        """The container of that name. Raises ``Misconfigured`` where there is none."""
        for part in self.document["containerDefinitions"]:
            if part.get("name") == name:
                container: Mapping[str, Any] = part
                return container
        raise Misconfigured(
            f"The task definition {short(self.arn)} has no container {name!r}; "
            f"it has {', '.join(self.containers) or 'none'}.",
            hint="Correct `container` in the catalog.",
        )

    def image(self, container: str) -> Image | None:
        """The container's image where it is pinned by digest, else ``None``."""
        uri = str(self.container(container).get("image", ""))
        repository, tag, digest = split_image(uri)
        if not digest:
            return None
        version = self.tags.get(VERSION_TAG) if self.tags.get(DIGEST_TAG) == digest else None
        return Image(repository, digest, version or tag or digest)


def read(body: Mapping[str, Any]) -> TaskDefinition:
    """From the body of a DescribeTaskDefinition answer with tags included."""
    tags = {str(tag["key"]): str(tag.get("value", "")) for tag in body.get("tags") or ()}
    return TaskDefinition(body["taskDefinition"], tags)


def split_image(uri: str) -> tuple[str, str, str]:
    """Repository, tag and digest of an image reference; the latter two may be empty."""
    name, _, digest = uri.partition("@")
    match = re.fullmatch(r"(.+?)(?::([^:/]+))?", name)
    if match is None:
        return name, "", digest
    return match[1], match[2] or "", digest


def short(arn: str) -> str:
    """``family:41`` of a task definition's ARN: what people call it."""
    return arn.rpartition("/")[2]


def family_of(arn: str) -> str:
    """The family a revision belongs to."""
    return short(arn).rpartition(":")[0] or short(arn)


def number_of(arn: str) -> int:
    """The revision's number in its family, 0 where the name has none."""
    number = short(arn).rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def succeed(base: TaskDefinition, container: str, image: Image) -> dict[str, Any]:
    """The body of RegisterTaskDefinition for ``base`` with only that container's image changed.

    Every member is kept as ECS wrote it, also those that no version of boto3 knows; only what
    ECS assigns itself is left out. Raises ``Misconfigured`` where the container is missing.
    """
    base.container(container)
    document = {
        name: deepcopy(value) for name, value in base.document.items() if name not in _ASSIGNED
    }
    for part in document["containerDefinitions"]:
        if part.get("name") == container:
            part["image"] = image.uri
    return document


def tagged(
    document: Mapping[str, Any], base: TaskDefinition, deployment_id: str, image: Image
) -> dict[str, Any]:
    """``document`` with the base's tags and ours. AWS's own tags (``aws:``) cannot be given."""
    tags = {key: value for key, value in base.tags.items() if not key.startswith("aws:")}
    tags |= {DEPLOYMENT_TAG: deployment_id, DIGEST_TAG: image.digest, VERSION_TAG: image.ref}
    return {**document, "tags": [{"key": key, "value": tags[key]} for key in sorted(tags)]}


def diff(base: TaskDefinition, new: Mapping[str, Any]) -> str:
    """A unified diff of what registering ``new`` would change.

    Values of environment variables are masked on both sides: they may hold secrets.
    """
    old = {name: value for name, value in base.document.items() if name not in _ASSIGNED}
    lines = difflib.unified_diff(
        _lines(old),
        _lines(new),
        fromfile=short(base.arn),
        tofile=f"{family_of(base.arn)} (new revision)",
        n=1,
        lineterm="",
    )
    return "\n".join(lines)


def _lines(document: Mapping[str, Any]) -> Sequence[str]:
    masked = deepcopy(dict(document))
    for part in masked.get("containerDefinitions", ()):
        for variable in part.get("environment") or ():
            variable["value"] = "(not shown)"
    return json.dumps(masked, indent=2, sort_keys=True).splitlines()
