"""``Registry`` on AWS ECR: what somebody typed, pinned to a digest.

A person waits for the answer, so all calls of one lookup together have two seconds. Lookups run on
threads of their own; the same question asked again within two seconds, by anybody, costs no call.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from rapidfuzz import fuzz, process
from typing_extensions import override

from bot.model.catalog import Ecr
from bot.model.deployment import Image
from bot.model.errors import Terminal, Transient, Unreachable, UserError
from bot.model.ports import Registry
from bot.providers.aws_faults import asking
from bot.providers.aws_session import AwsClients

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import ImageDetailTypeDef, ImageIdentifierTypeDef

_ANSWER_WITHIN = 2.0
_REMEMBER_FOR = 2.0
_PAGES = 10
_PER_PAGE = 1000
_NAMED = 5
_DEFAULT = "latest"  # what a request without a version asks for

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_SHA = re.compile(r"[0-9a-f]{7,40}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

_Key = tuple[Ecr, str]


class EcrRegistry(Registry):
    """Safe to share between threads. ``ticks`` counts seconds; another one is for tests."""

    def __init__(
        self,
        clients: AwsClients,
        ticks: Callable[[], float] = time.monotonic,
        answer_within: float = _ANSWER_WITHIN,
    ) -> None:
        self._clients = clients
        self._ticks = ticks
        self._answer_within = answer_within
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="ecr")
        self._lock = Lock()
        self._asked: OrderedDict[_Key, tuple[float, Future[str]]] = OrderedDict()

    @override
    def resolve(self, ecr: Ecr, ref: str) -> Image:
        _check(ecr, ref)
        return Image(repository_of(ecr), self._digest(ecr, ref), ref)

    @override
    def exists(self, ecr: Ecr, digest: str) -> bool:
        try:
            return self._digest(ecr, digest) == digest
        except UserError:
            return False

    def close(self) -> None:
        """Let go of the threads; lookups under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _digest(self, ecr: Ecr, ref: str) -> str:
        future = self._lookup(ecr, ref)
        try:
            return future.result(self._answer_within)
        except TimeoutError:
            raise Unreachable(
                f"ECR did not answer about {ecr.repository} within {self._answer_within:g} s."
            ) from None

    def _lookup(self, ecr: Ecr, ref: str) -> Future[str]:
        """The lookup under way, or the one answered a moment ago, or a new one."""
        key, now = (ecr, ref), self._ticks()
        with self._lock:
            self._forget(now)
            known = self._asked.get(key)
            if known is not None and not _failed(known[1]):
                return known[1]
            future = self._threads.submit(self._find, ecr, ref)
            self._asked[key] = (now, future)
            self._asked.move_to_end(key)
            return future

    def _forget(self, now: float) -> None:
        """Drop what is too old; the oldest come first."""
        while self._asked:
            key, (at, _) = next(iter(self._asked.items()))
            if now - at < _REMEMBER_FOR:
                return
            del self._asked[key]

    def _find(self, ecr: Ecr, ref: str) -> str:
        # ECR lists images in no order, a page after the other; none is begun in the second half.
        listed_by = self._ticks() + self._answer_within / 2
        exact = self._exact(ecr, ref)
        if exact is not None:
            return exact
        if ref == _DEFAULT:
            images, whole = self._images(ecr, listed_by)
            raise _no_default(ecr, images, whole=whole)
        if _DIGEST.fullmatch(ref):
            raise _missing(ecr, ref, ())
        tags = dict(self._tags(ecr))
        if _SHA.fullmatch(ref):
            matching = {tag: digest for tag, digest in tags.items() if _same_commit(tag, ref)}
            if len(set(matching.values())) > 1:
                raise _ambiguous(ecr, ref, matching)
            if matching:
                return next(iter(matching.values()))
        raise _missing(ecr, ref, tags)

    def _exact(self, ecr: Ecr, ref: str) -> str | None:
        """The digest behind a tag or a digest, ``None`` where there is no such image."""
        wanted: ImageIdentifierTypeDef = (
            {"imageDigest": ref} if _DIGEST.fullmatch(ref) else {"imageTag": ref}
        )
        client = self._clients.ecr(ecr.region, ecr.role)
        try:
            with asking("ecr:DescribeImages", ecr.repository):
                found = client.describe_images(
                    registryId=ecr.registry, repositoryName=ecr.repository, imageIds=[wanted]
                )["imageDetails"]
        except Terminal as fault:
            if "(ImageNotFoundException)" in fault.message:
                return None
            raise
        return found[0].get("imageDigest") if found else None

    def _tags(self, ecr: Ecr) -> Iterator[tuple[str, str]]:
        """Tags and their digests, as many as a lookup has time for."""
        client = self._clients.ecr(ecr.region, ecr.role)
        token = ""
        deadline = self._ticks() + self._answer_within
        for _ in range(_PAGES):
            with asking("ecr:ListImages", ecr.repository):
                page = client.list_images(
                    registryId=ecr.registry,
                    repositoryName=ecr.repository,
                    maxResults=_PER_PAGE,
                    filter={"tagStatus": "TAGGED"},
                    **({"nextToken": token} if token else {}),
                )
            for each in page["imageIds"]:
                if "imageTag" in each and "imageDigest" in each:
                    yield each["imageTag"], each["imageDigest"]
            token = page.get("nextToken", "")
            if not token or self._ticks() > deadline:
                return

    def _images(self, ecr: Ecr, listed_by: float) -> tuple[list[ImageDetailTypeDef], bool]:
        """Images with tags, as many as there is time for, and whether these are all."""
        paginator = self._clients.ecr(ecr.region, ecr.role).get_paginator("describe_images")
        pages = iter(
            paginator.paginate(
                registryId=ecr.registry,
                repositoryName=ecr.repository,
                filter={"tagStatus": "TAGGED"},
                PaginationConfig={"PageSize": _PER_PAGE},
            )
        )
        images: list[ImageDetailTypeDef] = []
        # They only help with what to type: no fault may hide that the image is not there.
        with suppress(Transient), asking("ecr:DescribeImages", ecr.repository):
            while self._ticks() < listed_by:
                page = next(pages, None)
                if page is None:
                    return images, True
                images += page["imageDetails"]
        return images, False


