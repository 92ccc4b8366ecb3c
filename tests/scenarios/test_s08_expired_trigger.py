"""S8: a trigger expires after three seconds, so a modal is opened before anything is gathered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bot.commands.model import Deploy, OpenRollbackForm, Reject, Rollback
from bot.model.deployment import Release, Target
from bot.model.reply import Accepted, DeployForm, Refused, RollbackForm
from bot.slack.messenger import TriggerExpired
from bot.slack.views.ids import Action, Field, Form, Handle
from tests.unit.slack.drawn import NOON, image
from tests.unit.slack.signed import Slack, slack

TARGET = Target("backend", "production")
HANDLE = Handle("backend-production-7", "sha256:" + "a" * 64)


@pytest.fixture
def workspace() -> Iterator[Slack]:
    with slack() as one:
        yield one


def deploy_view(version: str = "") -> dict[str, Any]:
    return {
        "callback_id": Form.DEPLOY,
        "private_metadata": Handle(channel="C0DEPLOY").dump(),
        "state": {
            "values": {
                Field.SERVICES: {"input": {"selected_options": [{"value": "backend"}]}},
                Field.ENVIRONMENT: {"input": {"selected_option": {"value": "staging"}}},
                Field.VERSION: {"input": {"value": version or None}},
                Field.REASON: {"input": {"value": "a fix"}},
            }
        },
    }


def test_the_modal_is_open_while_its_facts_are_still_gathered(workspace: Slack) -> None:
    workspace.intake.reply = DeployForm(("backend", "frontend"), ("staging", "production"))
    workspace.intake.open.clear()
    answer = workspace.slash("/deploy")
    assert (answer.status, answer.body) == (200, b"")
    assert "Loading" in json.dumps(workspace.desk.modals["V1"][0].to_dict())
    workspace.intake.open.set()
    workspace.desk.seen("update_modal")
    form = workspace.desk.modals["V1"][-1].to_dict()
    assert form["callback_id"] == Form.DEPLOY
    assert "initial_option" not in json.dumps(form)


def test_an_expired_trigger_is_told_and_nothing_is_asked(workspace: Slack) -> None:
    workspace.desk.fault = TriggerExpired("This took too long to open in Slack.", hint="Try again.")
    answer = workspace.slash("/deploy")
    assert "took too long" in answer.text
    assert workspace.intake.submissions == []


def test_the_filled_form_is_the_command_that_could_have_been_typed(workspace: Slack) -> None:
    workspace.intake.reply = Accepted("backend-staging-1 waits for its turn.")
    answer = workspace.submit_view(deploy_view("v2"))
    assert answer.json["response_action"] == "update"
    assert "waits for its turn" in json.dumps(answer.json)
    (submission,) = workspace.intake.submissions
    assert submission.command == Deploy((Target("backend", "staging"),), "v2", "a fix")
    assert submission.requester.channel == "C0DEPLOY"


def test_a_resubmitted_form_has_the_same_request_id(workspace: Slack) -> None:
    workspace.submit_view(deploy_view())
    workspace.submit_view(deploy_view())
    first, again = workspace.intake.submissions
    assert first.request_id == again.request_id


def test_an_error_stands_under_the_input_that_is_to_blame(workspace: Slack) -> None:
    workspace.intake.reply = Refused("IMAGE_NOT_FOUND", "There is no image v9.", "Try v2.")
    answer = workspace.submit_view(deploy_view("v9"))
    assert answer.json == {
        "response_action": "errors",
        "errors": {"version": "There is no image v9. Try v2."},
    }
    answer = workspace.submit_view(deploy_view("--override-freeze x"))
    assert list(answer.json["errors"]) == ["version"]
    assert len(workspace.intake.submissions) == 1


def test_a_refusal_without_a_culprit_replaces_the_form(workspace: Slack) -> None:
    workspace.intake.reply = Refused("LOCKED", "backend/staging is locked by bob.")
    answer = workspace.submit_view(deploy_view())
    assert answer.json["response_action"] == "update"
    assert "locked by bob" in json.dumps(answer.json)


def test_a_slow_submission_keeps_the_modal_and_fills_it_later() -> None:
    with slack(patience=0.05) as workspace:
        workspace.intake.open.clear()
        answer = workspace.submit_view(deploy_view())
        assert "Still working" in json.dumps(answer.json)
        workspace.intake.open.set()
        workspace.desk.seen("update_modal")
        assert "Done." in json.dumps(workspace.desk.modals["V1"][-1].to_dict())


def test_a_rollback_without_a_target_asks_for_it_then_offers_the_last_known_good(
    workspace: Slack,
) -> None:
    workspace.intake.reply = RollbackForm((TARGET,))
    workspace.slash("/rollback")
    workspace.desk.seen("update_modal")
    first = workspace.desk.modals["V1"][-1].to_dict()
    assert "submit" not in first
    assert "backend/production" in json.dumps(first)

    releases = tuple(
        Release(
            TARGET, f"app:{number}", image("a", f"v{number}"), f"backend-production-{number}", NOON
        )
        for number in (5, 4)
    )
    workspace.intake.reply = RollbackForm(
        (TARGET,), TARGET, releases, unusable=("v3: expired",), warnings=("A migration.",)
    )
    workspace.interaction(
        {
            "type": "block_actions",
            "container": {"type": "view", "view_id": "V1"},
            "view": {"id": "V1", "private_metadata": first["private_metadata"]},
            "actions": [
                {
                    "type": "static_select",
                    "action_id": Action.PICK_ROLLBACK_TARGET,
                    "block_id": "b",
                    "selected_option": {"value": "backend/production"},
                }
            ],
        }
    )
    workspace.desk.seen("update_modal", 2)
    assert workspace.intake.submissions[-1].command == OpenRollbackForm(TARGET)
    form = workspace.desk.modals["V1"][-1].to_dict()
    chosen = form["blocks"][1]["element"]["initial_option"]["value"]
    assert chosen == "backend-production-5"
    assert "v3: expired" in json.dumps(form)
    assert "A migration." in json.dumps(form)

    state = {Field.RELEASE: {"input": {"selected_option": {"value": chosen}}}}
    workspace.submit_view(
        {
            "callback_id": Form.ROLLBACK,
            "private_metadata": form["private_metadata"],
            "state": {"values": state},
        }
    )
    submission = workspace.intake.submissions[-1]
    assert submission.command == Rollback(TARGET, "backend-production-5")
    assert submission.requester.channel == "C0DEPLOY"


def test_a_rejection_asks_why_and_keeps_the_digest(workspace: Slack) -> None:
    workspace.click(Action.REJECT, HANDLE.dump())
    workspace.desk.seen("open_modal")
    form = workspace.desk.modals["V1"][0].to_dict()
    assert workspace.intake.submissions == []
    values = {Field.REASON: {"input": {"value": "wrong branch"}}}
    workspace.submit_view(
        {
            "callback_id": Form.REJECT,
            "private_metadata": form["private_metadata"],
            "state": {"values": values},
        }
    )
    (submission,) = workspace.intake.submissions
    assert submission.command == Reject(HANDLE.id, "wrong branch", HANDLE.digest)
