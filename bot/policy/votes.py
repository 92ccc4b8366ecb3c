"""Ballots: who may cast one, who may cancel, and whether those cast suffice now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.model.catalog import Policy
from bot.model.deployment import Ballot, Deployment, Person, Status, Vote
from bot.model.wording import plain
from bot.policy.decision import Allowed, Denied, Reason, Verdict
from bot.policy.facts import Facts
from bot.policy.reasons import ReasonCode, explain
from bot.policy.roles import approvers_of, approves, ask, is_approver, is_responder, may_take_back
from bot.policy.rules import outside


@dataclass(frozen=True, slots=True)
class Tally:
    """The count. ``counted`` are the people whose approvals count now, in the order of voting.

    ``missing_group`` is the required group that nobody of them is in, or ``None``.
    """

    approved: bool
    counted: tuple[Person, ...]
    missing_count: int
    missing_group: str | None
    rejected_by: Person | None = None

    @property
    def missing(self) -> str:
        """What is still missing, as a sentence; empty when nothing is."""
        if self.approved:
            return ""
        if self.rejected_by is not None:
            return f"It was rejected by {plain(self.rejected_by.name, 80)}."
        count = max(self.missing_count, 1)
        more = "1 more approval is" if count == 1 else f"{count} more approvals are"
        of_group = " One of them must come from the required group." if self.missing_group else ""
        if count == 1 and of_group:
            return f"{more} needed, from the required group."
        return f"{more} needed.{of_group}"


def may_vote(facts: Facts, deployment: Deployment, ballot: Ballot, digest: str) -> Verdict:
    """Whether ``facts.requester`` may cast this ballot now.

    ``digest`` is the one that the card showed. Whether they voted before is for the store to say:
    it decides between two clicks in the same instant.
    """
    if facts.requester.outsider:
        return Denied((outside(),))
    if facts.requester.is_bot:
        return _denied(ReasonCode.BOT_MAY_NOT_VOTE)
    over = _over(facts, deployment)
    if over is not None:
        return Denied((over,))
    if digest != deployment.image.digest:
        return _denied(ReasonCode.DIGEST_CHANGED)
    return _by_role(facts, deployment, ballot)


def _by_role(facts: Facts, deployment: Deployment, ballot: Ballot) -> Verdict:
    policy, is_own = facts.policy, facts.requester.person.id == deployment.requester.id
    if is_own and ballot is Ballot.REJECT:
        return Allowed()
    if facts.orphaned and ballot is Ballot.REJECT and is_responder(policy, facts.requester):
        return Allowed()  # it can only be cleared away, and its approvers may have gone with it
    if is_own and not policy.self_approval:
        said = f"{deployment.id} is your own request, and nobody approves their own."
        return Denied((Reason(ReasonCode.SELF_APPROVAL, said, ask(approvers_of(policy))),))
    if is_approver(policy, facts.requester):
        return Allowed()
    name = plain(facts.requester.person.name, 80)
    said = f"{name} is not an approver of {deployment.target}."
    return Denied((Reason(ReasonCode.NOT_APPROVER, said, ask(approvers_of(policy))),))


def _over(facts: Facts, deployment: Deployment) -> Reason | None:
    """Why there is nothing left to vote on."""
    ends = deployment.expires_at
    late = ends is not None and ends <= facts.now
    awaiting = deployment.status is Status.AWAITING_APPROVAL
    if deployment.status is Status.EXPIRED or (awaiting and late):
        when = f" at {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
        advice = f"/deploy retry {deployment.id} asks again for the same image."
        return Reason(ReasonCode.EXPIRED, f"{deployment.id} expired{when}.", advice)
    if awaiting:
        return None
    state = deployment.status.value.replace("_", " ")
    who = f", by {plain(deployment.ended_by.name, 80)}" if deployment.ended_by else ""
    when = f" at {deployment.finished_at:%Y-%m-%d %H:%M} UTC" if deployment.finished_at else ""
    said = f"{deployment.id} was decided already: {state}{who}{when}."
    return Reason(ReasonCode.ALREADY_DECIDED, said, f"/deploy show {deployment.id} tells more.")


def may_cancel(facts: Facts, deployment: Deployment) -> Verdict:
    """Whether ``facts.requester`` may end it: their own until it starts, else as a rollback."""
    if facts.requester.outsider:
        return Denied((outside(),))
    if deployment.settled:
        state = deployment.status.value.replace("_", " ")
        said = f"{deployment.id} has ended already: {state}."
        advice = f"/deploy show {deployment.id} tells more."
        return Denied((Reason(ReasonCode.NOT_RUNNING, said, advice),))
    is_own = facts.requester.person.id == deployment.requester.id
    if is_own and deployment.status is not Status.RUNNING:
        return Allowed()
    policy = facts.policy
    if may_take_back(policy, facts.requester):
        return Allowed()
    name = plain(facts.requester.person.name, 80)
    said = f"{name} may not cancel {deployment.id}."
    help_by = ask(policy.deployers, approvers_of(policy), policy.incident_responders)
    return Denied((Reason(ReasonCode.NOT_ALLOWED, said, help_by),))


def tally(
    votes: Sequence[Vote],
    policy: Policy,
    deployment: Deployment,
    groups_of: Mapping[str, frozenset[str]],
) -> Tally:
    """Whether the votes suffice now, for ``deployment.approvals_needed`` approvals of its image.

    ``groups_of`` holds the groups that each voter is in at this moment; whoever is not in it
    could not be asked about, and does not count. One person counts once.
    """
    ours = [vote for vote in votes if vote.deployment_id == deployment.id]
    rejected_by = next((vote.person for vote in ours if vote.ballot is Ballot.REJECT), None)
    counted = {
        vote.person.id: vote.person
        for vote in reversed(ours)
        if _counts(vote, policy, deployment, groups_of)
    }
    group = policy.required_group
    has_group = group is None or any(group in groups_of[person] for person in counted)
    missing = max(0, deployment.approvals_needed - len(counted))
    approved = rejected_by is None and missing == 0 and has_group
    people = tuple(reversed(counted.values()))
    return Tally(approved, people, missing, None if has_group else group, rejected_by)


def _counts(
    vote: Vote, policy: Policy, deployment: Deployment, groups_of: Mapping[str, frozenset[str]]
) -> bool:
    """An approval of this very image, by an approver of this moment who did not ask for it."""
    person = vote.person.id
    return (
        vote.ballot is Ballot.APPROVE
        and vote.digest == deployment.image.digest
        and (person != deployment.requester.id or policy.self_approval)
        and person in groups_of
        and approves(policy, person, groups_of[person])
    )


def _denied(code: ReasonCode) -> Denied:
    return Denied((Reason(code, *explain(code)),))
