"""What people do in the stand-in reaches the app as Slack would send it, and back.

Sources: https://docs.slack.dev/interactivity (slash commands, interaction payloads, response
URLs), https://docs.slack.dev/authentication/verifying-requests-from-slack,
https://docs.slack.dev/apis/events-api and https://docs.slack.dev/surfaces/modals.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from bot.playground.slack.crew import ALICE, DEPLOYMENTS
from bot.playground.slack.delivery import Posting
from bot.playground.slack.records import BOT_USER, OTHER_TEAM, TEAM, View
from bot.playground.slack.refusal import CannotDo
from tests.fakes.slack_world import BareApp, SlackWorld, fetch, slack_world

Json = dict[str, Any]


@pytest.fixture
def world() -> Iterator[SlackWorld]:
    with slack_world() as made:
        yield made


@pytest.fixture
def app(world: SlackWorld) -> Iterator[BareApp]:
    with BareApp() as made:
        world.workspace.connect(made.url)
        yield made


def form_of(app: BareApp, index: int = -1) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(app.requests[index][1].decode()).items()}


def payload_of(app: BareApp, index: int = -1) -> Json:
    parsed: Json = json.loads(form_of(app, index)["payload"])
    return parsed


def header_of(app: BareApp, name: str, index: int = -1) -> str | None:
    return app.requests[index][0].get(name)


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


BUTTON = {
    "type": "button",
    "text": plain("Approve"),
    "action_id": "approve",
    "value": "7",
    "confirm": {"title": plain("Sure?"), "text": plain("It starts."), "confirm": plain("Yes")},
}
CARD = [{"type": "actions", "block_id": "row", "elements": [BUTTON]}]
MODAL: Json = {
    "type": "modal",
    "title": plain("Reject"),
    "submit": plain("Send"),
    "callback_id": "reject_form",
    "private_metadata": "abc",
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": plain("Why?"),
            "element": {"type": "plain_text_input", "action_id": "input", "max_length": 10},
        },
        {
            "type": "input",
            "block_id": "how",
            "label": plain("How?"),
            "optional": True,
            "element": {
                "type": "static_select",
                "action_id": "input",
                "options": [
                    {"text": plain("Fast"), "value": "f"},
                    {"text": plain("Slow"), "value": "s"},
                ],
            },
        },
    ],
}


def post_card(world: SlackWorld, blocks: list[Json] | None = None) -> Any:
    world.client.chat_postMessage(channel=DEPLOYMENTS, text="card", blocks=blocks or CARD)
    return world.workspace.messages(DEPLOYMENTS)[-1]


def use(url: str, body: Json) -> int:
    return fetch(url, body)[0]


def open_modal(world: SlackWorld, app: BareApp, view: Json | None = None) -> View:
    world.person("alice").command("/deploy")
    world.client.views_open(trigger_id=form_of(app)["trigger_id"], view=view or MODAL)
    return world.person("alice").views()[-1]


class TestCommands:
    def test_what_the_app_gets(self, world: SlackWorld, app: BareApp) -> None:
        did = world.person("alice").command("/deploy", "backend staging", channel="#deploys")

        form = form_of(app)
        assert did.error == ""
        assert (form["command"], form["text"]) == ("/deploy", "backend staging")
        assert (form["user_id"], form["user_name"]) == (ALICE, "alice")
        assert (form["team_id"], form["channel_id"]) == (TEAM, DEPLOYMENTS)

    def test_it_is_signed(self, world: SlackWorld, app: BareApp) -> None:
        world.person("alice").command("/deploy", "backend staging")

        headers, body = app.requests[-1]
        signed = {name.lower(): value for name, value in headers.items()}
        assert SignatureVerifier(world.workspace.secrets.signing).is_valid_request(body, signed)
        assert not SignatureVerifier("another").is_valid_request(body, signed)

    def test_a_text_in_the_acknowledgement_is_private(
        self, world: SlackWorld, app: BareApp
    ) -> None:
        app.answers.append((200, "Working on it."))

        did = world.person("alice").command("/deploy", "x")

        assert [each.text for each in did.said] == ["Working on it."]
        assert world.person("alice").told() == list(did.said)
        assert world.workspace.messages(DEPLOYMENTS) == []

    def test_a_public_acknowledgement(self, world: SlackWorld, app: BareApp) -> None:
        app.answer({"response_type": "in_channel", "text": "Hello, all."})

        world.person("alice").command("/deploy", "x")

        assert [each.text for each in world.workspace.messages(DEPLOYMENTS)] == ["Hello, all."]

    def test_bad_blocks_in_the_acknowledgement(self, world: SlackWorld, app: BareApp) -> None:
        app.answer({"text": "x", "blocks": [{"type": "section"}]})

        assert world.person("alice").command("/deploy", "x").error == "invalid_blocks"

    @pytest.mark.parametrize(
        ("status", "error"), [(500, "http_service_error"), (404, "http_client_error")]
    )
    def test_an_app_that_fails(
        self, world: SlackWorld, app: BareApp, status: int, error: str
    ) -> None:
        app.answers.append((status, "oops"))

        assert world.person("alice").command("/deploy").error == error

    def test_an_app_that_is_not_there(self, world: SlackWorld) -> None:
        world.workspace.connect("http://127.0.0.1:9/slack/events")

        assert world.person("alice").command("/deploy").error == "dispatch_failed"

    def test_an_app_that_is_late(self, world: SlackWorld, app: BareApp) -> None:
        app.hold = threading.Event()

        did = world.person("alice").command("/deploy", posting=Posting(patience=0.2))

        assert did.error == "operation_timeout"

    def test_slack_waits_three_seconds(self) -> None:
        assert Posting().patience == 3.0

    def test_only_where_the_person_is_and_can_write(self, world: SlackWorld, app: BareApp) -> None:
        with pytest.raises(CannotDo, match="sven is not in #general"):
            world.person("sven").command("/deploy", channel="general")
        world.workspace.channel("deploys").archived = True
        with pytest.raises(CannotDo, match="archived"):
            world.person("alice").command("/deploy", channel="deploys")
        assert app.requests == []

    def test_the_same_request_again(self, world: SlackWorld, app: BareApp) -> None:
        person = world.person("alice")
        person.again(person.command("/deploy", "backend staging"))

        assert form_of(app, 0) == form_of(app, 1)
        assert header_of(app, "X-Slack-Retry-Num") == "1"
        assert header_of(app, "X-Slack-Retry-Reason") == "http_timeout"

    def test_an_old_or_forged_signature_on_demand(self, world: SlackWorld, app: BareApp) -> None:
        posting = Posting(secret="forged", signed_at=1_000_000_000.0)
        world.person("alice").command("/deploy", posting=posting)

        assert header_of(app, "X-Slack-Request-Timestamp") == "1000000000"


class TestClicks:
    def test_what_the_app_gets(self, world: SlackWorld, app: BareApp) -> None:
        card = post_card(world)
        did = world.person("bob").click(card, "Approve")

        payload = payload_of(app)
        assert did.confirm == "Sure?: It starts."
        assert payload["type"] == "block_actions"
        assert payload["user"]["name"] == "bob"
        assert payload["container"]["message_ts"] == card.ts
        assert payload["message"]["text"] == "card"
        action = payload["actions"][0]
        assert (action["action_id"], action["block_id"], action["value"]) == ("approve", "row", "7")

    def test_only_what_is_there_can_be_pressed(self, world: SlackWorld, app: BareApp) -> None:
        card = post_card(world)
        with pytest.raises(CannotDo, match="one can press 'Approve'"):
            world.person("bob").click(card, "Reject")
        world.client.chat_update(channel=DEPLOYMENTS, ts=card.ts, text="done", blocks=[])
        with pytest.raises(CannotDo, match="one can press nothing"):
            world.person("bob").click(card, "Approve")
        world.client.chat_delete(channel=DEPLOYMENTS, ts=card.ts)
        with pytest.raises(CannotDo, match="gone"):
            world.person("bob").click(card, "Approve")
        assert app.requests == []

    def test_a_stale_screen_can_still_be_pressed(self, world: SlackWorld, app: BareApp) -> None:
        card = post_card(world)
        world.client.chat_update(channel=DEPLOYMENTS, ts=card.ts, text="done", blocks=[])

        world.person("bob").click(card, "approve", as_seen=True)

        assert payload_of(app)["actions"][0]["value"] == "7"

    def test_a_message_one_does_not_see(self, world: SlackWorld, app: BareApp) -> None:
        world.client.chat_postEphemeral(channel=DEPLOYMENTS, user=ALICE, text="x", blocks=CARD)
        private = world.person("alice").told()[-1]

        world.person("alice").click(private, "Approve")
        with pytest.raises(CannotDo, match="does not see"):
            world.person("bob").click(private, "Approve")

        payload = payload_of(app)
        assert payload["container"]["is_ephemeral"]
        assert "message" not in payload

    def test_a_stranger_is_of_another_team(self, world: SlackWorld, app: BareApp) -> None:
        world.person("sven").click(post_card(world), "Approve")

        assert payload_of(app)["user"]["team_id"] == OTHER_TEAM

    def test_choosing_from_a_menu(self, world: SlackWorld, app: BareApp) -> None:
        menu = MODAL["blocks"][1]["element"] | {"placeholder": plain("How")}
        card = post_card(world, [{"type": "actions", "elements": [menu]}])
        world.person("bob").click(card, "How", option="Slow")
        assert payload_of(app)["actions"][0]["selected_option"]["value"] == "s"
        with pytest.raises(CannotDo, match="one can choose Fast, Slow"):
            world.person("bob").click(card, "How", option="Later")


class TestResponseUrls:
    def test_replaces_the_message_that_was_clicked(self, world: SlackWorld, app: BareApp) -> None:
        card = post_card(world)
        world.person("bob").click(card, "Approve")
        url = payload_of(app)["response_url"]

        assert use(url, {"replace_original": True, "text": "approved"}) == 200

        assert [each.text for each in world.workspace.messages(DEPLOYMENTS)] == ["approved"]

    def test_is_private_by_default(self, world: SlackWorld, app: BareApp) -> None:
        world.person("bob").command("/deploy")

        assert use(form_of(app)["response_url"], {"text": "psst"}) == 200

        assert [each.text for each in world.person("bob").told()] == ["psst"]

    def test_deletes_what_only_one_person_saw(self, world: SlackWorld, app: BareApp) -> None:
        world.client.chat_postEphemeral(channel=DEPLOYMENTS, user=ALICE, text="x", blocks=CARD)
        world.person("alice").click(world.person("alice").told()[-1], "Approve")
        use(payload_of(app)["response_url"], {"delete_original": True})
        assert world.person("alice").told() == []

    def test_five_times(self, world: SlackWorld, app: BareApp) -> None:
        world.person("bob").command("/deploy")
        url = form_of(app)["response_url"]
        assert [use(url, {"text": "x"}) for _ in range(6)] == [200] * 5 + [404]

    def test_for_thirty_minutes(self, world: SlackWorld, app: BareApp) -> None:
        world.person("bob").command("/deploy")
        url = form_of(app)["response_url"]
        world.clock.advance(1800)
        assert use(url, {"text": "x"}) == 200
        world.clock.advance(1)
        assert use(url, {"text": "x"}) == 404

    def test_is_as_strict_as_posting(self, world: SlackWorld, app: BareApp) -> None:
        world.person("bob").command("/deploy")
        url = form_of(app)["response_url"]
        assert use(url, {"text": ""}) == 400
        assert use(url, {"text": "x", "blocks": [{"type": "section"}]}) == 400


class TestTriggers:
    def opening(self, world: SlackWorld, trigger: str) -> str:
        with pytest.raises(SlackApiError) as raised:
            world.client.views_open(trigger_id=trigger, view=MODAL)
        return str(raised.value.response["error"])

    def test_once(self, world: SlackWorld, app: BareApp) -> None:
        open_modal(world, app)
        assert self.opening(world, form_of(app)["trigger_id"]) == "exchanged_trigger_id"

    def test_for_three_seconds(self, world: SlackWorld, app: BareApp) -> None:
        world.person("alice").command("/deploy")
        world.clock.advance(3.1)
        assert self.opening(world, form_of(app)["trigger_id"]) == "expired_trigger_id"

    def test_not_made_up(self, world: SlackWorld) -> None:
        assert self.opening(world, "1.2.3") == "invalid_trigger_id"

    def test_a_bad_view_does_not_use_it_up(self, world: SlackWorld, app: BareApp) -> None:
        world.person("alice").command("/deploy")
        trigger = form_of(app)["trigger_id"]
        with pytest.raises(SlackApiError) as raised:
            world.client.views_open(trigger_id=trigger, view=MODAL | {"title": plain("x" * 25)})
        assert raised.value.response["error"] == "invalid_arguments"
        assert "less than 25" in raised.value.response["response_metadata"]["messages"][0]
        world.client.views_open(trigger_id=trigger, view=MODAL)


class TestModals:
    def test_what_the_app_gets(self, world: SlackWorld, app: BareApp) -> None:
        view = open_modal(world, app)
        did = world.person("alice").submit(view, {"Why?": "no", "how": "Slow"})

        payload = payload_of(app)
        assert did.errors == {}
        assert payload["type"] == "view_submission"
        assert payload["view"]["callback_id"] == "reject_form"
        assert payload["view"]["private_metadata"] == "abc"
        values = payload["view"]["state"]["values"]
        assert values["reason"]["input"]["value"] == "no"
        assert values["how"]["input"]["selected_option"]["value"] == "s"
        assert world.person("alice").views() == []

    def test_what_slacks_client_does_not_send(self, world: SlackWorld, app: BareApp) -> None:
        alice, view = world.person("alice"), open_modal(world, app)
        sent = len(app.requests)
        for filled, why in (
            ({}, "must be filled in"),
            ({"reason": "x" * 11}, "characters fit"),
            ({"reason": "x", "colour": "red"}, "no field colour"),
            ({"reason": "x", "how": "Later"}, "not offered"),
        ):
            with pytest.raises(CannotDo, match=why):
                alice.submit(view, filled)
        with pytest.raises(CannotDo, match="no such modal"):
            world.person("bob").submit(view, {"reason": "x"})
        assert len(app.requests) == sent

    def test_errors_keep_it_open(self, world: SlackWorld, app: BareApp) -> None:
        view = open_modal(world, app)
        app.answer({"response_action": "errors", "errors": {"reason": "Say more."}})
        did = world.person("alice").submit(view, {"reason": "x"})
        assert did.errors == {"reason": "Say more."}
        assert world.person("alice").views() == [view]

    def test_errors_name_inputs(self, world: SlackWorld, app: BareApp) -> None:
        view = open_modal(world, app)
        app.answer({"response_action": "errors", "errors": {"nothing": "Say more."}})
        assert world.person("alice").submit(view, {"reason": "x"}).error == "invalid_errors"

    def test_update_push_and_clear(self, world: SlackWorld, app: BareApp) -> None:
        alice, view = world.person("alice"), open_modal(world, app)
        app.answer({"response_action": "update", "view": MODAL | {"title": plain("Second")}})
        alice.submit(view, {"reason": "x"})
        assert [each.title for each in alice.views()] == ["Second"]
        app.answer({"response_action": "push", "view": MODAL | {"title": plain("Third")}})
        alice.submit(view, {"reason": "x"})
        assert [each.title for each in alice.views()] == ["Second", "Third"]
        app.answer({"response_action": "clear"})
        alice.submit(alice.views()[-1], {"reason": "x"})
        assert alice.views() == []

    def test_a_bad_view_in_the_acknowledgement(self, world: SlackWorld, app: BareApp) -> None:
        view = open_modal(world, app)
        app.answer({"response_action": "update", "view": {"type": "modal"}})
        assert world.person("alice").submit(view, {"reason": "x"}).error == "invalid_arguments"

    def test_three_deep_at_most(self, world: SlackWorld, app: BareApp) -> None:
        alice, view = world.person("alice"), open_modal(world, app)
        for _ in range(2):
            app.answer({"response_action": "push", "view": MODAL})
            alice.submit(alice.views()[-1], {"reason": "x"})
        app.answer({"response_action": "push", "view": MODAL})
        assert alice.submit(view, {"reason": "x"}).error == "push_limit_reached"

    def test_an_outdated_hash_conflicts(self, world: SlackWorld, app: BareApp) -> None:
        view = open_modal(world, app)
        update = world.client.views_update
        update(view_id=view.id, hash=view.hash, view=MODAL)
        with pytest.raises(SlackApiError) as raised:
            update(view_id=view.id, hash=view.hash, view=MODAL)
        assert raised.value.response["error"] == "hash_conflict"
        update(view_id=view.id, view=MODAL)

    def test_a_closed_one_is_not_found(self, world: SlackWorld, app: BareApp) -> None:
        view = open_modal(world, app)
        sent = len(app.requests)
        assert world.person("alice").close(view) is None
        assert len(app.requests) == sent
        with pytest.raises(SlackApiError) as raised:
            world.client.views_update(view_id=view.id, view=MODAL)
        assert raised.value.response["error"] == "not_found"

    def test_the_app_hears_of_closing_where_it_asked(self, world: SlackWorld, app: BareApp) -> None:
        view = open_modal(world, app, MODAL | {"notify_on_close": True})
        world.person("alice").close(view)
        assert payload_of(app)["type"] == "view_closed"

    def test_an_external_id_is_unique(self, world: SlackWorld, app: BareApp) -> None:
        named = MODAL | {"external_id": "mine"}
        open_modal(world, app, named)
        world.client.views_update(external_id="mine", view=named)
        world.person("bob").command("/deploy")
        with pytest.raises(SlackApiError) as raised:
            world.client.views_open(trigger_id=form_of(app)["trigger_id"], view=named)
        assert raised.value.response["error"] == "duplicate_external_id"


class TestEvents:
    def test_a_mention(self, world: SlackWorld, app: BareApp) -> None:
        world.person("alice").mention("deploys", "deploy backend staging")

        body = json.loads(app.requests[-1][1])
        assert body["type"] == "event_callback"
        assert body["event"]["type"] == "app_mention"
        assert body["event"]["text"] == f"<@{BOT_USER}> deploy backend staging"
        assert body["event_id"].startswith("Ev")

    def test_a_mention_in_a_thread(self, world: SlackWorld, app: BareApp) -> None:
        card = post_card(world)
        world.person("alice").mention("deploys", "status", card.ts)
        assert json.loads(app.requests[-1][1])["event"]["thread_ts"] == card.ts

    def test_a_retry_is_the_same_event(self, world: SlackWorld, app: BareApp) -> None:
        did = world.person("alice").mention("deploys", "status")
        world.workspace.redeliver(did.request, retry=2)
        assert app.requests[0][1] == app.requests[1][1]
        assert header_of(app, "X-Slack-Retry-Num") == "2"

    def test_not_where_the_app_is_not(self, world: SlackWorld, app: BareApp) -> None:
        with pytest.raises(CannotDo, match="invite"):
            world.person("alice").mention("general", "status")
        assert app.requests == []

    def test_the_home_tab(self, world: SlackWorld, app: BareApp) -> None:
        world.person("alice").open_home()
        assert json.loads(app.requests[-1][1])["event"]["tab"] == "home"
        home = {"type": "home", "blocks": [{"type": "divider"}]}
        world.client.views_publish(user_id=ALICE, view=home)
        world.client.views_publish(user_id=ALICE, view=home)
        assert len(world.workspace.views(ALICE)) == 1
