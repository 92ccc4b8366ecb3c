from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.model.catalog import People, Policy
from bot.model.deployment import Ballot, Kind, Person, Requester, Status
from bot.policy.decision import Allowed, Denied, Verdict
from bot.policy.votes import may_cancel, may_vote, tally
from tests.unit.policy.policy_cases import (
    APPROVER,
    APPROVERS,
    BOT,
    DEPLOYER,
    DEPLOYERS,
    DIGEST,
    NOBODY,
    NOW,
    OTHER_DIGEST,
    OUTSIDER,
    POLICY,
    RESPONDER,
    SECURITY,
    deployment,
    facts,
    somebody,
    vote,
    with_policy,
)

BOTH_ROLES = somebody("U01", DEPLOYERS, APPROVERS)  # the requester of deployment()


def code(verdict: Verdict) -> str:
    if isinstance(verdict, Allowed):
        return "allowed"
    (reason,) = verdict.reasons
    assert reason.text
    assert reason.what_to_do
    return str(reason.code)


@pytest.mark.parametrize(
    ("voter", "policy", "approve", "reject"),
    [
        (APPROVER, POLICY, "allowed", "allowed"),
        (somebody("UAPP"), POLICY, "allowed", "allowed"),
        (RESPONDER, POLICY, "NOT_APPROVER", "NOT_APPROVER"),
        (NOBODY, POLICY, "NOT_APPROVER", "NOT_APPROVER"),
        (NOBODY, with_policy(approvers=People(everyone=True)), "allowed", "allowed"),
        (somebody("U06", SECURITY), POLICY, "NOT_APPROVER", "NOT_APPROVER"),
        (somebody("U06", SECURITY), with_policy(required_group=SECURITY), "allowed", "allowed"),
        (DEPLOYER, POLICY, "SELF_APPROVAL", "allowed"),
        (BOTH_ROLES, POLICY, "SELF_APPROVAL", "allowed"),
        (BOTH_ROLES, with_policy(self_approval=True), "allowed", "allowed"),
        (DEPLOYER, with_policy(self_approval=True), "NOT_APPROVER", "allowed"),
        (OUTSIDER, POLICY, "OUTSIDER", "OUTSIDER"),
        (BOT, POLICY, "BOT_MAY_NOT_VOTE", "BOT_MAY_NOT_VOTE"),
        (
            BOT,
            with_policy(approvers=People(users=("U07",))),
            "BOT_MAY_NOT_VOTE",
            "BOT_MAY_NOT_VOTE",
        ),
    ],
)
def test_who_may_vote(voter: Requester, policy: Policy, approve: str, reject: str) -> None:
    asked = facts(voter, policy)
    assert code(may_vote(asked, deployment(), Ballot.APPROVE, DIGEST)) == approve
    assert code(may_vote(asked, deployment(), Ballot.REJECT, DIGEST)) == reject


@pytest.mark.parametrize("ballot", Ballot)
@pytest.mark.parametrize("status", [s for s in Status if s is not Status.AWAITING_APPROVAL])
def test_only_what_awaits_approval_is_voted_on(status: Status, ballot: Ballot) -> None:
    ended = deployment(status=status, ended_by=Person("U05", "eve"), finished_at=NOW)
    verdict = may_vote(facts(APPROVER), ended, ballot, DIGEST)
    assert code(verdict) == ("EXPIRED" if status is Status.EXPIRED else "ALREADY_DECIDED")
    assert isinstance(verdict, Denied)
    if status is not Status.EXPIRED:
        assert "eve" in verdict.reasons[0].text
        assert "2026-03-04 15:30 UTC" in verdict.reasons[0].text


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (NOW + timedelta(seconds=1), "allowed"),
        (NOW, "EXPIRED"),
        (NOW - timedelta(seconds=1), "EXPIRED"),
        (None, "allowed"),
    ],
)
def test_expiry_is_by_the_clock_even_before_it_was_recorded(ends: object, expected: str) -> None:
    pending = deployment(expires_at=ends)
    assert code(may_vote(facts(APPROVER), pending, Ballot.APPROVE, DIGEST)) == expected


@pytest.mark.parametrize("digest", [OTHER_DIGEST, "", DIGEST[:-1]])
def test_a_vote_is_for_the_image_that_the_card_showed(digest: str) -> None:
    for ballot in Ballot:
        assert code(may_vote(facts(APPROVER), deployment(), ballot, digest)) == "DIGEST_CHANGED"


