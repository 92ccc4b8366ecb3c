from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.model.catalog import People, Policy
from bot.model.deployment import Ballot, Freeze, Kind, Lock, Pause, Person, Requester, Vote
from bot.policy.decide import Denied, NeedsApproval, decide
from bot.policy.facts import Facts
from bot.policy.reasons import ReasonCode
from bot.policy.votes import may_vote, tally
from tests.unit.policy.policy_cases import (
    DIGEST,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    TARGET,
    WINDOW,
    deployment,
)

USERS = ("U10", "U11", "U12", "U13")
GROUPS = ("S10", "S11", "S12")
TEXTS = st.sampled_from(["", "why", "<!channel> *x* `y` <https://e.io|z> & ~w~"])

people = st.builds(
    People,
    users=st.lists(st.sampled_from(USERS), unique=True, max_size=2).map(tuple),
    groups=st.lists(st.sampled_from(GROUPS), unique=True, max_size=2).map(tuple),
    everyone=st.booleans(),
)
policies = st.builds(
    Policy,
    deployers=people,
    approvers=people,
    approvals=st.integers(0, 3),
    required_group=st.none() | st.sampled_from(GROUPS),
    self_approval=st.booleans(),
    incident_responders=people,
    channels=st.sampled_from([(), ("C10",), ("C10", "C11")]),
    freezes=st.sampled_from([(), (WINDOW,)]),
    zero_downtime=st.sampled_from(["off", "warn", "require"]),
)
persons = st.builds(Person, st.sampled_from(USERS), TEXTS)
memberships = st.frozensets(st.sampled_from(GROUPS))
requesters = st.builds(
    Requester, persons, memberships, st.sampled_from(["", "C10"]), st.booleans(), st.booleans()
)
moments = st.integers(-3, 3).map(lambda hours: NOW + timedelta(hours=hours))
ends = st.none() | moments
locks = st.builds(
    Lock,
    st.sampled_from(["*", "backend", "other"]),
    st.sampled_from(["production", "staging"]),
    persons,
    TEXTS,
    moments,
    ends,
)
freezes = st.builds(
    Freeze, st.sampled_from(["production", "staging"]), persons, TEXTS, moments, ends
)
asked = st.builds(
    Facts,
    now=moments,
    kind=st.sampled_from(Kind),
    target=st.just(TARGET),
    policy=policies,
    requester=requesters,
    image=st.just(IMAGE),
    reason=TEXTS,
    override_freeze=st.booleans(),
    locks=st.lists(locks, max_size=2).map(tuple),
    freezes=st.lists(freezes, max_size=2).map(tuple),
    pause=st.none() | st.builds(Pause, persons, TEXTS, moments),
    at_start=st.booleans(),
    downtime=st.lists(TEXTS.filter(bool), max_size=2).map(tuple),
)
votes = st.lists(
    st.builds(
        Vote,
        st.sampled_from(["backend-production-7", "backend-production-8"]),
        persons,
        st.sampled_from([*Ballot, Ballot.APPROVE]),
        st.sampled_from([DIGEST, OTHER_DIGEST]),
        moments,
    ),
    max_size=8,
)


@given(asked)
def test_a_denial_always_says_why_and_what_to_do(facts: Facts) -> None:
    decision = decide(facts)
    if isinstance(decision, Denied):
        assert decision.reasons
        for reason in decision.reasons:
            assert reason.code in ReasonCode
            assert reason.text.strip()
            assert reason.what_to_do.strip()


@given(asked)
def test_what_people_typed_never_gets_a_meaning(facts: Facts) -> None:
    decision = decide(facts)
    said = (
        " ".join(reason.text + reason.what_to_do for reason in decision.reasons)
        if isinstance(decision, Denied)
        else " ".join(decision.notes)
    )
    for meaning in ("<!channel", "<!here", "*x*", "`", "<http", "~w~"):
        assert meaning not in said


@given(asked)
def test_an_outsider_is_never_allowed_anything(facts: Facts) -> None:
    if facts.requester.outsider:
        decision = decide(facts)
        assert isinstance(decision, Denied)
        assert [reason.code for reason in decision.reasons] == [ReasonCode.OUTSIDER]


@given(asked)
def test_a_bot_never_deploys_without_a_human(facts: Facts) -> None:
    if facts.requester.is_bot and facts.kind is Kind.DEPLOY:
        decision = decide(facts)
        assert isinstance(decision, Denied | NeedsApproval)
        if isinstance(decision, NeedsApproval):
            assert decision.approvals >= 1


