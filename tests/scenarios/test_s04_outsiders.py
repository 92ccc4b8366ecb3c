"""S4: a click by a person without rights, a guest, an outsider, another workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bot.commands.model import Approve
from bot.model.deployment import Person, Requester
from bot.model.reply import Refused
from bot.slack.views.ids import Action, Handle
from tests.unit.slack.signed import Slack, slack

HANDLE = Handle("backend-production-7", "sha256:" + "a" * 64)


@pytest.fixture
def workspace() -> Iterator[Slack]:
    with slack() as one:
        yield one


def test_another_workspace_is_refused_before_anything(workspace: Slack) -> None:
    answer = workspace.slash("/deploy backend staging", team_id="T0OTHER")
    assert "another workspace" in answer.text
    clicked = workspace.click(Action.APPROVE, HANDLE.dump(), team={"id": "T0OTHER"})
    assert clicked.status == 403
    said = {"type": "app_mention", "user": "U1", "text": "<@U0BOT> status", "channel": "C1"}
    assert workspace.event(said, team="T0OTHER").status == 403
    assert workspace.intake.submissions == []
    assert workspace.people.asked == []


def test_a_request_that_names_no_workspace_is_refused(workspace: Slack) -> None:
    answer = workspace.slash("/deploy backend staging", team_id="")
    assert "another workspace" in answer.text
    assert workspace.intake.submissions == []


def test_an_outsider_in_a_shared_channel_reaches_intake_as_one_and_is_refused_privately(
    workspace: Slack,
) -> None:
    workspace.people.known["U0STRANGER"] = Requester(Person("U0STRANGER", "eve"), outsider=True)
    workspace.intake.reply = Refused("OUTSIDER", "You are not a full member of this workspace.")
    stranger = {"id": "U0STRANGER", "team_id": "T0THEIRS"}
    assert workspace.click(Action.APPROVE, HANDLE.dump(), user=stranger).status == 200
    workspace.desk.seen("whisper")
    (submission,) = workspace.intake.submissions
    assert submission.command == Approve(HANDLE.id, HANDLE.digest)
    assert submission.requester.outsider
    assert workspace.people.asked == [("U0STRANGER", "C0DEPLOY", "T0THEIRS")]
    place, said = workspace.desk.whispers[0]
    assert place.user == "U0STRANGER"
    assert "OUTSIDER" in json.dumps([block.to_dict() for block in said.blocks])


def test_in_a_shared_channel_it_counts_where_the_app_is_installed(workspace: Slack) -> None:
    event = {
        "type": "app_mention",
        "user": "U0STRANGER",
        "user_team": "T0THEIRS",
        "text": "<@U0BOT> queue",
        "channel": "C1",
    }
    body = {
        "type": "event_callback",
        "team_id": "T0THEIRS",
        "authorizations": [{"team_id": "T0HOME", "enterprise_id": None}],
        "event_id": "Ev1",
        "event": event,
    }
    assert workspace.signed(json.dumps(body), "application/json").status == 200
    assert workspace.people.asked == [("U0STRANGER", "C1", "T0THEIRS")]


def test_rights_are_looked_up_on_every_click(workspace: Slack) -> None:
    workspace.click(Action.APPROVE, HANDLE.dump(), trigger_id="1")
    workspace.click(Action.APPROVE, HANDLE.dump(), trigger_id="2")
    assert len(workspace.people.asked) == 2
