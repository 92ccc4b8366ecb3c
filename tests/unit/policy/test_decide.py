from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from bot.model.catalog import People, Policy
from bot.model.deployment import Freeze, Kind, Lock, Pause, Person, Requester
from bot.policy.decide import Allowed, Decision, Denied, NeedsApproval, approvals_needed, decide
from bot.policy.facts import Facts
from bot.policy.reasons import ReasonCode
from tests.unit.policy.policy_cases import (
    APPROVER,
    BOT,
    DEPLOYER,
    DEPLOYING_RESPONDER,
    FREEZE,
    HOLD,
    LOCK,
    NOBODY,
    NOW,
    OUTSIDER,
    PAUSE,
    RESPONDER,
    STAR,
    WINDOW,
    facts,
    somebody,
    with_policy,
)


def codes(decision: Decision) -> list[str]:
    assert isinstance(decision, Denied), decision
    return [str(reason.code) for reason in decision.reasons]


def only_text(decision: Decision) -> str:
    assert isinstance(decision, Denied), decision
    (reason,) = decision.reasons
    return f"{reason.text} | {reason.what_to_do}"


def test_a_deployer_may_deploy_where_nothing_is_in_the_way() -> None:
    assert decide(facts()) == Allowed()
    assert decide(facts(somebody("UDEP"))) == Allowed()


@pytest.mark.parametrize("person", [APPROVER, RESPONDER, NOBODY])
def test_whom_the_policy_does_not_name_is_told_who_can(person: Requester) -> None:
    decision = decide(facts(person))
    assert codes(decision) == ["NOT_DEPLOYER"]
    assert "<!subteam^SDEP>, <@UDEP>" in only_text(decision)


def test_a_policy_that_names_nobody_allows_nobody_and_says_so() -> None:
    decision = decide(facts(DEPLOYER, Policy()))
    assert codes(decision) == ["NOT_DEPLOYER"]
    assert "names nobody" in only_text(decision)


def test_everyone_is_every_full_member_but_no_bot_and_no_guest() -> None:
    policy = with_policy(deployers=People(everyone=True))
    assert decide(facts(NOBODY, policy)) == Allowed()
    assert codes(decide(facts(replace(NOBODY, is_bot=True), policy))) == ["NOT_DEPLOYER"]
    assert codes(decide(facts(replace(NOBODY, outsider=True), policy))) == ["OUTSIDER"]


@pytest.mark.parametrize("kind", Kind)
def test_an_outsider_learns_only_that(kind: Kind) -> None:
    asked = replace(facts(OUTSIDER, kind=kind), locks=(LOCK,), pause=PAUSE, freezes=(FREEZE,))
    assert codes(decide(asked)) == ["OUTSIDER"]
    assert "eve" not in only_text(decide(asked))


def test_approvals_are_asked_for_as_the_policy_says() -> None:
    policy = with_policy(approvals=2, required_group="SSEC")
    wanted = NeedsApproval(2, "SSEC", timedelta(hours=4))
    assert decide(facts(DEPLOYER, policy)) == wanted


def test_a_required_group_alone_asks_for_one() -> None:
    decision = decide(facts(DEPLOYER, with_policy(required_group="SSEC")))
    assert decision == NeedsApproval(1, "SSEC", timedelta(hours=4))


@pytest.mark.parametrize(("approvals", "needed"), [(0, 1), (1, 1), (3, 3)])
def test_a_bot_needs_humans(approvals: int, needed: int) -> None:
    policy = with_policy(approvals=approvals)
    decision = decide(facts(BOT, policy))
    assert isinstance(decision, NeedsApproval)
    assert decision.approvals == needed == approvals_needed(policy, BOT)
    assert [note.code for note in decision.remarks] == [ReasonCode.BOT_NEEDS_HUMANS]