@pytest.mark.parametrize(
    ("person", "status", "expected"),
    [
        (DEPLOYER, Status.AWAITING_APPROVAL, "allowed"),
        (somebody("U01"), Status.QUEUED, "allowed"),  # who asked may take it back, role or not
        (somebody("U01"), Status.RUNNING, "NOT_ALLOWED"),
        (DEPLOYER, Status.RUNNING, "allowed"),
        (APPROVER, Status.RUNNING, "allowed"),
        (RESPONDER, Status.QUEUED, "allowed"),
        (NOBODY, Status.AWAITING_APPROVAL, "NOT_ALLOWED"),
        (OUTSIDER, Status.AWAITING_APPROVAL, "OUTSIDER"),
        (DEPLOYER, Status.SUCCEEDED, "NOT_RUNNING"),
        (DEPLOYER, Status.EXPIRED, "NOT_RUNNING"),
    ],
)
def test_who_may_cancel(person: Requester, status: Status, expected: str) -> None:
    assert code(may_cancel(facts(person), deployment(status=status))) == expected


IN_APPROVERS = frozenset({APPROVERS})


def test_enough_votes_approve() -> None:
    count = tally([vote("U02")], POLICY, deployment(), {"U02": IN_APPROVERS})
    assert count.approved
    assert [person.id for person in count.counted] == ["U02"]
    assert (count.missing_count, count.missing_group, count.missing) == (0, None, "")


def test_two_of_two_are_two_people() -> None:
    pending = deployment(approvals_needed=2)
    groups = {"U02": IN_APPROVERS, "U03": IN_APPROVERS}
    once = tally([vote("U02"), vote("U02")], POLICY, pending, groups)
    assert not once.approved
    assert once.missing_count == 1
    assert once.missing == "1 more approval is needed."
    twice = tally([vote("U02"), vote("U03")], POLICY, pending, groups)
    assert twice.approved
    assert [person.id for person in twice.counted] == ["U02", "U03"]


@pytest.mark.parametrize(
    ("cast", "groups"),
    [
        ([vote("U02")], {}),  # could not be asked about
        ([vote("U02")], {"U02": frozenset[str]()}),  # left the group since
        ([vote("UAPP")], {}),
        ([vote("U02", digest=OTHER_DIGEST)], {"U02": IN_APPROVERS}),
        ([replace(vote("U02"), deployment_id="backend-production-8")], {"U02": IN_APPROVERS}),
        ([vote("U01")], {"U01": IN_APPROVERS}),  # asked for it
        ([], {"U02": IN_APPROVERS}),
    ],
)
def test_votes_that_do_not_count_now(cast: list[object], groups: dict[str, frozenset[str]]) -> None:
    count = tally(cast, POLICY, deployment(), groups)  # type: ignore[arg-type]
    assert not count.approved
    assert count.counted == ()
    assert count.missing == "1 more approval is needed."


def test_an_approver_named_by_id_counts_without_groups() -> None:
    assert tally([vote("UAPP")], POLICY, deployment(), {"UAPP": frozenset()}).approved


def test_self_approval_where_the_policy_allows_it() -> None:
    policy = with_policy(self_approval=True)
    assert tally([vote("U01")], policy, deployment(), {"U01": IN_APPROVERS}).approved
    assert not tally([vote("U01")], policy, deployment(), {"U01": frozenset()}).approved


def test_one_of_the_required_group_must_be_among_them() -> None:
    policy = with_policy(required_group=SECURITY)
    pending = deployment(approvals_needed=2)
    groups = {"U02": IN_APPROVERS, "U03": IN_APPROVERS, "U06": frozenset({SECURITY})}
    without = tally([vote("U02"), vote("U03")], policy, pending, groups)
    assert not without.approved
    assert (without.missing_count, without.missing_group) == (0, SECURITY)
    assert without.missing == "1 more approval is needed, from the required group."
    none = tally([], policy, pending, groups)
    assert none.missing == (
        "2 more approvals are needed. One of them must come from the required group."
    )
    assert tally([vote("U02"), vote("U06")], policy, pending, groups).approved


def test_a_rejection_outweighs_any_number_of_approvals() -> None:
    cast = [vote("U02"), vote("U03", Ballot.REJECT)]
    groups = {"U02": IN_APPROVERS, "U03": IN_APPROVERS}
    count = tally(cast, POLICY, deployment(), groups)
    assert not count.approved
    assert count.rejected_by == Person("U03", "u03")
    assert count.missing == "It was rejected by u03."


def test_nothing_needed_is_approved() -> None:
    assert tally([], POLICY, deployment(approvals_needed=0), {}).approved
    assert deployment().kind is Kind.DEPLOY
