"""Which of an Application's sources is the one whose image we change. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.model.places import Manifests
from bot.providers.argocd.views import ApplicationView, Source

_SCP = re.compile(r"^(?:[^@/]+@)?([^:/]+):(?!//)(.+)$")


@dataclass(frozen=True, slots=True)
class Ours:
    """Our source, and at which place its revision stands among those of all sources."""

    index: int
    source: Source


def our_source(application: ApplicationView, manifests: Manifests) -> Ours | None:
    """By repository and path; a source that only lends values files counts too.

    Where only one source comes from our repository, its path may be another one: an overlay may
    take its images from elsewhere.
    """
    here = [
        Ours(index, each)
        for index, each in enumerate(application.sources)
        if same_repository(each.repository, manifests.repository)
    ]
    same_path = [each for each in here if _path(each.source.path) == _path(manifests.path)]
    lending = [each for each in here if each.source.ref and not each.source.path]
    for found in (same_path, lending, here):
        if len(found) == 1:
            return found[0]
    return same_path[0] if same_path else None


def revision_of(revisions: tuple[str, ...], ours: Ours) -> str:
    """The commit of our source among ``revisions``; empty where it is not known."""
    return revisions[ours.index] if ours.index < len(revisions) else ""


def same_repository(one: str, other: str) -> bool:
    """Whether two remotes are one repository, however each is reached."""
    return _place(one) == _place(other)


def follows(source: Source, manifests: Manifests) -> bool:
    """Whether it follows our branch; ``HEAD`` may be it."""
    return source.revision.removeprefix("refs/heads/") in {manifests.branch, "HEAD", ""}


def _place(remote: str) -> tuple[str, str]:
    """Host and path, without scheme, user, port and ``.git``: SSH and HTTPS differ in all four."""
    scp = _SCP.match(remote) if "://" not in remote else None
    host, _, path = (f"{scp[1]}/{scp[2]}" if scp else remote.partition("://")[2]).partition("/")
    host = host.rpartition("@")[2].partition(":")[0].lower()
    return host, path.strip("/").removesuffix(".git").strip("/")


def _path(path: str) -> str:
    return path.strip("/").removeprefix("./").strip("/") or "."
