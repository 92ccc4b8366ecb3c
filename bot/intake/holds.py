"""Locks, declared freezes and the pause: what people put in the way, and take away again."""

from __future__ import annotations

from collections.abc import Callable
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
from bot.intake.ask import Ask, Subject, answered, deny, granted, refused_by
from bot.model.catalog import Policy
from bot.model.deployment import Freeze, Lock, Pause, Requester
from bot.model.ports import Transaction
from bot.model.reply import Accepted, Refused
from bot.policy.decide import Denied
from bot.policy.holds import may_freeze, may_lock, may_pause, may_unlock
from bot.workflows.parts import Parts


@dataclass(frozen=True, slots=True)
class Done:
    """A change of holds that took effect: what is answered, and the reason that is recorded."""

    text: str
    reason: str


class HoldsDesk:
    """Requests about holds. One that is delivered again is answered as it was, yes or no."""

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

        def act(tx: Transaction) -> Done | Refused:
            policies = self._policies(command.environment, command.service)
            verdict = may_lock(policies, ask.requester)
            if isinstance(verdict, Denied):
                return refused_by(verdict)
            if not tx.holds.lock(lock):
                hint = "/deploy locks shows by whom and why."
                return Refused("LOCKED", f"{where} is locked already.", hint)
            until = f" until {lock.until:%Y-%m-%d %H:%M} UTC" if lock.until else ""
            return Done(f"{where} is locked{until}.", command.reason)

        return self._once(ask, Subject("target.lock", where), act)

    def unlock(self, command: UnlockTarget, ask: Ask) -> Accepted | Refused:
        """Release a lock; somebody else's takes an approver or an incident responder."""
        where = f"{command.service}/{command.environment}"

        def act(tx: Transaction) -> Done | Refused:
            while (lock := self._standing(tx, command)) is not None:
                policies = self._policies(command.environment, command.service)
                verdict = may_unlock(policies, ask.requester, lock)
                if isinstance(verdict, Denied):
                    return refused_by(verdict)
                if tx.holds.release(lock):
                    text = f"{where} is unlocked; it was locked by {lock.owner.name}."
                    return Done(text, lock.reason)
                # What was judged is gone, and what took its place is judged anew.
            hint = "/deploy locks lists what is."
            return Refused("NOT_LOCKED", f"{where} is not locked.", hint)

        return self._once(ask, Subject("target.unlock", where), act)

    def _standing(self, tx: Transaction, command: UnlockTarget) -> Lock | None:
        place = (command.service, command.environment)
        standing = tx.holds.locks(self._parts.clock.now())
        return next((one for one in standing if (one.service, one.environment) == place), None)

    def freeze(self, command: DeclareFreeze, ask: Ask) -> Accepted | Refused:
        """Declare a freeze of an environment, now or for later."""
        now = self._parts.clock.now()
        since = command.since or now
        freeze = Freeze(
            command.environment, ask.requester.person, command.reason, since, command.until
        )

        def act(tx: Transaction) -> Done | Refused:
            if command.until is not None and command.until <= max(since, now):
                said = "A freeze must end after it begins, and in the future."
                return Refused("USAGE", said, "See /deploy help freeze.")
            if denied := self._may_freeze(command.environment, ask.requester):
                return denied
            if not tx.holds.freeze(freeze):
                said = f"{command.environment} has a declared freeze already."
                hint = f"/deploy unfreeze {command.environment} lifts it first."
                return Refused("FROZEN", said, hint)
            return Done(meaning(freeze, now), command.reason)

        return self._once(ask, Subject("environment.freeze", command.environment), act)

    def unfreeze(self, command: LiftFreeze, ask: Ask) -> Accepted | Refused:
        """Lift a declared freeze; a window of the catalog is changed in the catalog."""

        def act(tx: Transaction) -> Done | Refused:
            if denied := self._may_freeze(command.environment, ask.requester):
                return denied
            if tx.holds.unfreeze(command.environment) is None:
                said = f"{command.environment} has no freeze that was declared from chat."
                hint = "A window of the catalog ends by itself, or is changed there."
                return Refused("NOT_FROZEN", said, hint)
            return Done(f"{command.environment} is no longer frozen.", command.reason)

        return self._once(ask, Subject("environment.unfreeze", command.environment), act)

    def pause(self, command: PauseAll, ask: Ask) -> Accepted | Refused:
        """Nothing starts any more, anywhere, but rollbacks."""
        pause = Pause(ask.requester.person, command.reason, self._parts.clock.now())

        def act(tx: Transaction) -> Done | Refused:
            if denied := self._may_pause(ask.requester):
                return denied
            if not tx.holds.pause(pause):
                hint = "/deploy locks shows by whom."
                return Refused("PAUSED", "Everything is paused already.", hint)
            text = "Everything is paused: only rollbacks start. What runs, runs on."
            return Done(text, command.reason)

        return self._once(ask, Subject("all.pause"), act)

    def resume(self, command: ResumeAll, ask: Ask) -> Accepted | Refused:
        """End the pause."""

        def act(tx: Transaction) -> Done | Refused:
            if denied := self._may_pause(ask.requester):
                return denied
            if tx.holds.resume() is None:
                hint = "/deploy locks shows what is in the way."
                return Refused("NOT_PAUSED", "Nothing is paused.", hint)
            return Done("Deployments go on.", command.reason)

        return self._once(ask, Subject("all.resume"), act)

    def _once(
        self, ask: Ask, subject: Subject, act: Callable[[Transaction], Done | Refused]
    ) -> Accepted | Refused:
        with self._parts.store.begin() as tx:
            if (before := answered(tx, ask, subject)) is not None:
                return before
            outcome = act(tx)
            if isinstance(outcome, Done):
                return granted(tx, ask, subject, outcome.text, outcome.reason)
            # Of two deliveries in one instant the second has waited for the first one's row.
            return answered(tx, ask, subject) or deny(tx, ask, subject, outcome)

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


def meaning(freeze: Freeze, now: datetime) -> str:
    """What a declared freeze means, from when and until when."""
    later = freeze.since > now
    begins = f" from {freeze.since:%Y-%m-%d %H:%M} UTC" if later else ""
    ends = f"until {freeze.until:%Y-%m-%d %H:%M} UTC" if freeze.until else "until it is lifted"
    return f"{freeze.environment} {'will be' if later else 'is'} frozen{begins} {ends}."
