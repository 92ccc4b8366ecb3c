from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.commands.model import (
    Cancel,
    DeclareFreeze,
    Deploy,
    LockTarget,
    PauseAll,
    Reject,
    Retry,
    UnlockTarget,
)
from bot.model.catalog import TargetSpec
from bot.model.contract import EXPIRY, ROLLOUT
from bot.model.deployment import Kind, Status, Target
from bot.model.errors import AccessDenied, QuarterdeckError, Throttled, Unreachable
from bot.model.reply import Accepted, DryRun, Refused
from tests.fakes.inner_rooms import (
    ANALYTICS,
    CHANNEL,
    PRODUCTION,
    STAGING,
    Rooms,
    a_catalog,
    person,
    requester,
)


def test_a_deployment_is_recorded_and_enqueued_before_the_answer(rooms: Rooms) -> None:
    reply = rooms.says("alice", Deploy((STAGING,), "v2", reason="new login"), "request-a")
    assert isinstance(reply, Accepted)
    (made,) = reply.deployments
    assert made == rooms.get("backend-staging-1")
    assert (made.kind, made.status, made.target) == (Kind.DEPLOY, Status.QUEUED, STAGING)
    assert (made.requester, made.channel, made.reason) == (person("alice"), CHANNEL, "new login")
    assert made.image == rooms.image("backend", "v2")
    assert made.previous is not None
    assert made.previous.digest == rooms.digests["v1"]
    assert made.previous_revision == rooms.rollouts.live(spec(rooms)).revision
    assert (made.expires_at, made.approvals_needed) == (None, 0)
    assert rooms.workflows() == {made.id: ROLLOUT}
    (row,) = rooms.rows(deployment_id=made.id)
    assert (row.entry.action, row.entry.decision) == ("deploy.requested", "allowed")
    assert (row.entry.actor, row.entry.reason) == (person("alice"), "new login")
    assert (row.entry.from_digest, row.entry.to_digest) == (
        rooms.digests["v1"],
        rooms.digests["v2"],
    )
    assert (row.entry.target, row.entry.request_id) == ("backend/staging", "request-a")
    assert row.entry.detail == {"version": "v2"}
    assert "backend-staging-1" in reply.text
    assert rooms.rollouts.told == []


def spec(rooms: Rooms, target: Target = STAGING) -> TargetSpec:
    found = rooms.catalog.spec(target)
    assert found is not None
    return found


def test_what_needs_approval_waits_and_will_expire(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION)
    assert (made.status, made.approvals_needed) == (Status.AWAITING_APPROVAL, 1)
    assert made.expires_at == rooms.clock.now() + timedelta(hours=4)
    assert rooms.workflows() == {f"expiry-{made.id}": EXPIRY}


def test_a_request_delivered_again_changes_nothing_and_is_answered_alike(rooms: Rooms) -> None:
    command = Deploy((STAGING,), "v2")
    first = rooms.says("alice", command, "request-a")
    before = rooms.everything()
    assert rooms.says("alice", command, "request-a") == first
    assert rooms.everything() == before


def test_the_same_image_on_its_way_already_is_refused(rooms: Rooms) -> None:
    made = rooms.deploy()
    reply = rooms.says("bob", Deploy((STAGING,), "v2"))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "DUPLICATE"
    assert made.id in reply.text
    assert rooms.audit()[-1] == ("deploy.requested", "denied", "DUPLICATE")
    assert rooms.workflows() == {made.id: ROLLOUT}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (AccessDenied("No ecr:DescribeImages.", hint="Grant it."), "ACCESS_DENIED"),
        (Throttled("ECR is throttling."), "THROTTLED"),
        (Unreachable("ECR did not answer."), "UNREACHABLE"),
    ],
)
def test_a_registry_that_cannot_be_asked_is_a_refusal(
    rooms: Rooms, fault: QuarterdeckError, code: str
) -> None:
    rooms.registry.break_next(fault)
    reply = rooms.says("alice", Deploy((STAGING,), "v2"))
    assert isinstance(reply, Refused)
    assert (reply.reason_code, reply.text) == (code, str(fault))
    assert rooms.audit() == [("deploy.requested", "denied", code)]
    assert rooms.workflows() == {}


def test_an_image_that_does_not_exist_is_refused_with_near_ones(rooms: Rooms) -> None:
    reply = rooms.says("alice", Deploy((STAGING,), "v9"))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "IMAGE_NOT_FOUND"
    assert "v9" in reply.text
    assert "v1, v2, v3" in reply.hint


def test_a_provider_that_cannot_be_read_is_a_refusal(rooms: Rooms) -> None:
    rooms.rollouts.break_next("live", AccessDenied("No ecs:DescribeServices."))
    reply = rooms.says("alice", Deploy((STAGING,), "v2"))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "ACCESS_DENIED"


