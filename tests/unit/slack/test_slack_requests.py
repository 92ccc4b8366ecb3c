from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bot.commands.model import Approve, Cancel, Deploy, OpenRollbackForm, ShowDeployment, ShowStatus
from bot.model.deployment import Target
from bot.model.errors import AccessDenied, Unreachable
from bot.model.reply import Accepted, DeployForm, DeploymentList, Refused
from bot.slack.requests import by_view
from bot.slack.views.ids import Action, Handle
from tests.unit.slack.signed import Slack, slack

HANDLE = Handle("backend-production-7", "sha256:" + "a" * 64, "backend", "production")


@pytest.fixture
def workspace() -> Iterator[Slack]:
    with slack() as one:
        yield one


def test_a_slash_command_is_answered_by_its_acknowledgement(workspace: Slack) -> None:
    workspace.intake.reply = Accepted("backend-staging-1 waits for its turn.")
    answer = workspace.slash("/deploy backend staging v1.2.3")
    assert answer.status == 200
    assert answer.json["response_type"] == "ephemeral"
    assert "backend-staging-1 waits for its turn." in answer.text
    (submission,) = workspace.intake.submissions
    assert submission.command == Deploy((Target("backend", "staging"),), "v1.2.3")
    assert submission.requester.person.id == "U0ALICE"
    assert submission.requester.channel == "C0DEPLOY"


def test_what_was_asked_is_recorded_before_slack_is_acknowledged(workspace: Slack) -> None:
    workspace.slash("/deploy backend staging")
    assert workspace.intake.submissions[0].request_id in workspace.intake.recorded


def test_a_repeated_delivery_has_the_same_request_id_and_a_second_click_another(
    workspace: Slack,
) -> None:
    workspace.slash("/deploy backend staging")
    workspace.slash("/deploy backend staging")
    workspace.slash("/deploy backend staging", trigger_id="another")
    first, again, other = (one.request_id for one in workspace.intake.submissions)
    assert first == again != other
    assert len(first) < 64


def test_a_mended_form_is_another_request_than_the_one_that_was_turned_away() -> None:
    def sent(version: str) -> str:
        values = {"version": {"version": {"type": "plain_text_input", "value": version}}}
        view = {"id": "V1", "hash": "1.a", "state": {"values": values}}
        return by_view({"user": {"id": "U0ALICE"}, "view": view}, "C1").id

    assert sent("v2") == sent("v2")
    assert sent("v2") != sent("v3")


def test_a_mistake_is_refused_privately_and_changes_nothing(workspace: Slack) -> None:
    answer = workspace.slash("/deploy backnd staging")
    assert answer.json["response_type"] == "ephemeral"
    shown = json.dumps(answer.json)
    assert "backnd" in shown
    assert "UNKNOWN_SERVICE" in shown
    assert Action.SUGGESTION in shown
    assert workspace.intake.submissions == []


def test_the_suggestion_button_runs_the_command_that_was_meant(workspace: Slack) -> None:
    workspace.click(Action.SUGGESTION, "/deploy backend staging v2")
    (submission,) = workspace.intake.submissions
    assert submission.command == Deploy((Target("backend", "staging"),), "v2")


@pytest.mark.parametrize(
    ("action", "command"),
    [
        (Action.APPROVE, Approve(HANDLE.id, HANDLE.digest)),
        (Action.CANCEL, Cancel(HANDLE.id)),
        (Action.CANCEL_AND_ROLL_BACK, Cancel(HANDLE.id, roll_back=True)),
        (Action.DETAILS, ShowDeployment(HANDLE.id)),
    ],
)
def test_a_button_is_a_command(workspace: Slack, action: Action, command: object) -> None:
    answer = workspace.click(action, HANDLE.dump())
    assert answer.status == 200
    assert answer.body == b""
    (submission,) = workspace.intake.submissions
    assert submission.command == command
    workspace.desk.seen("whisper")
    place, _ = workspace.desk.whispers[0]
    assert place.response_url == "https://hooks.slack.test/actions/1"


@pytest.mark.parametrize("value", ["{", "[]", '{"id": 1}', '{"other": "x"}', '"' + "x" * 3000])
def test_a_button_that_is_not_ours_is_refused(workspace: Slack, value: str) -> None:
    workspace.click(Action.APPROVE, value)
    workspace.desk.seen("whisper")
    assert "cannot be read" in workspace.desk.whispers[0][1].text
    assert workspace.intake.submissions == []


def test_a_mention_in_a_thread_is_answered_there(workspace: Slack) -> None:
    event = {
        "type": "app_mention",
        "user": "U0ALICE",
        "text": "<@U0BOT> status backend",
        "channel": "C0DEPLOY",
        "ts": "2.0",
        "thread_ts": "1.0",
    }
    workspace.event(event, "Ev7")
    workspace.event(event, "Ev7")
    workspace.desk.seen("whisper", 2)
    first, again = workspace.intake.submissions
    assert first.command == ShowStatus("backend")
    assert first.request_id == again.request_id
    place, _ = workspace.desk.whispers[0]
    assert (place.channel, place.thread_ts, place.user) == ("C0DEPLOY", "1.0", "U0ALICE")


