from __future__ import annotations

from dataclasses import replace

import pytest

from bot.model.catalog import People, Policy
from bot.model.deployment import Lock, Requester
from bot.policy.decision import Allowed, Verdict
from bot.policy.holds import (
    may_freeze,
    may_lock,
    may_pause,
    may_resume,
    may_unfreeze,
    may_unlock,
)
from bot.policy.roles import abilities, may_promote
from tests.unit.policy.policy_cases import (
    APPROVER,
    BOT,
    DEPLOYER,
    HOLD,
    LOCK,
    NOBODY,
    OUTSIDER,
    POLICY,
    RESPONDER,
    somebody,
)

OWN = replace(LOCK, owner=DEPLOYER.person)
OTHER = Policy(deployers=People(users=("UXX",)), approvers=People(users=("UXX",)))
EMPTY = Policy()


def code(verdict: Verdict) -> str:
    if isinstance(verdict, Allowed):
        return "allowed"
    (reason,) = verdict.reasons
    assert reason.text
    assert reason.what_to_do
    return str(reason.code)


@pytest.mark.parametrize(
    ("person", "lock", "freeze", "pause"),
    [
        (DEPLOYER, "allowed", "NOT_ALLOWED", "NOT_ALLOWED"),
        (APPROVER, "allowed", "allowed", "allowed"),
        (RESPONDER, "allowed", "allowed", "allowed"),
        (NOBODY, "NOT_ALLOWED", "NOT_ALLOWED", "NOT_ALLOWED"),
        (OUTSIDER, "OUTSIDER", "OUTSIDER", "OUTSIDER"),
        (BOT, "allowed", "NOT_ALLOWED", "NOT_ALLOWED"),
    ],
)
def test_who_may_hold(person: Requester, lock: str, freeze: str, pause: str) -> None:
    assert code(may_lock([POLICY], person)) == lock
    assert code(may_freeze([POLICY], person)) == code(may_unfreeze([POLICY], person)) == freeze
    assert code(may_pause([POLICY], person)) == code(may_resume([POLICY], person)) == pause


@pytest.mark.parametrize(
    ("person", "lock", "expected"),
    [
        (DEPLOYER, OWN, "allowed"),
        (somebody("U01"), OWN, "allowed"),
        (replace(DEPLOYER, outsider=True), OWN, "OUTSIDER"),
        (DEPLOYER, LOCK, "NOT_ALLOWED"),
        (DEPLOYER, HOLD, "NOT_ALLOWED"),
        (APPROVER, LOCK, "allowed"),
        (RESPONDER, HOLD, "allowed"),
        (NOBODY, LOCK, "NOT_ALLOWED"),
        (BOT, LOCK, "NOT_ALLOWED"),
    ],
)
def test_who_may_unlock(person: Requester, lock: Lock, expected: str) -> None:
    assert code(may_unlock([POLICY], person, lock)) == expected


def test_where_nobody_oversees_a_deployer_releases_what_is_held() -> None:
    relaxed = Policy(deployers=People(everyone=True))
    assert code(may_unlock([relaxed], DEPLOYER, HOLD)) == "allowed"
    assert code(may_unlock([relaxed], replace(DEPLOYER, outsider=True), HOLD)) == "OUTSIDER"
    assert code(may_unlock([relaxed], BOT, HOLD)) == "NOT_ALLOWED"
    assert code(may_unlock([relaxed, POLICY], DEPLOYER, HOLD)) == "NOT_ALLOWED"
    assert code(may_unlock([EMPTY], DEPLOYER, HOLD)) == "NOT_ALLOWED"


def test_a_hold_over_several_targets_takes_a_role_in_each_that_names_anybody() -> None:
    assert code(may_lock([POLICY, EMPTY], DEPLOYER)) == "allowed"
    assert code(may_lock([POLICY, OTHER], DEPLOYER)) == "NOT_ALLOWED"
    assert code(may_freeze([POLICY, OTHER], APPROVER)) == "NOT_ALLOWED"
    assert code(may_freeze([EMPTY], APPROVER)) == "NOT_ALLOWED"
    assert code(may_lock([], DEPLOYER)) == "NOT_ALLOWED"


def test_the_brake_is_reached_by_the_overseers_of_anything() -> None:
    assert code(may_pause([OTHER, POLICY], APPROVER)) == "allowed"
    assert code(may_pause([OTHER], APPROVER)) == "NOT_ALLOWED"


def test_abilities_are_what_whoami_lists() -> None:
    assert abilities(POLICY, DEPLOYER) == ("deploy", "promote canaries", "roll back", "lock")
    assert abilities(POLICY, APPROVER)[1:3] == ("promote canaries", "roll back")
    assert abilities(POLICY, APPROVER)[3:] == ("lock", "freeze and pause")
    assert abilities(POLICY, RESPONDER)[-1] == "override freezes"
    assert abilities(POLICY, NOBODY) == abilities(POLICY, OUTSIDER) == ()
    assert abilities(POLICY, BOT) == ("deploy", "promote canaries", "roll back", "lock")


def test_promoters_are_whom_the_policy_names_else_deployers_and_approvers() -> None:
    assert may_promote(POLICY, DEPLOYER)
    assert may_promote(POLICY, APPROVER)
    assert not may_promote(POLICY, NOBODY)
    strict = POLICY.model_copy(update={"promoters": People(users=(RESPONDER.person.id,))})
    assert may_promote(strict, RESPONDER)
    assert not may_promote(strict, DEPLOYER)
