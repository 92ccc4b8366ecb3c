"""The gates of a deployment, one small function each, and the table that says whom each applies to.

A rule returns what it found: reasons to refuse, notes, or nothing. It never looks at another rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from bot.model.deployment import Kind, Lock
from bot.model.wording import plain, quoted
from bot.policy.calendar import frozen_by, until
from bot.policy.decision import Note, Reason
from bot.policy.facts import Facts
from bot.policy.reasons import ReasonCode, explain
from bot.policy.roles import approvers_of, ask, is_deployer, is_responder, may_take_back, mentions

Finding = Reason | Note


@dataclass(frozen=True, slots=True)
class Rule:
    """A gate and the kinds of rollout it stands in front of. ``is_final``: no other is asked."""

    check: Callable[[Facts], tuple[Finding, ...]]
    kinds: frozenset[Kind]
    is_final: bool = False


def outsider(facts: Facts) -> tuple[Finding, ...]:
    """Guests, strangers and the deactivated learn nothing but this."""
    return (outside(),) if facts.requester.outsider else ()


def outside() -> Reason:
    """The same refusal for everything an outsider tries."""
    return Reason(ReasonCode.OUTSIDER, *explain(ReasonCode.OUTSIDER))


def not_deployer(facts: Facts) -> tuple[Finding, ...]:
    """Only whom the policy names asks for deployments."""
    if is_deployer(facts.policy, facts.requester):
        return ()
    name = plain(facts.requester.person.name, 80)
    said = f"{name} may not deploy to {facts.target}."
    return (Reason(ReasonCode.NOT_DEPLOYER, said, ask(facts.policy.deployers)),)


def may_not_roll_back(facts: Facts) -> tuple[Finding, ...]:
    """Whoever has any part in the target takes it back; nobody else does."""
    policy = facts.policy
    if may_take_back(policy, facts.requester):
        return ()
    name = plain(facts.requester.person.name, 80)
    help_by = ask(policy.deployers, approvers_of(policy), policy.incident_responders)
    said = f"{name} may not roll back {facts.target}."
    return (Reason(ReasonCode.NOT_DEPLOYER, said, help_by),)


def wrong_channel(facts: Facts) -> tuple[Finding, ...]:
    """Some targets are only deployed where their team sees it."""
    channels = facts.policy.channels
    if not channels or facts.requester.channel in channels:
        return ()
    listed = ", ".join(f"<#{channel}>" for channel in channels)
    said = f"{facts.target} is not deployed from this channel."
    return (Reason(ReasonCode.WRONG_CHANNEL, said, f"Ask again in {listed}."),)


def paused(facts: Facts) -> tuple[Finding, ...]:
    """Nothing starts in a pause."""
    pause = facts.pause
    if pause is None:
        return ()
    said = f"Everything is paused by {plain(pause.owner.name, 80)}{_because(pause.reason)}."
    return (Reason(ReasonCode.PAUSED, said, _until_lifted(facts, pause.owner.id, "resume-all")),)


def locked(facts: Facts) -> tuple[Finding, ...]:
    """A lock stops everybody but its owner."""
    return tuple(_lock(facts, lock) for lock in facts.locks if lock.covers(facts.target, facts.now))


def _lock(facts: Facts, lock: Lock) -> Finding:
    place = f"{plain(lock.service)}/{lock.environment}"
    if lock.owner.id == facts.requester.person.id:
        return Note(ReasonCode.OWN_LOCK, f"Passes the requester's own lock of {place}.")
    end = f" until {_clock(lock.until)}" if lock.until else " until it is released"
    said = f"{place} is locked by {plain(lock.owner.name, 80)}{end}{_because(lock.reason)}."
    return Reason(ReasonCode.LOCKED, said, _until_lifted(facts, lock.owner.id, "unlock"))


def frozen(facts: Facts) -> tuple[Finding, ...]:
    """No deployment in a freeze, but for an incident responder who says why."""
    freezes = _freezes(facts)
    if not freezes:
        return ()
    if not facts.override_freeze:
        help_by = mentions(facts.policy.incident_responders)
        wait = "Wait for its end"
        override = f", or ask one of {help_by} to use --override-freeze with a reason"
        what_to_do = f"{wait}{override if help_by else ''}.{_again(facts)}"
        return tuple(Reason(ReasonCode.FROZEN, said, what_to_do) for said in freezes)
    return tuple(_overridden(facts, said) for said in freezes)


def _overridden(facts: Facts, said: str) -> Finding:
    if not is_responder(facts.policy, facts.requester):
        return Reason(
            ReasonCode.OVERRIDE_NOT_ALLOWED,
            f"{said} Only incident responders may override that.",
            ask(facts.policy.incident_responders),
        )
    if not facts.reason.strip():
        code = ReasonCode.OVERRIDE_NEEDS_REASON
        return Reason(code, f"{said} Overriding it needs a reason.", explain(code).what_to_do)
    return Note(ReasonCode.FREEZE_OVERRIDDEN, f"Freeze overridden: {said}")


def _freezes(facts: Facts) -> tuple[str, ...]:
    """A sentence for each freeze in force: the catalog's window and those declared from chat."""
    environment = facts.target.environment
    found = []
    window = frozen_by(facts.policy.freezes, facts.now)
    if window is not None:
        end = _clock(until(window, facts.now))
        found.append(
            f"{environment} is frozen by {quoted(window.name)} until {end}"
            f"{_because(window.reason)}."
        )
    for freeze in facts.freezes:
        if freeze.covers(environment, facts.now):
            end = f" until {_clock(freeze.until)}" if freeze.until else " until it is lifted"
            owner = plain(freeze.owner.name, 80)
            found.append(f"{environment} is frozen by {owner}{end}{_because(freeze.reason)}.")
    return tuple(found)