def test_a_direct_message_is_a_command_and_a_bots_is_not(workspace: Slack) -> None:
    said = {"type": "message", "channel_type": "im", "channel": "D1", "text": "status", "ts": "1"}
    workspace.event({**said, "user": "U0ALICE"}, "Ev1")
    workspace.event({**said, "user": "U0BOT", "bot_id": "B0BOT"}, "Ev2")
    workspace.event({**said, "user": "U0ALICE", "subtype": "message_changed"}, "Ev3")
    workspace.event({**said, "user": "U0ALICE", "channel_type": "channel"}, "Ev4")
    assert [one.command for one in workspace.intake.submissions] == [ShowStatus()]


def test_a_form_asked_for_by_mention_is_offered_by_a_button(workspace: Slack) -> None:
    workspace.intake.reply = DeployForm(("backend",), ("staging",))
    said = {"type": "app_mention", "user": "U0ALICE", "channel": "C1", "text": "<@U0BOT> deploy"}
    workspace.event(said)
    workspace.desk.seen("whisper")
    drawn = [block.to_dict() for block in workspace.desk.whispers[0][1].blocks]
    assert Action.OPEN_DEPLOY_FORM in json.dumps(drawn)
    assert workspace.desk.modals == {}


def test_the_roll_back_button_opens_the_form_of_its_target(workspace: Slack) -> None:
    workspace.click(Action.ROLL_BACK, HANDLE.dump())
    workspace.desk.seen("update_modal")
    (submission,) = workspace.intake.submissions
    assert submission.command == OpenRollbackForm(Target("backend", "production"))


def test_home_shows_what_waits_for_the_reader(workspace: Slack) -> None:
    workspace.intake.reply = DeploymentList("Queue", ())
    workspace.event({"type": "app_home_opened", "user": "U0ALICE", "tab": "home", "channel": "D1"})
    workspace.desk.seen("publish_home")
    user, view = workspace.desk.homes[0]
    assert user == "U0ALICE"
    assert "Waiting for me" in json.dumps(view.to_dict())


def test_directory_events_empty_the_caches(workspace: Slack) -> None:
    workspace.event({"type": "user_change", "user": {"id": "U0ALICE"}}, "Ev1")
    workspace.event({"type": "subteam_members_changed", "subteam_id": "S1"}, "Ev2")
    assert workspace.people.forgotten == ["U0ALICE", "groups"]


def test_without_a_database_it_says_that_it_will_not_act(workspace: Slack) -> None:
    workspace.intake.fault = Unreachable("The database does not answer.")
    answer = workspace.slash("/deploy backend staging")
    assert answer.status == 200
    assert "will not act" in answer.text
    assert "CANNOT_RECORD" in json.dumps(answer.json)


def test_a_missing_scope_is_named(workspace: Slack) -> None:
    workspace.people.fault = AccessDenied("Slack refused users.info: it needs users:read.")
    answer = workspace.slash("/deploy backend staging")
    assert "users:read" in answer.text
    assert workspace.intake.submissions == []


def test_a_fault_of_ours_is_told_without_details(workspace: Slack) -> None:
    workspace.intake.fault = RuntimeError("password=hunter2")
    answer = workspace.slash("/deploy backend staging")
    assert answer.status == 200
    assert workspace.intake.submissions[0].request_id in answer.text
    assert "hunter2" not in json.dumps(answer.json)


def test_a_slow_answer_is_announced_and_follows() -> None:
    with slack(patience=0.05) as workspace:
        workspace.intake.open.clear()
        workspace.intake.reply = Refused("LOCKED", "backend/staging is locked.")
        answer = workspace.slash("/deploy backend staging")
        assert "Still working" in answer.text
        assert workspace.desk.whispers == []
        workspace.intake.open.set()
        workspace.desk.seen("whisper")
        place, said = workspace.desk.whispers[0]
        assert place.response_url == "https://hooks.slack.test/commands/1"
        assert "is locked" in said.text


def test_forty_thousand_characters_are_refused_not_echoed(workspace: Slack) -> None:
    answer = workspace.slash("/deploy " + "x" * 40_000)
    assert answer.status == 200
    assert len(answer.body) < 20_000
    assert workspace.intake.submissions == []


def test_slack_can_check_the_address(workspace: Slack) -> None:
    challenge = json.dumps({"type": "url_verification", "challenge": "abc", "token": "t"})
    assert b"abc" in workspace.signed(challenge, "application/json").body
    assert workspace.request("GET", "/slack/events?ssl_check=1").status == 200
    ssl_check = workspace.request(
        "POST",
        "/slack/events",
        b"ssl_check=1&token=x",
        CONTENT_TYPE="application/x-www-form-urlencoded",
    )
    assert ssl_check.status == 200