def test_the_channel() -> None:
    policy = with_policy(channels=("CDEPLOY", "COTHER"))
    assert decide(facts(DEPLOYER, policy)) == Allowed()
    elsewhere = decide(facts(replace(DEPLOYER, channel="CRANDOM"), policy))
    assert codes(elsewhere) == ["WRONG_CHANNEL"]
    assert "<#CDEPLOY>, <#COTHER>" in only_text(elsewhere)
    assert codes(decide(facts(replace(DEPLOYER, channel=""), policy))) == ["WRONG_CHANNEL"]


@pytest.mark.parametrize("lock", [LOCK, STAR, HOLD])
def test_a_lock_stops_everybody_else(lock: Lock) -> None:
    decision = decide(replace(facts(), locks=(lock,)))
    assert codes(decision) == ["LOCKED"]


def test_a_lock_is_explained_without_meaning_for_slack() -> None:
    said = only_text(decide(replace(facts(), locks=(LOCK,))))
    assert "eve" in said
    assert "test" in said
    assert "until it is released" in said
    assert "<!channel>" not in said
    assert "*" not in said
    assert "<@U05>" in said
    assert "2026-03-04 16:30 UTC" in only_text(decide(replace(facts(), locks=(STAR,))))


def test_a_lock_of_the_system_names_no_false_user() -> None:
    said = only_text(decide(replace(facts(), locks=(HOLD,))))
    assert "<@system>" not in said
    assert "<!subteam^SAPP>" in said


@pytest.mark.parametrize(
    "lock",
    [
        replace(LOCK, environment="staging"),
        replace(LOCK, service="frontend"),
        replace(LOCK, until=NOW),
        replace(LOCK, until=NOW - timedelta(seconds=1)),
    ],
)
def test_a_lock_elsewhere_or_over_stops_nobody(lock: Lock) -> None:
    assert decide(replace(facts(), locks=(lock,))) == Allowed()


def test_the_owner_passes_their_own_lock_and_it_is_noted() -> None:
    own = replace(LOCK, owner=DEPLOYER.person)
    decision = decide(replace(facts(), locks=(own,)))
    assert isinstance(decision, Allowed)
    assert [note.code for note in decision.remarks] == [ReasonCode.OWN_LOCK]
    assert codes(decide(replace(facts(), locks=(own, STAR)))) == ["LOCKED"]


def test_the_pause() -> None:
    decision = decide(replace(facts(), pause=PAUSE))
    assert codes(decision) == ["PAUSED"]
    assert "eve" in only_text(decision)
    assert "incident" in only_text(decision)


FROZEN_BY_WINDOW = facts(policy=with_policy(freezes=(WINDOW,)))
FROZEN_BY_PERSON = replace(facts(), freezes=(FREEZE,))


@pytest.mark.parametrize("frozen", [FROZEN_BY_WINDOW, FROZEN_BY_PERSON])
def test_a_freeze(frozen: Facts) -> None:
    decision = decide(frozen)
    assert codes(decision) == ["FROZEN"]
    assert "<!subteam^SINC>" in only_text(decision)
    assert "UTC" in only_text(decision)
    assert "*" not in only_text(decision)


@pytest.mark.parametrize(
    "freeze",
    [
        replace(FREEZE, environment="staging"),
        replace(FREEZE, since=NOW + timedelta(seconds=1)),
        replace(FREEZE, until=NOW),
    ],
)
def test_a_freeze_elsewhere_or_not_now_stops_nobody(freeze: Freeze) -> None:
    assert decide(replace(facts(), freezes=(freeze,))) == Allowed()


def test_a_window_of_the_catalog_ends() -> None:
    assert decide(replace(FROZEN_BY_WINDOW, now=NOW + timedelta(hours=5))) == Allowed()


@pytest.mark.parametrize("frozen", [FROZEN_BY_WINDOW, FROZEN_BY_PERSON])
@pytest.mark.parametrize(
    ("person", "reason", "code"),
    [
        (DEPLOYER, "outage", "OVERRIDE_NOT_ALLOWED"),
        (BOT, "outage", "OVERRIDE_NOT_ALLOWED"),
        (DEPLOYING_RESPONDER, "", "OVERRIDE_NEEDS_REASON"),
        (DEPLOYING_RESPONDER, "  ", "OVERRIDE_NEEDS_REASON"),
    ],
)
def test_an_override_that_is_refused(
    frozen: Facts, person: Requester, reason: str, code: str
) -> None:
    asked = replace(frozen, requester=person, reason=reason, override_freeze=True)
    assert codes(decide(asked)) == [code]