def _failed(lookup: Future[str]) -> bool:
    return lookup.done() and lookup.exception() is not None


def repository_of(ecr: Ecr) -> str:
    """The repository's path as task definitions name it."""
    domain = "amazonaws.com.cn" if ecr.region.startswith("cn-") else "amazonaws.com"
    return f"{ecr.registry}.dkr.ecr.{ecr.region}.{domain}/{ecr.repository}"


def _check(ecr: Ecr, ref: str) -> None:
    """Refuse, without asking ECR, what cannot name an image."""
    if not _TAG.fullmatch(ref) and not _DIGEST.fullmatch(ref):
        raise UserError(
            f"{ref[:80]!r} cannot be a version of {ecr.repository}.",
            reason_code="IMAGE_NOT_FOUND",
            hint="Give a tag, a commit sha of 7 to 40 digits, a digest sha256:..., or latest.",
        )


def _same_commit(tag: str, sha: str) -> bool:
    """Whether a part of ``tag`` (``sha-1a2b3c4d``, ``main-1a2b3c4``) names the same commit."""
    return any(
        part.startswith(sha) or (_SHA.fullmatch(part) is not None and sha.startswith(part))
        for part in re.split(r"[._-]", tag)
    )


def _missing(ecr: Ecr, ref: str, tags: Iterable[str]) -> UserError:
    near = process.extract(ref, list(tags), scorer=fuzz.WRatio, limit=_NAMED, score_cutoff=55)
    names = ", ".join(name for name, _, _ in near)
    return UserError(
        f"{ecr.repository} has no image {ref!r}.",
        reason_code="IMAGE_NOT_FOUND",
        hint=f"Near matches: {names}." if names else "Push the image first, or check its tag.",
    )


def _no_default(ecr: Ecr, images: Iterable[ImageDetailTypeDef], *, whole: bool) -> UserError:
    """Whoever typed no version has not heard of ``latest``."""
    dated = [each for each in images if "imagePushedAt" in each]
    dated.sort(key=_pushed, reverse=True)
    tags = [tag for each in dated for tag in each.get("imageTags", ())][:_NAMED]
    which = "the newest are" if whole else "there are"
    return UserError(
        f"{ecr.repository} has no image {_DEFAULT!r}, the default where no version is typed.",
        reason_code="IMAGE_NOT_FOUND",
        hint=f"Type a version; {which} {', '.join(tags)}."
        if tags
        else f"Type a version, or push one that is tagged {_DEFAULT}.",
    )


def _pushed(image: ImageDetailTypeDef) -> datetime:
    return image["imagePushedAt"]


def _ambiguous(ecr: Ecr, ref: str, matching: dict[str, str]) -> UserError:
    names = sorted(matching)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return UserError(
        f"{ref!r} could be several images of {ecr.repository}: {', '.join(names[:_NAMED])}{more}.",
        reason_code="AMBIGUOUS_VERSION",
        hint="Type more of the commit sha, or the whole tag.",
    )
