"""The stand-in's Web API, through Slack's own client, against Slack's documentation.

Each case is a line of https://docs.slack.dev/reference/methods.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.playground.slack.crew import (
    ALICE,
    BOB,
    CAROL,
    DEPLOYMENTS,
    GENERAL,
    GUS,
    RELEASE_CAPTAINS,
    SVEN,
)
from bot.playground.slack.records import BOT_USER, OTHER_TEAM, TEAM, Fault, Message, Outage
from tests.fakes.slack_world import SlackWorld, slack_world

Json = dict[str, Any]


@pytest.fixture
def world() -> Iterator[SlackWorld]:
    with slack_world() as made:
        yield made


def refusal(call: Callable[..., Any], **args: Any) -> str:
    with pytest.raises(SlackApiError) as raised:
        call(**args)
    return str(raised.value.response["error"])


def post(world: SlackWorld, text: str = "hello", **more: Any) -> str:
    return str(world.client.chat_postMessage(channel=DEPLOYMENTS, text=text, **more)["ts"])


class TestTokens:
    def test_no_token(self, world: SlackWorld) -> None:
        client = world.client_with("")
        assert refusal(client.api_call, api_method="auth.test") == "not_authed"

    def test_a_wrong_token(self, world: SlackWorld) -> None:
        assert refusal(world.client_with("xoxb-other").auth_test) == "invalid_auth"

    def test_the_apps_token_opens_sockets_only(self, world: SlackWorld) -> None:
        client = world.client_with(world.workspace.secrets.app_token)
        assert refusal(client.auth_test) == "not_allowed_token_type"
        assert client.apps_connections_open(app_token=client.token or "")["url"].startswith("ws://")

    def test_auth_test_says_who_and_with_which_scopes(self, world: SlackWorld) -> None:
        answer = world.client.auth_test()
        assert (answer["team_id"], answer["user_id"]) == (TEAM, BOT_USER)
        assert "chat:write" in answer.headers["X-OAuth-Scopes"].split(",")

    def test_a_missing_scope_is_named(self, world: SlackWorld) -> None:
        world.workspace.scopes = frozenset({"chat:write"})
        with pytest.raises(SlackApiError) as raised:
            world.client.usergroups_list()
        answer = raised.value.response
        assert answer["error"] == "missing_scope"
        assert (answer["needed"], answer["provided"]) == ("usergroups:read", "chat:write")

    def test_private_channels_and_direct_messages_have_scopes_of_their_own(
        self, world: SlackWorld
    ) -> None:
        private = world.workspace.add_channel("secret", [], private=True)
        direct = world.workspace.direct(ALICE)
        world.workspace.scopes -= {"groups:history", "im:history"}
        history = world.client.conversations_history
        assert history(channel=DEPLOYMENTS)["ok"]
        assert refusal(history, channel=private.id) == "missing_scope"
        assert refusal(history, channel=direct.id) == "missing_scope"

    def test_an_unknown_method(self, world: SlackWorld) -> None:
        assert refusal(world.client.api_call, api_method="chat.shout") == "unknown_method"


class TestPosting:
    def test_a_message_is_shown_to_everyone(self, world: SlackWorld) -> None:
        ts = post(world, "hello *you*")
        assert [(m.ts, m.text) for m in world.workspace.messages("#deploys")] == [
            (ts, "hello *you*")
        ]

    def test_time_stamps_are_unique_and_in_order(self, world: SlackWorld) -> None:
        stamps = [post(world) for _ in range(20)]
        assert len(set(stamps)) == 20
        assert sorted(stamps) == stamps

    @pytest.mark.parametrize(
        ("args", "error"),
        [
            ({"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
            ({"channel": "deploys", "text": "x"}, "channel_not_found"),
            ({"channel": GENERAL, "text": "x"}, "not_in_channel"),
            ({"channel": DEPLOYMENTS}, "no_text"),
            ({"channel": DEPLOYMENTS, "text": ""}, "no_text"),
            ({"channel": DEPLOYMENTS, "text": "", "blocks": []}, "no_text"),
            ({"channel": DEPLOYMENTS, "text": "x" * 40_001}, "msg_too_long"),
            ({"channel": DEPLOYMENTS, "blocks": "none"}, "invalid_blocks_format"),
            ({"channel": DEPLOYMENTS, "blocks": [{"type": "section"}]}, "invalid_blocks"),
            ({"channel": DEPLOYMENTS, "text": "x", "thread_ts": "1.0"}, "thread_not_found"),
            (
                {"channel": DEPLOYMENTS, "text": "x", "metadata": {"a": 1}},
                "invalid_metadata_schema",
            ),
        ],
    )
    @pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing")
    def test_refusals(self, world: SlackWorld, args: Json, error: str) -> None:
        assert refusal(world.client.chat_postMessage, **args) == error
        assert world.workspace.messages(DEPLOYMENTS) == []

    def test_forty_thousand_characters_fit(self, world: SlackWorld) -> None:
        post(world, "x" * 40_000)

    def test_bad_blocks_are_explained(self, world: SlackWorld) -> None:
        with pytest.raises(SlackApiError) as raised:
            post(world, blocks=[{"type": "divider", "width": 1}])
        assert raised.value.response["response_metadata"]["messages"] == [
            "[ERROR] invalid additional property: width [json-pointer:/blocks/0]"
        ]

    def test_too_much_text_in_all_blocks_together(self, world: SlackWorld) -> None:
        block = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3000}}
        post(world, blocks=[block] * 4)
        call = world.client.chat_postMessage
        error = refusal(call, channel=DEPLOYMENTS, text="x", blocks=[block] * 5)
        assert error == "msg_blocks_too_long"

    def test_blocks_in_a_form_are_json(self, world: SlackWorld) -> None:
        world.client.api_call(
            "chat.postMessage",
            data={"channel": DEPLOYMENTS, "text": "x", "blocks": '[{"type": "divider"}]'},
        )
        assert world.workspace.messages(DEPLOYMENTS)[0].blocks[0]["type"] == "divider"

    def test_an_archived_channel(self, world: SlackWorld) -> None:
        world.workspace.channel("deploys").archived = True
        assert (
            refusal(world.client.chat_postMessage, channel=DEPLOYMENTS, text="x") == "is_archived"
        )

    def test_a_private_channel_that_the_app_is_not_in(self, world: SlackWorld) -> None:
        channel = world.workspace.add_channel("secret", [], bot=False, private=True)
        call = world.client.chat_postMessage
        assert refusal(call, channel=channel.id, text="x") == "channel_not_found"

    def test_a_user_id_is_a_direct_message(self, world: SlackWorld) -> None:
        answer = world.client.chat_postMessage(channel=ALICE, text="psst")
        assert answer["channel"] == world.workspace.direct(ALICE).id

    def test_a_broadcast_notifies_only_unescaped(self, world: SlackWorld) -> None:
        post(world, "<!channel> now")
        post(world, "&lt;!channel&gt; now")
        assert [each.loud for each in world.workspace.messages(DEPLOYMENTS)] == [True, False]


class TestThreads:
    def test_replies_stay_out_of_the_channel_unless_broadcast(self, world: SlackWorld) -> None:
        parent = post(world, "parent")
        post(world, "quiet", thread_ts=parent)
        post(world, "loud", thread_ts=parent, reply_broadcast=True)
        shown = world.client.conversations_history(channel=DEPLOYMENTS)["messages"]
        assert [each["text"] for each in shown] == ["loud", "parent"]
        assert shown[1]["reply_count"] == 2
        thread = world.client.conversations_replies(channel=DEPLOYMENTS, ts=parent)["messages"]
        assert [each["text"] for each in thread] == ["parent", "quiet", "loud"]

    def test_a_reply_to_a_reply_joins_the_thread(self, world: SlackWorld) -> None:
        parent = post(world)
        reply = post(world, thread_ts=parent)
        post(world, "deeper", thread_ts=reply)
        assert world.workspace.thread(DEPLOYMENTS, parent)[-1].text == "deeper"

    def test_an_unknown_thread(self, world: SlackWorld) -> None:
        call = world.client.conversations_replies
        assert refusal(call, channel=DEPLOYMENTS, ts="1.000001") == "thread_not_found"


class TestUpdating:
    def test_only_the_text_changes(self, world: SlackWorld) -> None:
        metadata = {"event_type": "quarterdeck", "event_payload": {"key": "a"}}
        ts = post(world, blocks=[{"type": "divider"}], metadata=metadata)
        world.client.chat_update(channel=DEPLOYMENTS, ts=ts, text="changed")
        message = world.workspace.messages(DEPLOYMENTS)[0]
        assert (message.text, len(message.blocks), message.key) == ("changed", 1, "a")

    def test_empty_blocks_and_metadata_take_them_away(self, world: SlackWorld) -> None:
        metadata = {"event_type": "quarterdeck", "event_payload": {"key": "a"}}
        ts = post(world, blocks=[{"type": "divider"}], metadata=metadata)
        world.client.chat_update(channel=DEPLOYMENTS, ts=ts, text="x", blocks=[], metadata={})
        message = world.workspace.messages(DEPLOYMENTS)[0]
        assert (message.blocks, message.metadata) == ((), None)

    @pytest.mark.parametrize(
        ("args", "error"),
        [
            ({"channel": "C0NOWHERE", "ts": "1.0", "text": "x"}, "channel_not_found"),
            ({"channel": DEPLOYMENTS, "ts": "1.0", "text": "x"}, "message_not_found"),
        ],
    )
    def test_unknown_ones(self, world: SlackWorld, args: Json, error: str) -> None:
        assert refusal(world.client.chat_update, **args) == error

    def test_somebody_elses(self, world: SlackWorld) -> None:
        ts = world.person("alice").say("deploys", "mine").ts
        update, delete = world.client.chat_update, world.client.chat_delete
        assert refusal(update, channel=DEPLOYMENTS, ts=ts, text="x") == "cant_update_message"
        assert refusal(delete, channel=DEPLOYMENTS, ts=ts) == "cant_delete_message"

    def test_a_long_text_is_counted_in_bytes_after_escaping(self, world: SlackWorld) -> None:
        ts = post(world)
        update = world.client.chat_update
        update(channel=DEPLOYMENTS, ts=ts, text="x" * 4000)
        assert refusal(update, channel=DEPLOYMENTS, ts=ts, text="x" * 4001) == "msg_too_long"
        assert refusal(update, channel=DEPLOYMENTS, ts=ts, text="&" * 801) == "msg_too_long"

    def test_a_deleted_message_is_gone(self, world: SlackWorld) -> None:
        ts = post(world)
        world.client.chat_delete(channel=DEPLOYMENTS, ts=ts)
        update = world.client.chat_update
        assert refusal(update, channel=DEPLOYMENTS, ts=ts, text="x") == "message_not_found"

    def test_an_archived_channel(self, world: SlackWorld) -> None:
        ts = post(world)
        world.workspace.channel("deploys").archived = True
        update = world.client.chat_update
        assert refusal(update, channel=DEPLOYMENTS, ts=ts, text="x") == "is_archived"


class TestEphemerals:
    def test_only_one_person_sees_it(self, world: SlackWorld) -> None:
        world.client.chat_postEphemeral(channel=DEPLOYMENTS, user=ALICE, text="psst")
        assert [each.text for each in world.person("alice").told()] == ["psst"]
        assert world.person("bob").told() == []
        assert world.client.conversations_history(channel=DEPLOYMENTS)["messages"] == []

    def test_it_cannot_be_updated(self, world: SlackWorld) -> None:
        answer = world.client.chat_postEphemeral(channel=DEPLOYMENTS, user=ALICE, text="psst")
        update, ts = world.client.chat_update, answer["message_ts"]
        assert refusal(update, channel=DEPLOYMENTS, ts=ts, text="x") == "message_not_found"

    def test_only_to_members_of_the_channel(self, world: SlackWorld) -> None:
        call, channel = world.client.chat_postEphemeral, world.workspace.add_channel("empty", [])
        assert refusal(call, channel=channel.id, user=BOB, text="x") == "user_not_in_channel"


class TestHistory:
    def test_metadata_is_shown_only_when_asked_for(self, world: SlackWorld) -> None:
        metadata = {"event_type": "quarterdeck", "event_payload": {"key": "a"}}
        post(world, metadata=metadata)
        history = world.client.conversations_history
        assert "metadata" not in history(channel=DEPLOYMENTS)["messages"][0]
        shown = history(channel=DEPLOYMENTS, include_all_metadata=True)["messages"][0]
        assert shown["metadata"] == metadata

    def test_pages_newest_first(self, world: SlackWorld) -> None:
        stamps = [post(world) for _ in range(5)]
        history = world.client.conversations_history
        first = history(channel=DEPLOYMENTS, limit=3)
        cursor = first["response_metadata"]["next_cursor"]
        second = history(channel=DEPLOYMENTS, limit=3, cursor=cursor)
        shown = [each["ts"] for each in (*first["messages"], *second["messages"])]
        assert shown == stamps[::-1]
        assert (first["has_more"], second["has_more"]) == (True, False)

    def test_between_two_times(self, world: SlackWorld) -> None:
        stamps = [post(world) for _ in range(4)]
        history = world.client.conversations_history
        bounds: Json = {"channel": DEPLOYMENTS, "oldest": stamps[0], "latest": stamps[2]}
        assert [each["ts"] for each in history(**bounds)["messages"]] == [stamps[1]]
        assert len(history(**bounds, inclusive=True)["messages"]) == 3

    @pytest.mark.parametrize(
        ("args", "error"),
        [
            ({"channel": GENERAL}, "not_in_channel"),
            ({"channel": "C0NOWHERE"}, "channel_not_found"),
            ({"channel": DEPLOYMENTS, "limit": 0}, "invalid_limit"),
            ({"channel": DEPLOYMENTS, "limit": 1000}, "invalid_limit"),
            ({"channel": DEPLOYMENTS, "cursor": "nonsense"}, "invalid_cursor"),
        ],
    )
    def test_refusals(self, world: SlackWorld, args: Json, error: str) -> None:
        assert refusal(world.client.conversations_history, **args) == error


class TestPeopleAndPlaces:
    def test_who_somebody_is(self, world: SlackWorld) -> None:
        info = world.client.users_info
        assert info(user=GUS)["user"]["is_restricted"]
        assert info(user=SVEN)["user"]["is_stranger"]
        assert info(user=SVEN)["user"]["team_id"] == OTHER_TEAM
        assert info(user=BOT_USER)["user"]["is_bot"]
        assert "is_stranger" not in info(user=ALICE)["user"]
        assert refusal(info, user="U0NOBODY") == "user_not_found"

    def test_everyone_in_pages(self, world: SlackWorld) -> None:
        first = world.client.users_list(limit=4)
        rest = world.client.users_list(cursor=first["response_metadata"]["next_cursor"])
        assert len(first["members"]) + len(rest["members"]) == len(world.workspace.people)

    def test_groups_with_and_without_members(self, world: SlackWorld) -> None:
        shown = world.client.usergroups_list(include_users=True)["usergroups"][0]
        assert shown["users"] == [ALICE, BOB, CAROL]
        assert "users" not in world.client.usergroups_list()["usergroups"][0]
        members = world.client.usergroups_users_list(usergroup=RELEASE_CAPTAINS)["users"]
        assert members == [ALICE, BOB, CAROL]

    def test_a_disabled_or_unknown_group(self, world: SlackWorld) -> None:
        world.workspace.groups[RELEASE_CAPTAINS].disabled = True
        assert world.client.usergroups_list()["usergroups"] == []
        call = world.client.usergroups_users_list
        assert refusal(call, usergroup=RELEASE_CAPTAINS) == "no_such_subteam"

    def test_a_channel(self, world: SlackWorld) -> None:
        info = world.client.conversations_info
        assert info(channel=DEPLOYMENTS)["channel"]["is_member"]
        assert info(channel=DEPLOYMENTS)["channel"]["is_ext_shared"]
        assert not info(channel=GENERAL)["channel"]["is_member"]
        assert refusal(info, channel="C0NOWHERE") == "channel_not_found"
        assert SVEN in world.client.conversations_members(channel=DEPLOYMENTS)["members"]

    def test_a_direct_message(self, world: SlackWorld) -> None:
        open_ = world.client.conversations_open
        assert open_(users=[ALICE])["channel"]["id"] == open_(users=[ALICE])["channel"]["id"]
        assert refusal(open_, users=["U0NOBODY"]) == "user_not_found"
        assert refusal(open_, users=[BOT_USER]) == "cannot_dm_bot"
        assert refusal(open_, users=[]) == "users_list_not_supplied"

    def test_a_permalink(self, world: SlackWorld) -> None:
        ts = post(world)
        link = world.client.chat_getPermalink(channel=DEPLOYMENTS, message_ts=ts)["permalink"]
        assert link.endswith(f"/{DEPLOYMENTS}/p{ts.replace('.', '')}")
        call = world.client.chat_getPermalink
        assert refusal(call, channel=DEPLOYMENTS, message_ts="1.0") == "message_not_found"


class TestRates:
    def test_posting_about_once_a_second_per_channel(self) -> None:
        with slack_world(limited=True) as world:
            posted = [post(world) for _ in range(5)]
            with pytest.raises(SlackApiError) as raised:
                post(world)
            assert raised.value.response.status_code == 429
            assert raised.value.response["error"] == "ratelimited"
            assert int(raised.value.response.headers["Retry-After"]) == 5
            assert len(world.workspace.messages(DEPLOYMENTS)) == len(posted)
            world.client.chat_postMessage(channel=ALICE, text="another channel is free")
            world.clock.advance(4.9)
            with pytest.raises(SlackApiError):
                post(world)
            world.clock.advance(0.1)
            post(world)

    def test_updating_fifty_times_a_minute(self) -> None:
        with slack_world(limited=True) as world:
            ts = post(world)
            update = world.client.chat_update
            for number in range(50):
                update(channel=DEPLOYMENTS, ts=ts, text=str(number))
            assert refusal(update, channel=DEPLOYMENTS, ts=ts, text="x") == "ratelimited"
            world.clock.advance(60)
            update(channel=DEPLOYMENTS, ts=ts, text="x")

    @pytest.mark.parametrize(
        ("method", "args", "a_minute"),
        [
            ("usergroups.list", {}, 20),
            ("usergroups.users.list", {"usergroup": RELEASE_CAPTAINS}, 20),
            ("conversations.history", {"channel": DEPLOYMENTS}, 50),
            ("views.publish", {"user_id": ALICE, "view": {"type": "home", "blocks": []}}, 100),
        ],
    )
    def test_each_method_has_the_tier_of_its_page(
        self, method: str, args: Json, a_minute: int
    ) -> None:
        with slack_world(limited=True) as world:
            for _ in range(a_minute):
                world.client.api_call(method, json=args)
            with pytest.raises(SlackApiError) as raised:
                world.client.api_call(method, json=args)
            assert raised.value.response["error"] == "ratelimited"
            assert int(raised.value.response.headers["Retry-After"]) == 60

    def test_a_factor_loosens_all(self) -> None:
        with slack_world(limited=True) as world:
            world.workspace.limits.factor = 10
            assert len({post(world) for _ in range(50)}) == 50


class TestOutages:
    def test_refused_connections_and_the_same_port_again(self, world: SlackWorld) -> None:
        world.workspace.go_down(Outage.REFUSED)
        with pytest.raises(OSError, match="refused"):
            post(world)
        world.workspace.come_back()
        post(world)

    def test_unavailable(self, world: SlackWorld) -> None:
        world.workspace.go_down(Outage.UNAVAILABLE)
        with pytest.raises(SlackApiError) as raised:
            post(world)
        assert raised.value.response.status_code == 503
        world.workspace.come_back()
        assert world.workspace.messages(DEPLOYMENTS) == []

    def test_no_answer_in_time_and_nothing_done(self, world: SlackWorld) -> None:
        world.workspace.go_down(Outage.SILENT)
        hasty = WebClient(
            token=world.client.token, base_url=world.workspace.api_url, timeout=1, retry_handlers=[]
        )
        with pytest.raises(TimeoutError):
            hasty.chat_postMessage(channel=DEPLOYMENTS, text="x")
        world.workspace.come_back()
        assert world.workspace.messages(DEPLOYMENTS) == []

    def test_the_answer_is_lost_after_the_effect(self, world: SlackWorld) -> None:
        fault = Fault("chat.postMessage", outage=Outage.ANSWER_LOST)
        world.workspace.inject(fault)
        client = WebClient(
            token=world.client.token, base_url=world.workspace.api_url, retry_handlers=[]
        )
        with pytest.raises((OSError, http.client.HTTPException)):
            client.chat_postMessage(channel=DEPLOYMENTS, text="once")
        assert [each.text for each in world.workspace.messages(DEPLOYMENTS)] == ["once"]
        post(world, "again")

    def test_an_error_of_ones_choice(self, world: SlackWorld) -> None:
        world.workspace.inject(Fault("chat.postMessage", error="fatal_error", times=2))
        call = world.client.chat_postMessage
        assert refusal(call, channel=DEPLOYMENTS, text="x") == "fatal_error"
        assert refusal(call, channel=DEPLOYMENTS, text="x") == "fatal_error"
        post(world)


def test_calls_are_kept_with_their_answers(world: SlackWorld) -> None:
    post(world)
    refusal(world.client.chat_postMessage, channel="C0NOWHERE", text="x")
    calls = world.workspace.calls("chat.postMessage")
    assert [(call.ok, call.args["channel"]) for call in calls] == [
        (True, DEPLOYMENTS),
        (False, "C0NOWHERE"),
    ]


def test_a_message_is_a_snapshot(world: SlackWorld) -> None:
    ts = post(world, "before")
    seen: Message = world.workspace.messages(DEPLOYMENTS)[0]
    world.client.chat_update(channel=DEPLOYMENTS, ts=ts, text="after")
    assert seen.text == "before"
    assert replace(seen, text="after").text == world.workspace.messages(DEPLOYMENTS)[0].text