def test_a_target_that_left_the_catalog_is_refused(rooms: Rooms) -> None:
    reply = rooms.says("alice", Deploy((Target("backend", "moon"),), "v2"))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "UNKNOWN_TARGET"
    assert "backend does not run in moon" in reply.text
    assert rooms.audit() == [("deploy.requested", "denied", "UNKNOWN_TARGET")]


@pytest.mark.parametrize(
    ("hold", "code"),
    [
        (LockTarget("backend", "staging", reason="migration"), "LOCKED"),
        (LockTarget("*", "staging", reason="migration"), "LOCKED"),
        (PauseAll("outage"), "PAUSED"),
    ],
)
def test_what_is_in_the_way_refuses_with_who_put_it_there(
    rooms: Rooms, hold: LockTarget | PauseAll, code: str
) -> None:
    assert isinstance(rooms.says("iris", hold), Accepted)
    reply = rooms.says("alice", Deploy((STAGING,), "v2"))
    assert isinstance(reply, Refused)
    assert reply.reason_code == code
    assert "iris" in reply.text
    assert f"<@{person('iris').id}>" in reply.hint


def test_the_owner_of_a_lock_deploys_through_it(rooms: Rooms) -> None:
    rooms.says("alice", LockTarget("backend", "staging", reason="migration"))
    assert rooms.deploy(by="alice").status is Status.QUEUED
    assert "own lock" in rooms.rows()[-1].entry.reason


def test_a_freeze_is_overridden_by_a_responder_with_a_reason(rooms: Rooms) -> None:
    rooms.says("iris", DeclareFreeze("staging", reason="holidays"))
    command = Deploy((STAGING,), "v2", override_freeze=True)
    refusals = [
        rooms.says("alice", Deploy((STAGING,), "v2")),
        rooms.says("alice", replace(command, reason="hotfix")),
        rooms.says("iris", command),
    ]
    assert [reply.reason_code for reply in refusals if isinstance(reply, Refused)] == [
        "FROZEN",
        "OVERRIDE_NOT_ALLOWED",
        "OVERRIDE_NEEDS_REASON",
    ]
    made = rooms.asked("iris", replace(command, reason="hotfix"))
    assert "holidays" in made.overridden_freeze
    assert "Freeze overridden" in rooms.rows(deployment_id=made.id)[0].entry.reason


def test_what_a_bot_asks_for_waits_for_a_person(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(
        relaxed={
            "deployers": rooms.catalog.policies["relaxed"].deployers.model_copy(
                update={"users": (person("robo").id,)}
            )
        }
    )
    made = rooms.deploy(by="robo")
    assert (made.status, made.approvals_needed) == (Status.AWAITING_APPROVAL, 1)
    assert made.requester_is_bot


# --- several services at once (E13) ---


def test_each_service_of_several_has_a_result_of_its_own(rooms: Rooms) -> None:
    rooms.says("iris", LockTarget("analytics", "staging", reason="migration"))
    reply = rooms.says("alice", Deploy((STAGING, ANALYTICS), "v2"))
    assert isinstance(reply, Accepted)
    assert [made.id for made in reply.deployments] == ["backend-staging-1"]
    (refused,) = reply.refused
    assert refused.reason_code == "LOCKED"
    assert "analytics/staging" in refused.text
    assert "success" not in reply.text.lower()
    assert "analytics" not in reply.text


def test_several_of_which_one_rolls_and_one_fails_end_each_for_itself(rooms: Rooms) -> None:
    reply = rooms.says("alice", Deploy((STAGING, ANALYTICS), "v2"))
    assert isinstance(reply, Accepted)
    for made in reply.deployments:
        rooms.start(made)
    rooms.rollouts.finish(STAGING)
    rooms.rollouts.take_back(ANALYTICS)
    rooms.observer.look()
    states = {made.id: rooms.get(made.id).status for made in reply.deployments}
    assert states == {
        "backend-staging-1": Status.SUCCEEDED,
        "analytics-staging-1": Status.ROLLED_BACK,
    }


def test_several_that_are_all_refused_are_one_refusal_that_names_each(rooms: Rooms) -> None:
    rooms.says("iris", LockTarget("*", "staging", reason="migration"))
    reply = rooms.says("alice", Deploy((STAGING, ANALYTICS), "v2"))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "LOCKED"
    assert reply.text.count("is locked by iris") == 2
    assert rooms.workflows() == {}


def test_several_delivered_again_ask_only_for_what_was_not_made(rooms: Rooms) -> None:
    rooms.registry.remove("analytics", rooms.digests["v2"])
    command = Deploy((STAGING, ANALYTICS), "v2")
    rooms.says("alice", command, "request-a")
    again = rooms.says("alice", command, "request-a")
    assert isinstance(again, Accepted)
    assert [made.id for made in again.deployments] == ["backend-staging-1"]
    assert [refused.reason_code for refused in again.refused] == ["IMAGE_NOT_FOUND"]
    assert list(rooms.workflows()) == ["backend-staging-1"]


# --- dry run ---


def test_a_dry_run_shows_what_would_change_and_changes_nothing(rooms: Rooms) -> None:
    before = rooms.everything()
    reply = rooms.says("alice", Deploy((STAGING,), "v2", dry_run=True))
    assert isinstance(reply, DryRun)
    assert reply.image == rooms.image("backend", "v2")
    assert reply.previous is not None
    assert reply.previous.digest == rooms.digests["v1"]
    assert reply.decision == "It would start at once."
    assert rooms.digests["v1"] in reply.diff
    assert rooms.digests["v2"] in reply.diff
    assert rooms.everything() == before
    assert {verb for verb, _ in rooms.rollouts.calls} == {"live", "plan"}


def test_a_dry_run_says_what_the_policy_would(rooms: Rooms) -> None:
    waits = rooms.says("alice", Deploy((PRODUCTION,), "v2", dry_run=True))
    assert isinstance(waits, DryRun)
    assert waits.decision == "It would wait for 1 approval(s)."
    rooms.says("iris", PauseAll("outage"))
    refused = rooms.says("alice", Deploy((STAGING,), "v2", dry_run=True))
    assert isinstance(refused, DryRun)
    assert refused.decision.startswith("It would be refused (PAUSED): ")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (Deploy((STAGING, ANALYTICS), "v2", dry_run=True), "USAGE"),
        (Deploy((STAGING,), "v9", dry_run=True), "IMAGE_NOT_FOUND"),
        (Deploy((Target("backend", "moon"),), "v2", dry_run=True), "UNKNOWN_TARGET"),
    ],
)
def test_a_dry_run_that_cannot_be_made_says_why(rooms: Rooms, command: Deploy, code: str) -> None:
    before = rooms.everything()
    reply = rooms.says("alice", command)
    assert isinstance(reply, Refused)
    assert reply.reason_code == code
    assert rooms.everything() == before