def downtime(facts: Facts) -> tuple[Finding, ...]:
    """What is rolled with downtime is told, or refused, as the policy has it."""
    said = with_downtime(facts)
    if not said:
        return ()
    match facts.policy.zero_downtime:
        case "off":
            return ()
        case "warn":
            return (Note(ReasonCode.DOWNTIME, said),)
        case "require":
            what_to_do = f"{explain(ReasonCode.DOWNTIME).what_to_do}{_again(facts)}"
            return (Reason(ReasonCode.DOWNTIME, said, what_to_do),)
        case never:
            assert_never(never)


def with_downtime(facts: Facts) -> str:
    """Why there will be downtime, as one sentence; empty where there will be none."""
    told = (plain(clause, 200).rstrip(".") for clause in facts.downtime)
    clauses = "; ".join(filter(None, told))
    return f"{facts.target} cannot be rolled without downtime: {clauses}." if clauses else ""


def _until_lifted(facts: Facts, owner: str, verb: str) -> str:
    policy = facts.policy
    others = mentions(approvers_of(policy), policy.incident_responders)
    who = f"<@{owner}>" if owner[:1] in {"U", "W"} else ""
    who = "" if who and who in others else who
    helpers = " or ".join(filter(None, [who, f"one of {others}" if others else ""]))
    asked = f"Wait, or ask {helpers} to {verb}." if helpers else "Wait until it is lifted."
    return f"{asked}{_again(facts)}"


def _again(facts: Facts) -> str:
    return " Then /deploy retry asks again." if facts.at_start else ""


def _because(reason: str) -> str:
    return f" because {quoted(reason, 200)}" if reason.strip() else ""


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


_BOTH = frozenset(Kind)
_DEPLOY = frozenset({Kind.DEPLOY})
_ROLLBACK = frozenset({Kind.ROLLBACK})

#: In the order in which their reasons are told. Rollbacks are in front of no gate but "who".
RULES: tuple[Rule, ...] = (
    Rule(outsider, _BOTH, is_final=True),
    Rule(not_deployer, _DEPLOY),
    Rule(may_not_roll_back, _ROLLBACK),
    Rule(wrong_channel, _DEPLOY),
    Rule(paused, _DEPLOY),
    Rule(locked, _DEPLOY),
    Rule(frozen, _DEPLOY),
    Rule(downtime, _DEPLOY),
)


#: What somebody, or the calendar, puts in everybody's way.
HOLDS = (paused, locked, frozen)


def exempted(facts: Facts) -> tuple[Note, ...]:
    """For a rollback: every gate it passed that would have stopped a deployment."""
    gates = (wrong_channel, *HOLDS, downtime)
    passed = [found for gate in gates for found in gate(facts) if isinstance(found, Reason)]
    return tuple(
        Note(ReasonCode.ROLLBACK_EXEMPT, f"Passed as a rollback: {reason.text}")
        for reason in passed
    )
