"""What runs under an Application, beside what git says: the words of ``Live``. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bot.model.deployment import Image
from bot.model.errors import QuarterdeckError
from bot.model.places import ArgoCdApplication
from bot.model.rollout import Live
from bot.providers.argocd.desired import Written
from bot.providers.argocd.judge import progress
from bot.providers.argocd.views import ApplicationView
from bot.providers.argocd.workloads import serving
from bot.providers.kube.workload import Workload, digest_in, image_of
from bot.providers.kube.zero_downtime import obstacles, unread

_QUOTED = 90


@dataclass(frozen=True, slots=True)
class Standing:
    """One look: what git says now, what it said at the commit that Argo CD compares with (``None``
    where that is not known), the Application, and the workload or why it cannot be read.

    ``synced`` is what git said at the commit that was synced last, where auto-sync is off: that
    runs, also after a rollback in the history.
    """

    written: Written
    compared: Written | None
    view: ApplicationView
    workload: Workload | QuarterdeckError
    synced: Written | None = None


def live(standing: Standing, place: ArgoCdApplication, revision: str) -> Live:
    """``revision`` is the commit that Argo CD compares with."""
    workload = standing.workload if isinstance(standing.workload, Workload) else None
    counts = progress(standing.view, workload)
    return Live(
        revision=standing.written.value,
        image=_image(standing.synced or standing.written, workload),
        desired=counts.desired,
        running=workload.available if workload is not None else counts.running,
        steady=steady(standing),
        rollout=revision,
        drift=drift(standing),
        downtime=downtime(standing.workload, place, standing.written.value),
    )


def steady(standing: Standing) -> bool:
    """Whether no rollout is under way: nothing is syncing, about to be, or progressing."""
    view = standing.view
    if view.under_way is not None or view.health == "Progressing":
        return False
    return not (view.automated and (_pending(standing) or view.synced == "OutOfSync"))


def drift(standing: Standing) -> str:
    """How what runs differs from git, where no rollout explains it; empty where it does not."""
    view, written = standing.view, standing.written
    if not steady(standing):
        return ""
    if isinstance(standing.workload, Workload) and (digest := digest_in(written.value)):
        image = serving(standing.workload, written.value)
        if image and digest not in image:
            runs = f"{standing.workload.kind} {standing.workload.name} runs {_short(image)}"
            return f"{runs}, and git says {_short(written.value)}"
    if _pending(standing) or view.synced == "OutOfSync":
        return f"git says {_short(written.value)}, and the Application is not synced to it"
    return ""


def downtime(
    workload: Workload | QuarterdeckError, place: ArgoCdApplication, value: str
) -> tuple[str, ...]:
    """What keeps it from being rolled without downtime, unless that was accepted."""
    if place.downtime_accepted:
        return ()
    if isinstance(workload, QuarterdeckError):
        return unread(workload)
    image = serving(workload, value)
    ours = tuple(each for each in workload.containers if each.image == image)
    return obstacles(workload, ours or workload.containers)


def _pending(standing: Standing) -> bool:
    """Whether Argo CD still compares with a commit in which another value stands."""
    compared = standing.compared
    return compared is not None and compared.value != standing.written.value


def _image(written: Written, workload: Workload | None) -> Image | None:
    """What is named there; the repository, where the value does not say it, from what runs."""
    if written.image is not None or workload is None:
        return written.image
    running = image_of(serving(workload, written.value))
    matches = running is not None and running.digest == digest_in(written.value)
    return running if matches else None


def _short(text: str) -> str:
    """Without the registry, and with the start of the digest: enough to tell two images apart."""
    digest = digest_in(text)
    short = text.replace(digest, digest[:19]) if digest else text
    short = short.rpartition("/")[2]
    return short if len(short) <= _QUOTED else f"…{short[-_QUOTED:]}"
