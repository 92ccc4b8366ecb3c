"""A registry in memory. ``push`` and ``remove`` change it; ``break_next`` makes a call fail."""

from __future__ import annotations

import hashlib

from typing_extensions import override

from bot.model.catalog import Ecr
from bot.model.deployment import Image
from bot.model.errors import QuarterdeckError, UserError
from bot.model.ports import Registry


def digest_of(name: str) -> str:
    """A made-up digest that is always the same for the same name."""
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


class FakeRegistry(Registry):
    """Images by ECR repository name. ``calls`` lists (verb, repository, ref)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self._images: dict[str, dict[str, set[str]]] = {}
        self._faults: list[QuarterdeckError] = []

    def push(self, repository: str, *tags: str, digest: str = "") -> str:
        """Put an image there; its tags move away from whichever image had them."""
        digest = digest or digest_of("/".join((repository, *tags)))
        images = self._images.setdefault(repository, {})
        for others in images.values():
            others.difference_update(tags)
        images.setdefault(digest, set()).update(tags)
        return digest

    def remove(self, repository: str, digest: str) -> None:
        """Expire an image."""
        self._images[repository].pop(digest, None)

    def break_next(self, *faults: QuarterdeckError) -> None:
        """Raise these, one per call, before answering again."""
        self._faults += faults

    @override
    def resolve(self, ecr: Ecr, ref: str) -> Image:
        self._asked("resolve", ecr, ref)
        images = self._images.get(ecr.repository, {})
        found = {digest for digest, tags in images.items() if ref in {digest, *tags}}
        found = found or {
            digest
            for digest, tags in images.items()
            if len(ref) >= 7
            and any(part.startswith(ref) for tag in tags for part in tag.split("-"))
        }
        if len(found) > 1:
            raise UserError(f"{ref!r} could be several images.", reason_code="AMBIGUOUS_VERSION")
        if not found and ref == "latest":
            newest = [tag for tags in reversed(images.values()) for tag in sorted(tags)][:5]
            raise UserError(
                f"{ecr.repository} has no image 'latest', the default where no version is typed.",
                reason_code="IMAGE_NOT_FOUND",
                hint=f"Type a version; the newest are {', '.join(newest)}.",
            )
        if not found:
            near = sorted(tag for tags in images.values() for tag in tags)[:5]
            raise UserError(
                f"{ecr.repository} has no image {ref!r}.",
                reason_code="IMAGE_NOT_FOUND",
                hint=f"Near matches: {', '.join(near)}.",
            )
        domain = f"{ecr.registry}.dkr.ecr.{ecr.region}.amazonaws.com"
        return Image(f"{domain}/{ecr.repository}", found.pop(), ref)

    @override
    def exists(self, ecr: Ecr, digest: str) -> bool:
        self._asked("exists", ecr, digest)
        return digest in self._images.get(ecr.repository, {})

    def _asked(self, verb: str, ecr: Ecr, ref: str) -> None:
        self.calls.append((verb, ecr.repository, ref))
        if self._faults:
            raise self._faults.pop(0)