# --- retry ---


def test_a_retry_asks_for_the_same_image_though_its_tag_has_moved(rooms: Rooms) -> None:
    earlier = rooms.deploy(target=PRODUCTION)
    rooms.says("bob", Reject(earlier.id, "not today"))
    rooms.registry.push("backend", "v2", digest="sha256:" + "f" * 64)
    made = rooms.asked("alice", Retry(earlier.id))
    assert made.image == earlier.image
    assert made.status is Status.AWAITING_APPROVAL
    assert made.id != earlier.id


def test_a_retry_delivered_again_is_the_same_retry(rooms: Rooms) -> None:
    earlier = rooms.deploy()
    rooms.says("alice", Cancel(earlier.id))
    first = rooms.asked("alice", Retry(earlier.id), "request-r")
    assert rooms.asked("alice", Retry(earlier.id), "request-r") == first


def test_what_has_not_ended_is_not_retried(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION)
    reply = rooms.says("alice", Retry(made.id), "request-r")
    assert isinstance(reply, Refused)
    assert reply.reason_code == "DUPLICATE"
    assert "awaiting approval" in reply.text
    tried = [("deploy.retry", "denied", "DUPLICATE")]
    assert rooms.audit(deployment_id=made.id, actor=person("alice").id)[-1:] == tried
    rooms.says("alice", Cancel(made.id))
    before = rooms.everything()
    assert rooms.says("alice", Retry(made.id), "request-r") == reply  # Slack delivers it again
    assert rooms.everything() == before


def test_a_retry_meets_the_gates_again(rooms: Rooms) -> None:
    earlier = rooms.deploy()
    rooms.says("alice", Cancel(earlier.id))
    rooms.says("iris", LockTarget("backend", "staging", reason="migration"))
    reply = rooms.says("alice", Retry(earlier.id))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "LOCKED"
    rooms.says("iris", UnlockTarget("backend", "staging"))
    assert rooms.asked("alice", Retry(earlier.id)).status is Status.QUEUED


def test_a_retry_keeps_the_reason_or_takes_a_new_one(rooms: Rooms) -> None:
    earlier = rooms.asked("alice", Deploy((STAGING,), "v2", reason="new login"))
    rooms.says("alice", Cancel(earlier.id))
    kept = rooms.asked("alice", Retry(earlier.id))
    assert kept.reason == "new login"
    rooms.says("alice", Cancel(kept.id))
    assert rooms.asked("alice", Retry(kept.id, "third try")).reason == "third try"


def test_a_card_asked_for_in_a_direct_message_goes_where_approvers_see_it(rooms: Rooms) -> None:
    direct = requester("alice", "D0ALICE01")
    hidden = rooms.intake.submit(Deploy((STAGING,), "v2"), direct, "first")
    rooms.catalog = rooms.catalog.model_copy(update={"announce_in": "C0GENERAL"})
    seen = rooms.intake.submit(Deploy((PRODUCTION,), "v2"), direct, "second")
    assert isinstance(hidden, Accepted)
    assert isinstance(seen, Accepted)
    assert hidden.deployments[0].channel == "D0ALICE01"
    assert seen.deployments[0].channel == "C0GENERAL"
