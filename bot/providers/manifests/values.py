"""What a value says, and what is written for an image: always pinned to its digest."""

from __future__ import annotations

import re

from bot.model.deployment import Image
from bot.providers.manifests.site import Holds, Site

_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9._/-]*(?::[0-9]+/[A-Za-z0-9._/-]+)?"
#: What may be written where; a rollback may also bring back what was never pinned.
_FITS: dict[Holds, re.Pattern[str]] = {
    "digest": re.compile(_DIGEST),
    "tag": re.compile(rf"{_TAG}(?:@{_DIGEST})?"),
    "image": re.compile(rf"{_REPOSITORY}(?::{_TAG})?(?:@{_DIGEST})?"),
    "number": re.compile(r"0|[1-9][0-9]{0,8}"),
}
_PINNED: dict[Holds, re.Pattern[str]] = {
    "digest": re.compile(rf"(?P<digest>{_DIGEST})"),
    "tag": re.compile(rf"(?P<tag>{_TAG})@(?P<digest>{_DIGEST})"),
    "image": re.compile(
        rf"(?P<repository>{_REPOSITORY})(?::(?P<tag>{_TAG}))?@(?P<digest>{_DIGEST})"
    ),
}


def value_for(holds: Holds, image: Image) -> str:
    """The text that makes an image run there."""
    tag = image.ref if re.fullmatch(_TAG, image.ref) else image.digest.removeprefix("sha256:")[:12]
    match holds:
        case "digest":
            return image.digest
        case "tag":
            return f"{tag}@{image.digest}"
        case "image":
            return f"{image.repository}:{tag}@{image.digest}"
        case "number":
            raise ValueError(holds)


def fits(holds: Holds, value: str) -> bool:
    """Whether a value can stand there at all."""
    return _FITS[holds].fullmatch(value) is not None


def image_in(site: Site) -> Image | None:
    """What our scalar names, ``None`` where it is not pinned or its repository is not known."""
    pinned = _PINNED.get(site.holds)
    found = pinned.fullmatch(site.value) if pinned is not None else None
    if found is None:
        return None
    parts = found.groupdict()
    repository = parts.get("repository") or site.repository
    if repository is None:
        return None
    return Image(repository, parts["digest"], parts.get("tag") or parts["digest"])