@given(asked)
def test_a_rollback_is_only_ever_refused_for_who_asks(facts: Facts) -> None:
    decision = decide(facts)
    if facts.kind is Kind.ROLLBACK:
        assert not isinstance(decision, NeedsApproval)
        if isinstance(decision, Denied):
            assert {reason.code for reason in decision.reasons} <= {
                ReasonCode.OUTSIDER,
                ReasonCode.NOT_DEPLOYER,
            }


@given(asked)
def test_downtime_never_comes_unannounced(facts: Facts) -> None:
    """Off: never told. Warned: told, and in nobody's way. Required: no deployment gets by."""
    decision = decide(facts)
    if isinstance(decision, Denied):
        codes = [reason.code for reason in decision.reasons]
    else:
        codes = [note.code for note in decision.remarks]
    told = ReasonCode.DOWNTIME in codes
    wanted = facts.policy.zero_downtime
    if not facts.downtime or wanted == "off" or facts.kind is Kind.ROLLBACK:
        assert not told
    elif wanted == "warn":
        assert told is not isinstance(decision, Denied)
    else:
        assert isinstance(decision, Denied)
        assert told is not facts.requester.outsider


@given(asked)
def test_whoever_may_deploy_may_roll_back(facts: Facts) -> None:
    deploy = decide(_as(facts, Kind.DEPLOY))
    back = decide(_as(facts, Kind.ROLLBACK))
    if not isinstance(deploy, Denied):
        assert not isinstance(back, Denied)


def _as(facts: Facts, kind: Kind) -> Facts:
    return Facts(
        now=facts.now, kind=kind, target=facts.target, policy=facts.policy,
        requester=facts.requester, reason=facts.reason, override_freeze=facts.override_freeze,
        locks=facts.locks, freezes=facts.freezes, pause=facts.pause, downtime=facts.downtime,
    )  # fmt: skip


@given(votes, policies, st.integers(0, 3), st.dictionaries(st.sampled_from(USERS), memberships))
def test_fewer_than_n_eligible_people_never_approve(
    cast: list[Vote], policy: Policy, needed: int, groups: dict[str, frozenset[str]]
) -> None:
    pending = deployment(requester=Person("U10", "ana"), approvals_needed=needed)
    count = tally(cast, policy, pending, groups)
    eligible = {
        vote.person.id
        for vote in cast
        if vote.ballot is Ballot.APPROVE
        and vote.digest == DIGEST
        and vote.deployment_id == pending.id
        and vote.person.id in groups
        and (vote.person.id != "U10" or policy.self_approval)
        and (
            policy.approvers.everyone
            or vote.person.id in policy.approvers.users
            or groups[vote.person.id] & {*policy.approvers.groups, policy.required_group}
        )
    }
    assert {person.id for person in count.counted} == eligible
    assert len(count.counted) == len(eligible)
    if len(eligible) < needed:
        assert not count.approved
    if policy.required_group is not None and count.approved:
        assert any(policy.required_group in groups[user] for user in eligible)
    assert bool(count.missing) == (not count.approved)


@given(votes, policies, st.dictionaries(st.sampled_from(USERS), memberships))
def test_losing_a_member_never_turns_into_an_approval(
    cast: list[Vote], policy: Policy, groups: dict[str, frozenset[str]]
) -> None:
    pending = deployment(requester=Person("U10", "ana"), approvals_needed=2)
    before = tally(cast, policy, pending, groups)
    for gone in groups:
        left = {user: member for user, member in groups.items() if user != gone}
        after = tally(cast, policy, pending, left)
        assert before.approved or not after.approved


@given(requesters, policies, st.sampled_from([DIGEST, OTHER_DIGEST]))
def test_a_ballot_that_was_allowed_counts(voter: Requester, policy: Policy, digest: str) -> None:
    pending = deployment(requester=Person("U10", "ana"), approvals_needed=1)
    facts = Facts(NOW, Kind.DEPLOY, TARGET, policy, voter)
    verdict = may_vote(facts, pending, Ballot.APPROVE, digest)
    cast = [Vote(pending.id, voter.person, Ballot.APPROVE, digest, NOW)]
    count = tally(cast, policy, pending, {voter.person.id: voter.groups})
    if not isinstance(verdict, Denied):
        assert count.counted == (voter.person,)
    elif not voter.outsider and not voter.is_bot:
        assert count.counted == ()
