from __future__ import annotations

import pytest

from bot.commands.model import (
    Approve,
    Cancel,
    Command,
    ExplainDeployment,
    Reject,
    Retry,
    ShowDeployment,
)
from bot.model.reply import Refused
from tests.fakes.inner_rooms import PRODUCTION, STAGING, Rooms, person, without

#: What would change something, with what it is called in the trail.
ATTEMPTS = {
    Approve: "vote.approve",
    Reject: "vote.reject",
    Cancel: "deploy.cancel",
    Retry: "deploy.retry",
}
QUESTIONS = {ShowDeployment: "show", ExplainDeployment: "why"}


def refused(rooms: Rooms, command: Command, request_id: str = "") -> Refused:
    reply = rooms.says("bob", command, request_id)
    assert isinstance(reply, Refused)
    assert reply.reason_code == "UNKNOWN_DEPLOYMENT"
    return reply


@pytest.mark.parametrize("kind", ATTEMPTS, ids=lambda kind: kind.__name__)
def test_an_attempt_on_an_id_that_names_nothing_is_recorded_once(
    rooms: Rooms, kind: type[Approve | Reject | Cancel | Retry]
) -> None:
    made = rooms.deploy(target=PRODUCTION)
    before = len(rooms.rows())
    reply = refused(rooms, kind("backend-prodution-1"), "request-x")
    assert reply.text == "There is no deployment backend-prodution-1."
    assert f"Did you mean {made.id}?" in reply.hint
    assert reply.suggestion == f"/deploy show {made.id}"  # to look first: nobody votes unseen
    (row,) = rooms.rows()[before:]
    entry = row.entry
    assert (entry.action, entry.decision) == (ATTEMPTS[kind], "denied")
    assert (entry.reason_code, entry.actor) == ("UNKNOWN_DEPLOYMENT", person("bob"))
    assert (entry.deployment_id, entry.request_id) == ("backend-prodution-1", "request-x")
    assert refused(rooms, kind("backend-prodution-1"), "request-x") == reply
    assert len(rooms.rows()) == before + 1
    assert rooms.get(made.id) == made


@pytest.mark.parametrize("kind", QUESTIONS, ids=lambda kind: kind.__name__)
def test_a_question_about_an_id_that_names_nothing_offers_itself_again(
    rooms: Rooms, kind: type[ShowDeployment | ExplainDeployment]
) -> None:
    made = rooms.deploy(target=PRODUCTION)
    before = rooms.everything()
    reply = refused(rooms, kind("backend-production-2"))
    assert reply.suggestion == f"/deploy {QUESTIONS[kind]} {made.id}"
    assert rooms.everything() == before


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("backend-staging-33", "backend-staging-3"),  # waits
        ("backend-staging-22", "backend-staging-2"),  # ended
        ("bakend-stagin-2", "backend-staging-2"),
        ("backend-staging-9", "backend-staging-3"),  # alike: what has not ended
        ("backend-production-3", "backend-production-1"),  # the target's own, though less alike
    ],
)
def test_the_nearest_is_of_the_nearest_target(rooms: Rooms, typed: str, meant: str) -> None:
    for version in ("v2", "v3"):
        rooms.finished(version)
    rooms.deploy("v2", STAGING)
    rooms.deploy("v2", PRODUCTION)
    assert f"Did you mean {meant}?" in refused(rooms, ShowDeployment(typed)).hint


@pytest.mark.parametrize("typed", ["warehouse-qa-1", "analytics-staging-1"])
def test_where_nothing_comes_near_nothing_is_offered(rooms: Rooms, typed: str) -> None:
    rooms.deploy()
    reply = refused(rooms, ShowDeployment(typed))
    assert reply.suggestion == ""
    assert reply.hint == "Ids look like backend-staging-142; /deploy history lists them."


def test_what_waits_for_a_target_that_left_the_catalog_is_found(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION)
    rooms.catalog = without(rooms.catalog, PRODUCTION)
    assert f"Did you mean {made.id}?" in refused(rooms, Cancel("backend-production-7")).hint