@pytest.mark.parametrize("frozen", [FROZEN_BY_WINDOW, FROZEN_BY_PERSON])
def test_an_incident_responder_overrides_with_a_reason(frozen: Facts) -> None:
    asked = replace(frozen, requester=DEPLOYING_RESPONDER, reason="outage", override_freeze=True)
    decision = decide(asked)
    assert isinstance(decision, Allowed)
    assert [note.code for note in decision.remarks] == [ReasonCode.FREEZE_OVERRIDDEN]
    assert decision.overridden_freeze == " ".join(decision.notes) != ""
    strict = decide(replace(asked, policy=asked.policy.model_copy(update={"approvals": 1})))
    assert isinstance(strict, NeedsApproval)
    assert strict.overridden_freeze == decision.overridden_freeze
    assert strict.notes == decision.notes


def test_an_override_without_a_freeze_overrides_nothing() -> None:
    decision = decide(replace(facts(), override_freeze=True))
    assert decision == Allowed()
    assert decision.overridden_freeze == ""


def test_an_incident_responder_who_is_no_deployer_overrides_no_rule_but_the_freeze() -> None:
    asked = replace(FROZEN_BY_PERSON, requester=RESPONDER, reason="outage", override_freeze=True)
    assert codes(decide(asked)) == ["NOT_DEPLOYER"]


def test_every_reason_is_told_at_once_in_the_tables_order() -> None:
    asked = replace(
        facts(NOBODY, with_policy(channels=("COTHER",), freezes=(WINDOW,))),
        locks=(LOCK, STAR),
        freezes=(FREEZE,),
        pause=PAUSE,
    )
    told = ["NOT_DEPLOYER", "WRONG_CHANNEL", "PAUSED", "LOCKED", "LOCKED", "FROZEN", "FROZEN"]
    assert codes(decide(asked)) == told


def test_at_the_start_the_way_on_is_a_retry() -> None:
    asked = replace(FROZEN_BY_PERSON, at_start=True)
    assert "/deploy retry" in only_text(decide(asked))
    assert "/deploy retry" not in only_text(decide(FROZEN_BY_PERSON))


# Downtime.

DOWN = ("its only pod is replaced", "it has no readiness probe *at all*.")


def test_downtime_is_told_by_default_and_stands_in_nobodys_way() -> None:
    decision = decide(replace(facts(), downtime=DOWN))
    assert isinstance(decision, Allowed)
    assert [note.code for note in decision.remarks] == [ReasonCode.DOWNTIME]
    (said,) = decision.notes
    assert said == (
        "backend/production cannot be rolled without downtime: its only pod is replaced; it has "
        "no readiness probe \u2217at all\u2217."
    )


def test_downtime_is_refused_where_the_policy_says_so() -> None:
    asked = replace(facts(DEPLOYER, with_policy(zero_downtime="require")), downtime=DOWN)
    assert codes(decide(asked)) == ["DOWNTIME"]
    said = only_text(decide(asked))
    assert "its only pod is replaced" in said
    assert "downtime_accepted" in said
    assert "/deploy retry" not in said
    assert "/deploy retry" in only_text(decide(replace(asked, at_start=True)))
    assert decide(replace(asked, downtime=())) == Allowed()


def test_downtime_that_nobody_minds_is_not_told() -> None:
    asked = replace(facts(DEPLOYER, with_policy(zero_downtime="off")), downtime=DOWN)
    assert decide(asked) == Allowed()


