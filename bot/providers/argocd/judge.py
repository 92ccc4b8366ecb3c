"""How a rollout stands, judged from what Argo CD shows. Pure: one look in, one observation out.

The end is true or it is not told. Argo CD's status is a set of notes written at different moments;
so nothing counts but all of them together:

- SUCCEEDED: the revision that is compared with is our commit, or one on top that still carries our
  value; it is Synced; no operation runs; Argo CD has compared after the operation ended; it is
  Healthy, the Deployment agrees where it can be read, and all that stays so for the settle time.
  A commit that changes nothing needs no operation.
- FAILED: the sync of our commit failed for good (SYNC_FAILED), it is Degraded (DEGRADED) or Missing
  (MISSING) for longer than a flap, or what is in git cannot be compared (COMPARISON_ERROR).
- SUPERSEDED: somebody's commit on top of ours changed our value again.

Everything else goes on, with what it waits for; the workflow's deadline ends what never ends.

Where this comes from: argo-cd#542 and kargo#6357 (Synced and Healthy of the old revision), #4505,
#17155 and #25361 (operations that run on or are terminated), and the controller's
``CompareAppState`` (the revision moves to a new commit, even as Synced, while its sync still runs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bot.model.deployment import Progress
from bot.model.rollout import End, Observation
from bot.providers.argocd.desired import Relation
from bot.providers.argocd.following import Following
from bot.providers.argocd.views import FAILED, ApplicationView, OperationView
from bot.providers.argocd.words import NAMED, another, failure, named, progressing, unhealthy
from bot.providers.kube.rollout_status import standing
from bot.providers.kube.workload import Workload, digest_in

#: For how many settle times a bad look may still be a flap: half a minute, by default.
FLAPS = 3.0
#: Seconds for which a comparison error may still be Argo CD's own trouble.
TROUBLE = 120.0
#: Seconds that tell apart what Argo CD dates with the same second.
SAME_SECOND = 2.0
_HERE = frozenset({Relation.OURS, Relation.CARRIES})


class Mood(StrEnum):
    """What one look shows; whether it ends the rollout depends on how long it lasts."""

    GOES_ON = "goes on"
    SETTLES = "settles"
    DEGRADED = "degraded"
    MISSING = "missing"
    DELETED = "deleted"
    INCOMPARABLE = "incomparable"
    SYNC_FAILED = "sync failed"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Reading:
    """One look: its mood, and what to say. ``exact`` is false where dates leave a doubt."""

    mood: Mood
    text: str = ""
    exact: bool = True


def read(view: ApplicationView | None, following: Following) -> Reading:
    """What one look at the Application shows; ``None`` is one that is not there."""
    if view is None or view.deleting:
        return Reading(Mood.DELETED, "The Application was deleted while the rollout ran.")
    looks = _BY_HISTORY if following.rollback_id else _BY_COMMIT
    for look in looks:
        reading = look(view, following)
        if reading is not None:
            return reading
    return Reading(Mood.GOES_ON)


def judge(
    view: ApplicationView | None,
    following: Following,
    reading: Reading,
    lasted: float,
    settle: float,
) -> Observation:
    """The observation; ``lasted``: for how many seconds the mood has been this one, ``settle``:
    how long a good one has to last."""
    end, code = _ENDS.get(reading.mood, (None, ""))
    patience = _patience(reading, settle)
    over = end is not None and lasted >= patience
    return Observation(
        progress=of_ours(view, following),
        end=end if over else None,
        explanation=reading.text,
        events=following.reasons,
        reason_code=code if over else "",
    )


def patience_left(reading: Reading, lasted: float, settle: float) -> float | None:
    """Seconds after which this very look would be an end; ``None`` where it never is."""
    if reading.mood not in _ENDS:
        return None
    return max(0.0, _patience(reading, settle) - lasted)


def _patience(reading: Reading, settle: float) -> float:
    """For how many seconds a mood has to last before it counts."""
    match reading.mood:
        case Mood.SETTLES:
            return settle if reading.exact else max(settle, SAME_SECOND)
        case Mood.DEGRADED | Mood.MISSING | Mood.DELETED:
            return FLAPS * settle if reading.exact else max(FLAPS * settle, SAME_SECOND)
        case Mood.INCOMPARABLE:
            return TROUBLE
        case _:
            return 0.0


_ENDS: dict[Mood, tuple[End, str]] = {
    Mood.SETTLES: (End.SUCCEEDED, ""),
    Mood.DEGRADED: (End.FAILED, "DEGRADED"),
    Mood.MISSING: (End.FAILED, "MISSING"),
    Mood.DELETED: (End.FAILED, "MISSING"),
    Mood.INCOMPARABLE: (End.FAILED, "COMPARISON_ERROR"),
    Mood.SYNC_FAILED: (End.FAILED, "SYNC_FAILED"),
    Mood.REPLACED: (End.SUPERSEDED, "SUPERSEDED"),
}


def progress(view: ApplicationView | None, workload: Workload | None) -> Progress:
    """Pods where the Deployment can be read; else the Application's resources that have a health,
    which as a count is rough, and moves as it should."""
    if workload is not None:
        return workload.progress
    judged = [each for each in (view.resources if view is not None else ()) if each.health]
    healthy = sum(each.health == "Healthy" for each in judged)
    failed = sum(each.health == "Degraded" for each in judged)
    return Progress(len(judged), healthy, len(judged) - healthy - failed, failed, 0)


def of_ours(view: ApplicationView | None, following: Following) -> Progress:
    """The same of our version alone: until it is applied, only the old one runs."""
    workload, counts = following.workload, progress(view, following.workload)
    if workload is not None:
        is_old = workload.misses(digest_in(following.value))
        return Progress(workload.desired, old=workload.replicas) if is_old else counts
    here = following.rollback_id or following.synced in _HERE
    applied = view is not None and (view.synced == "Synced" or _applied(view, following))
    return counts if here and applied else Progress(counts.desired)


# --- one question each, in the order in which they decide ----------------------------------------


def _replaced(view: ApplicationView, following: Following) -> Reading | None:
    del view
    if following.synced is not Relation.CHANGED:
        return None
    author = following.author
    if author is None:
        return Reading(Mood.REPLACED, "Somebody changed the image in git again.")
    subject = f" ({author.subject})" if author.subject else ""
    said = f"{author.name} changed the image in git again, in {author.commit[:7]}{subject}."
    return Reading(Mood.REPLACED, said)


def _incomparable(view: ApplicationView, following: Following) -> Reading | None:
    del following
    for kind, message in view.conditions:
        if kind in {"ComparisonError", "InvalidSpecError"}:
            said = "cannot compare what is in git" if kind == "ComparisonError" else "refuses it"
            return Reading(Mood.INCOMPARABLE, f"Argo CD {said}: {message or kind}")
    return None


def _operation(view: ApplicationView, following: Following) -> Reading | None:
    under_way = view.under_way
    if under_way is not None:
        return _under_way(under_way, following)
    newest = view.operation
    if newest is not None and newest.phase in FAILED and following.attempted in _HERE:
        return Reading(Mood.SYNC_FAILED, failure(newest))
    return None


def _under_way(operation: OperationView, following: Following) -> Reading:
    if following.attempted not in _HERE:
        return Reading(Mood.GOES_ON, another(operation))
    if operation.phase == "Terminating":
        return Reading(Mood.GOES_ON, "The sync of our commit is being terminated.")
    if "sync window" in operation.message:
        said = following.closed or "A sync window is closed"
        return Reading(Mood.GOES_ON, f"{said.rstrip('.')}: the sync waits until it opens.")
    said = f": {operation.message}" if operation.message else "."
    return Reading(Mood.GOES_ON, f"Argo CD is syncing{said}")


def _revision(view: ApplicationView, following: Following) -> Reading | None:
    if following.synced in _HERE:
        return None
    seen = view.revisions[0][:7] if view.revisions else "nothing"
    if following.synced is Relation.UNKNOWN:
        said = f"Argo CD compares with {seen}, a commit that the repository does not have."
        return Reading(Mood.GOES_ON, said)
    said = f"Argo CD has not seen commit {following.commit[:7]} yet; it still compares with {seen}."
    return Reading(Mood.GOES_ON, said)


def _unsynced(view: ApplicationView, following: Following) -> Reading | None:
    if view.synced == "Synced":
        return None
    if _applied(view, following) and _stale(view, following) is None:
        bad = _bad_health(view, following)
        if bad is not None:
            return bad
    if view.synced != "OutOfSync":
        return Reading(Mood.GOES_ON, "Argo CD does not know whether it is in sync.")
    return Reading(Mood.GOES_ON, _why_unsynced(view, following))


def _why_unsynced(view: ApplicationView, following: Following) -> str:
    if _applied(view, following):
        names = [each.title for each in view.resources if each.status == "OutOfSync"][:NAMED]
        return f"Synced, and still OutOfSync: {', '.join(names) or 'Argo CD does not say what'}."
    if following.turned_off:
        return "Auto-sync was turned off after the commit: it waits for somebody to sync it."
    if following.closed:
        return f"{following.closed.rstrip('.')}: Argo CD syncs when it opens."
    if view.automated:
        return "Argo CD has seen the commit and is about to sync it."
    return following.may_not or "Auto-sync is off: a sync is being asked for."


def _stale(view: ApplicationView, following: Following) -> Reading | None:
    """What Argo CD compared before its operation ended says nothing about what came of it."""
    operation = view.operation
    if operation is None or operation.finished_at is None or following.attempted not in _HERE:
        return None
    if view.reconciled_at is not None and view.reconciled_at >= operation.finished_at:
        return None
    return Reading(Mood.GOES_ON, "Synced; Argo CD has not looked at what came of it yet.")


def _health(view: ApplicationView, following: Following) -> Reading | None:
    bad = _bad_health(view, following)
    if bad is not None:
        return bad
    if view.health == "Suspended":
        said = named(view, "Suspended") or view.health_message or "a workload is paused"
        return Reading(Mood.GOES_ON, f"Paused: {said}. It goes on when somebody resumes it.")
    if view.health != "Healthy":
        return Reading(Mood.GOES_ON, progressing(view, following))
    return _contradicted(following) or Reading(Mood.SETTLES, exact=_exact(view, following))


def _bad_health(view: ApplicationView, following: Following) -> Reading | None:
    mood = {"Degraded": Mood.DEGRADED, "Missing": Mood.MISSING}.get(view.health)
    if mood is None:
        return None
    workload = following.workload
    failed = workload is not None and standing(workload).failed
    exact = failed or _dated_after(view)
    return Reading(mood, unhealthy(view, following, view.health), exact=exact)


def _contradicted(following: Following) -> Reading | None:
    """Where the Deployment can be read, it has to agree."""
    workload = following.workload
    if workload is None:
        return None
    if workload.misses(digest_in(following.value)):
        said = (
            f"Argo CD says that it runs our commit, and {workload.kind} {workload.name} runs "
            "another image: is our file among what the Application is made from?"
        )
        return Reading(Mood.GOES_ON, said)
    if workload.kind == "Deployment" and not (stands := standing(workload)).done:
        return Reading(Mood.GOES_ON, stands.text)
    return None


def _by_our_operation(view: ApplicationView, following: Following) -> Reading | None:
    """Back in the history: Argo CD goes on comparing with the branch, so its own operation has to
    tell, which carries our id."""
    newest, pending = view.operation, view.pending
    if newest is None or newest.id != following.rollback_id:
        if pending is not None and pending.id == following.rollback_id:
            return Reading(Mood.GOES_ON, "Argo CD is about to go back.")
        if newest is not None and view.under_way is not None:
            return Reading(Mood.REPLACED, another(newest))
        return Reading(Mood.REPLACED, "Somebody has synced the Application again since.")
    if view.under_way is not None:
        return _under_way(newest, following)
    if newest.phase in FAILED:
        return Reading(Mood.SYNC_FAILED, failure(newest))
    return None


_Look = Callable[[ApplicationView, Following], Reading | None]
_BY_COMMIT: tuple[_Look, ...] = (
    _replaced,
    _incomparable,
    _operation,
    _revision,
    _unsynced,
    _stale,
    _health,
)
_BY_HISTORY: tuple[_Look, ...] = (_by_our_operation, _stale, _health)


# --- what the questions share ---------------------------------------------------------------------


def _applied(view: ApplicationView, following: Following) -> bool:
    operation = view.operation
    succeeded = operation is not None and operation.phase == "Succeeded"
    return succeeded and following.attempted in _HERE


def _exact(view: ApplicationView, following: Following) -> bool:
    """Whether it surely became Healthy after its operation ended: by the dates, or because the
    Deployment runs our image and agrees."""
    workload, digest = following.workload, digest_in(following.value)
    agreed = workload is not None and workload.kind == "Deployment" and bool(digest)
    return agreed or _dated_after(view)


def _dated_after(view: ApplicationView) -> bool:
    """Whether its health is surely younger than its operation's end.

    Argo CD compares right after an operation, mostly within the same second.
    """
    ended = view.operation.finished_at if view.operation is not None else None
    if ended is None or ended != view.reconciled_at:
        return True
    return view.health_since is not None and view.health_since > ended
