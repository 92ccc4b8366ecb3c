"""Locks, declared freezes and the pause: what people put in the way, and take away again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.commands.model import (
    DeclareFreeze,
    LiftFreeze,
    LockTarget,
    PauseAll,
    ResumeAll,
    UnlockTarget,
)
from bot.intake.ask import Ask, Subject, deny, record, refused_by
from bot.model.catalog import Policy
from bot.model.deployment import Freeze, Lock, Pause, Requester
from bot.model.ports import Transaction
from bot.model.reply import Accepted, Refused
from bot.policy.decide import Denied
from bot.policy.holds import may_freeze, may_lock, may_pause, may_unlock
from bot.workflows.parts import Parts


@dataclass(frozen=True, slots=True)
class Done:
    """What a change of holds answers when it took effect, and when it found nothing to change."""

    changed: bool
    text: str
    otherwise: Refused


class HoldsDesk:
    """Requests about holds."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def lock(self, command: LockTarget, ask: Ask) -> Accepted | Refused:
        """Hold a target, or with ``*`` all of an environment."""
        where = f"{command.service}/{command.environment}"
        now = self._parts.clock.now()
        lock = Lock(
            command.service,
            command.environment,
            ask.requester.person,
            command.reason,
            now,
            now + command.duration if command.duration else None,
        )
        until = f" until {lock.until:%Y-%m-%d %H:%M} UTC" if lock.until else ""
        held = Refused(
            "LOCKED", f"{where} is locked already.", "/deploy locks shows by whom and why."
        )
        verdict = may_lock(self._policies(command.environment, command.service), ask.requester)
        with self._parts.store.begin() as tx:
            subject = Subject("target.lock", where)
            if isinstance(verdict, Denied):
                return deny(tx, ask, subject, refused_by(verdict))
            done = Done(tx.holds.lock(lock), f"{where} is locked{until}.", held)
            return self._answer(tx, ask, subject, done, command.reason)

    def unlock(self, command: UnlockTarget, ask: Ask) -> Accepted | Refused:
        """Release a lock; somebody else's takes an approver or an incident responder."""
        where = f"{command.service}/{command.environment}"
        with self._parts.store.begin() as tx:
            subject = Subject("target.unlock", where)
            lock = next(
                (
                    lock
                    for lock in tx.holds.locks(self._parts.clock.now())
                    if (lock.service, lock.environment) == (command.service, command.environment)
                ),
                None,
            )
            if lock is None:
                none = Refused(
                    "NOT_LOCKED", f"{where} is not locked.", "/deploy locks lists what is."
                )
                return deny(tx, ask, subject, none)
            policies = self._policies(command.environment, command.service)
            verdict = may_unlock(policies, ask.requester, lock)
            if isinstance(verdict, Denied):
                return deny(tx, ask, subject, refused_by(verdict))
            tx.holds.unlock(command.service, command.environment)
            text = f"{where} is unlocked; it was locked by {lock.owner.name}."
            record(tx, ask, subject, "done", (lock.reason, ""))
            return Accepted(text)

    def freeze(self, command: DeclareFreeze, ask: Ask) -> Accepted | Refused:
        """Declare a freeze of an environment, now or for later."""
        now = self._parts.clock.now()
        since = command.since or now
        if command.until is not None and command.until <= max(since, now):
            return Refused(
                "USAGE",
                "A freeze must end after it begins, and in the future.",
                "See /deploy help freeze.",
            )
        freeze = Freeze(
            command.environment, ask.requester.person, command.reason, since, command.until
        )
        exists = Refused(
            "FROZEN",
            f"{command.environment} has a declared freeze already.",
            f"/deploy unfreeze {command.environment} lifts it first.",
        )
        with self._parts.store.begin() as tx:
            subject = Subject("environment.freeze", command.environment)
            if denied := self._may_freeze(command.environment, ask.requester):
                return deny(tx, ask, subject, denied)
            done = Done(tx.holds.freeze(freeze), said(freeze, now), exists)
            return self._answer(tx, ask, subject, done, command.reason)

    def unfreeze(self, command: LiftFreeze, ask: Ask) -> Accepted | Refused:
        """Lift a declared freeze; a window of the catalog is changed in the catalog."""
        none = Refused(
            "NOT_FROZEN",
            f"{command.environment} has no freeze that was declared from chat.",
            "A window of the catalog ends by itself, or is changed there.",
        )
        with self._parts.store.begin() as tx:
            subject = Subject("environment.unfreeze", command.environment)
            if denied := self._may_freeze(command.environment, ask.requester):
                return deny(tx, ask, subject, denied)
            lifted = tx.holds.unfreeze(command.environment) is not None
            done = Done(lifted, f"{command.environment} is no longer frozen.", none)
            return self._answer(tx, ask, subject, done, command.reason)

    def pause(self, command: PauseAll, ask: Ask) -> Accepted | Refused:
        """Nothing starts any more, anywhere, but rollbacks."""
        pause = Pause(ask.requester.person, command.reason, self._parts.clock.now())
        already = Refused("PAUSED", "Everything is paused already.", "/deploy locks shows by whom.")
        with self._parts.store.begin() as tx:
            subject = Subject("all.pause")
            if denied := self._may_pause(ask.requester):
                return deny(tx, ask, subject, denied)
            text = "Everything is paused: only rollbacks start. What runs, runs on."
            return self._answer(
                tx, ask, subject, Done(tx.holds.pause(pause), text, already), command.reason
            )

    def resume(self, command: ResumeAll, ask: Ask) -> Accepted | Refused:
        """End the pause."""
        none = Refused(
            "NOT_PAUSED", "Nothing is paused.", "/deploy locks shows what is in the way."
        )
        with self._parts.store.begin() as tx:
            subject = Subject("all.resume")
            if denied := self._may_pause(ask.requester):
                return deny(tx, ask, subject, denied)
            done = Done(tx.holds.resume() is not None, "Deployments go on.", none)
            return self._answer(tx, ask, subject, done, command.reason)

    def _answer(
        self, tx: Transaction, ask: Ask, subject: Subject, done: Done, reason: str
    ) -> Accepted | Refused:
        if not done.changed:
            return deny(tx, ask, subject, done.otherwise)
        record(tx, ask, subject, "done", (reason, ""))
        return Accepted(done.text)

    def _may_freeze(self, environment: str, requester: Requester) -> Refused | None:
        verdict = may_freeze(self._policies(environment, "*"), requester)
        return refused_by(verdict) if isinstance(verdict, Denied) else None

    def _may_pause(self, requester: Requester) -> Refused | None:
        verdict = may_pause(tuple(self._parts.catalog().policies.values()), requester)
        return refused_by(verdict) if isinstance(verdict, Denied) else None

    def _policies(self, environment: str, service: str) -> tuple[Policy, ...]:
        """The policies of every target that a hold would cover."""
        catalog = self._parts.catalog()
        return tuple(
            catalog.policy_of(spec.key)
            for spec in catalog.targets
            if spec.environment == environment and service in {"*", spec.service}
        )


def said(freeze: Freeze, now: datetime) -> str:
    """What a declared freeze means, from when and until when."""
    later = freeze.since > now
    begins = f" from {freeze.since:%Y-%m-%d %H:%M} UTC" if later else ""
    ends = f"until {freeze.until:%Y-%m-%d %H:%M} UTC" if freeze.until else "until it is lifted"
    return f"{freeze.environment} {'will be' if later else 'is'} frozen{begins} {ends}."