def test_a_rollback_passes_downtime_and_says_so() -> None:
    policy = with_policy(zero_downtime="require")
    decision = decide(replace(facts(DEPLOYER, policy, Kind.ROLLBACK), downtime=DOWN))
    assert isinstance(decision, Allowed)
    assert [note.code for note in decision.remarks] == [ReasonCode.ROLLBACK_EXEMPT]
    assert "its only pod is replaced" in decision.notes[0]


# Rollbacks.

BLOCKED = replace(
    facts(
        policy=with_policy(approvals=2, channels=("COTHER",), freezes=(WINDOW,)),
        kind=Kind.ROLLBACK,
    ),
    locks=(LOCK,),
    freezes=(FREEZE,),
    pause=PAUSE,
)  # fmt: skip


@pytest.mark.parametrize("person", [DEPLOYER, APPROVER, RESPONDER, DEPLOYING_RESPONDER])
def test_a_rollback_passes_every_gate_and_says_which(person: Requester) -> None:
    decision = decide(replace(BLOCKED, requester=person))
    assert isinstance(decision, Allowed)
    assert {note.code for note in decision.remarks} == {ReasonCode.ROLLBACK_EXEMPT}
    assert len(decision.remarks) == 5


def test_a_rollback_where_nothing_is_in_the_way_has_nothing_to_say() -> None:
    assert decide(facts(kind=Kind.ROLLBACK)) == Allowed()


def test_a_rollback_still_asks_who() -> None:
    decision = decide(replace(BLOCKED, requester=NOBODY))
    assert codes(decision) == ["NOT_DEPLOYER"]
    for helper in ("<!subteam^SDEP>", "<!subteam^SAPP>", "<!subteam^SINC>"):
        assert helper in only_text(decision)


# Every combination.

PEOPLE = {
    "deployer": DEPLOYER,
    "approver": APPROVER,
    "responder": DEPLOYING_RESPONDER,
    "nobody": NOBODY,
    "outsider": OUTSIDER,
    "bot": BOT,
}
LOCKS: dict[str, tuple[Lock, ...]] = {"free": (), "locked": (LOCK,)}
PAUSES: dict[str, Pause | None] = {"running": None, "paused": PAUSE}
FREEZES: dict[str, tuple[Freeze, ...]] = {"open": (), "frozen": (FREEZE,)}


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize(
    ("kind", "lock", "pause", "freeze", "override", "approvals"),
    list(product(Kind, LOCKS, PAUSES, FREEZES, [False, True], [0, 1])),
)
def test_every_combination(
    person: str,
    kind: Kind,
    lock: str,
    pause: str,
    freeze: str,
    override: bool,  # noqa: FBT001 - one column of the table
    approvals: int,
) -> None:
    asked = replace(
        facts(PEOPLE[person], with_policy(approvals=approvals), kind),
        locks=LOCKS[lock],
        pause=PAUSES[pause],
        freezes=FREEZES[freeze],
        override_freeze=override,
        reason="outage",
    )
    decision = decide(asked)
    if person == "outsider":
        assert codes(decision) == ["OUTSIDER"]
        return
    is_named = (
        person != "nobody" if kind is Kind.ROLLBACK else person in {"deployer", "responder", "bot"}
    )
    may_override = override and person == "responder"
    wanted = []
    if not is_named:
        wanted.append("NOT_DEPLOYER")
    if kind is Kind.DEPLOY:
        wanted += ["PAUSED"] if pause == "paused" else []
        wanted += ["LOCKED"] if lock == "locked" else []
        if freeze == "frozen" and not may_override:
            wanted.append("OVERRIDE_NOT_ALLOWED" if override else "FROZEN")
    if wanted:
        assert codes(decision) == wanted
    elif kind is Kind.DEPLOY and (approvals or person == "bot"):
        assert isinstance(decision, NeedsApproval)
        assert bool(decision.overridden_freeze) == (freeze == "frozen")
    else:
        assert isinstance(decision, Allowed)


def test_person_names_are_quoted_as_text() -> None:
    rude = replace(NOBODY, person=Person("U09", "<!here> *x*"))
    said = only_text(decide(facts(rude)))
    assert "<!here>" not in said
    assert "*" not in said
