"""From facts to a decision. Pure: the same facts always give the same answer."""

from __future__ import annotations

from typing import assert_never

from bot.model.catalog import Policy
from bot.model.deployment import Kind, Requester
from bot.policy.decision import Allowed, Decision, Denied, NeedsApproval, Note, Reason, Verdict
from bot.policy.facts import Facts
from bot.policy.reasons import ReasonCode
from bot.policy.rules import HOLDS, RULES, exempted

__all__ = [
    "Allowed",
    "Decision",
    "Denied",
    "NeedsApproval",
    "Note",
    "Reason",
    "Verdict",
    "decide",
    "held",
]


def decide(facts: Facts) -> Decision:
    """Every rule for this kind of rollout is asked, and every reason it finds is told."""
    reasons: list[Reason] = []
    notes: list[Note] = []
    for rule in RULES:
        if facts.kind not in rule.kinds:
            continue
        for found in rule.check(facts):
            match found:
                case Reason():
                    reasons.append(found)
                case Note():
                    notes.append(found)
                case _:
                    assert_never(found)
        if rule.is_final and reasons:
            break
    if reasons:
        return Denied(tuple(reasons))
    return _unrefused(facts, tuple(notes))


def held(facts: Facts) -> tuple[Reason, ...]:
    """What keeps every deployment from the target now, whoever asked for it and was let in."""
    return tuple(found for gate in HOLDS for found in gate(facts) if isinstance(found, Reason))


def _unrefused(facts: Facts, notes: tuple[Note, ...]) -> Allowed | NeedsApproval:
    if facts.kind is Kind.ROLLBACK:
        return Allowed((*notes, *exempted(facts)))
    policy = facts.policy
    needed = approvals_needed(policy, facts.requester)
    if needed == 0:
        return Allowed(notes)
    if facts.requester.is_bot:
        said = "Asked for by a bot, so at least one person has to approve."
        notes = (*notes, Note(ReasonCode.BOT_NEEDS_HUMANS, said))
    return NeedsApproval(needed, policy.required_group, policy.approval_expires_after, notes)


def approvals_needed(policy: Policy, requester: Requester) -> int:
    """How many people have to agree: at least one to a bot, and one where a group must."""
    least = 1 if requester.is_bot or policy.required_group is not None else 0
    return max(policy.approvals, least)
