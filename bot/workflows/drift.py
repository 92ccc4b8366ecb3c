"""What differs from what it should be, and what is worth a warning before a target is changed."""

from __future__ import annotations

from dataclasses import replace

from bot.model.deployment import Deployment, Status, Target
from bot.model.ports import Transaction
from bot.model.rollout import Live
from bot.model.wording import ended, plain
from bot.policy.facts import Facts
from bot.policy.reasons import ReasonCode
from bot.policy.rules import with_downtime

#: How many of a target's newest deployments are searched for the one that left what runs.
RECENT = 20
#: Ends after which the version may still be there: nothing but a person takes it back.
LEFT = frozenset({Status.FAILED, Status.TIMED_OUT, Status.OUTCOME_UNKNOWN, Status.CANCELLED})


def drifts(tx: Transaction, target: Target, live: Live | None) -> tuple[str, ...]:
    """How what is live differs from what was released last and from git, a clause for each.

    Nothing while a rollout of ours is under way: then both are meant to differ.
    """
    if live is None or _busy(tx, target):
        return ()
    left = left_by(tx, target, live.revision)
    if left is None or left.revision == _released(tx, target):
        return (*_foreign(tx, target, live), *_own(live))
    ours = f"is set to {left.image.name}, which {left.id} left there: it {ended(left.status)}"
    return (ours, *_own(live))


def warnings(tx: Transaction, facts: Facts, live: Live | None) -> tuple[str, ...]:
    """What belongs on the card of a deployment that is asked for, or begins, at this moment."""
    if live is None:
        return ()
    target, told = facts.target, tuple[str, ...]()
    if not _busy(tx, target):
        told = tuple(f"{target} {each}" for each in _foreign(tx, target, live))
        told += tuple(f"{target}: {each}" for each in _own(live))
    off = facts.policy.zero_downtime == "off"
    said = "" if off else with_downtime(replace(facts, downtime=live.downtime))
    return (*told, said) if said else told


def left_by(tx: Transaction, target: Target, revision: str) -> Deployment | None:
    """The deployment of ours that brought this revision, if it did not end well.

    Only the last one that the provider was told of: what came back after it is not its doing.
    """
    last = last_told(tx, target)
    return last if last is not None and is_left(last) and last.revision == revision else None


def is_left(last: Deployment) -> bool:
    """Whether the last one that was told may have left its version there, for people to take back.

    A provider that took it back, or that was told something else since, has not.
    """
    return last.status in LEFT


def last_told(tx: Transaction, target: Target) -> Deployment | None:
    """The newest deployment of the target that its provider was told of, or may have been."""
    return next(filter(_was_told, tx.deployments.history(target, RECENT)), None)


def _was_told(deployment: Deployment) -> bool:
    if deployment.reason_code == ReasonCode.PULL_REQUEST_CLOSED:
        return False  # it was asked of people, who did not want it
    unheard = deployment.status in {Status.FAILED, Status.REFUSED, Status.RUNNING}
    return deployment.handle is not None or (deployment.attempts > 0 and not unheard)


def _busy(tx: Transaction, target: Target) -> bool:
    return any(each.status is Status.RUNNING for each in tx.deployments.active(target))


def _released(tx: Transaction, target: Target) -> str | None:
    last = next(iter(tx.releases.known_good(target, 1)), None)
    return None if last is None else last.revision


def _foreign(tx: Transaction, target: Target, live: Live) -> tuple[str, ...]:
    """What somebody else changed past us.

    "Is set to", for what runs may be something else still: under Argo CD this is what git says.
    """
    last = next(iter(tx.releases.known_good(target, 1)), None)
    if last is None or last.revision == live.revision or left_by(tx, target, live.revision):
        return ()
    if live.drift and live.image and live.image.digest == last.image.digest:
        return ()  # it runs, and git does not say so: a rollback in Argo CD's history
    changed = f"is set to {_named(live)}, but {last.image.name} was released last"
    return (f"{changed}: changed outside Quarterdeck",)


def _named(live: Live) -> str:
    if live.image is None:
        return live.revision
    name, digest = live.image.name, live.image.digest.removeprefix("sha256:")[:12]
    return digest if name in {"", digest} else f"{plain(name, 80)} ({digest})"


def _own(live: Live) -> tuple[str, ...]:
    """What differs between git and the cluster."""
    return (plain(live.drift, 300),) if live.drift else ()
