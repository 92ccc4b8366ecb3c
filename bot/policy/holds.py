"""Who may put something in everybody's way, and who may take it away again.

``policies`` are those of every target that a hold would cover. A role has to be held under each of
them that names anybody for it: a policy that names nobody has nobody to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.model.catalog import People, Policy
from bot.model.deployment import Lock, Requester
from bot.model.wording import plain
from bot.policy.decision import Allowed, Denied, Reason, Verdict
from bot.policy.reasons import ReasonCode
from bot.policy.roles import approvers_of, ask, is_deployer, may_take_back, oversees
from bot.policy.rules import outside


def may_lock(policies: Sequence[Policy], requester: Requester) -> Verdict:
    """Deployers, approvers and incident responders of all that the lock would cover."""
    held = _everywhere(policies, requester, may_take_back, _partakers)
    return _verdict(requester, "take this lock", _all(policies, _partakers), held=held)


def may_unlock(policies: Sequence[Policy], requester: Requester, lock: Lock) -> Verdict:
    """The owner; somebody else's lock takes an approver or an incident responder.

    Under a policy that names neither, it takes a deployer: else a hold after a rollback, which
    belongs to nobody, would keep everybody out of the target for as long as it lasts.
    """
    is_own = lock.owner.id == requester.person.id
    held = is_own or _everywhere(policies, requester, _may_release, _releasers)
    what = f"release the lock of {plain(lock.owner.name, 80)}"
    return _verdict(requester, what, _all(policies, _releasers), held=held)


def may_freeze(policies: Sequence[Policy], requester: Requester) -> Verdict:
    """Approvers and incident responders declare a freeze; they lift it too."""
    held = _everywhere(policies, requester, oversees, _overseers)
    return _verdict(requester, "freeze or unfreeze here", _all(policies, _overseers), held=held)


def may_unfreeze(policies: Sequence[Policy], requester: Requester) -> Verdict:
    """As ``may_freeze``."""
    return may_freeze(policies, requester)


def may_pause(policies: Sequence[Policy], requester: Requester) -> Verdict:
    """Approvers and incident responders of anything: it is the brake that everybody can reach."""
    held = any(oversees(policy, requester) for policy in policies)
    return _verdict(requester, "pause or resume deployments", _all(policies, _overseers), held=held)


def may_resume(policies: Sequence[Policy], requester: Requester) -> Verdict:
    """As ``may_pause``."""
    return may_pause(policies, requester)


def _may_release(policy: Policy, requester: Requester) -> bool:
    if any(map(_names_anybody, _overseers(policy))):
        return oversees(policy, requester)
    return not requester.is_bot and is_deployer(policy, requester)


def _releasers(policy: Policy) -> tuple[People, ...]:
    overseers = _overseers(policy)
    return overseers if any(map(_names_anybody, overseers)) else (policy.deployers,)


def _overseers(policy: Policy) -> tuple[People, ...]:
    return approvers_of(policy), policy.incident_responders


def _partakers(policy: Policy) -> tuple[People, ...]:
    return policy.deployers, *_overseers(policy)


def _all(
    policies: Sequence[Policy], named: Callable[[Policy], tuple[People, ...]]
) -> tuple[People, ...]:
    return tuple(people for policy in policies for people in named(policy))


def _everywhere(
    policies: Sequence[Policy],
    requester: Requester,
    has_role: Callable[[Policy, Requester], bool],
    named: Callable[[Policy], tuple[People, ...]],
) -> bool:
    asked = [policy for policy in policies if any(map(_names_anybody, named(policy)))]
    return bool(asked) and all(has_role(policy, requester) for policy in asked)


def _names_anybody(people: People) -> bool:
    return people.everyone or bool(people.users) or bool(people.groups)


def _verdict(
    requester: Requester, what: str, helpers: tuple[People, ...], *, held: bool
) -> Verdict:
    if requester.outsider:
        return Denied((outside(),))
    if held:
        return Allowed()
    said = f"{plain(requester.person.name, 80)} may not {what}."
    return Denied((Reason(ReasonCode.NOT_ALLOWED, said, ask(*helpers)),))
