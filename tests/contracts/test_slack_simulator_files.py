"""The stand-in's uploads, through Slack's own client, against Slack's documentation."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from slack_sdk.errors import SlackApiError, SlackRequestError

from bot.playground.slack.crew import ALICE, DEPLOYMENTS, GENERAL
from bot.playground.slack.records import Fault, Outage
from tests.fakes.slack_world import SlackWorld, slack_world

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


@pytest.fixture
def world() -> Iterator[SlackWorld]:
    with slack_world() as made:
        yield made


def refusal(call: Callable[..., Any], **args: Any) -> str:
    with pytest.raises(SlackApiError) as raised:
        call(**args)
    return str(raised.value.response["error"])


def announce(world: SlackWorld, length: int = len(PNG), name: str = "x.png") -> tuple[str, str]:
    answer = world.client.files_getUploadURLExternal(filename=name, length=length)
    return str(answer["upload_url"]), str(answer["file_id"])


def send(url: str, body: bytes = PNG) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("POST", parts.path, body)
        return connection.getresponse().status
    finally:
        connection.close()


def upload(world: SlackWorld, name: str = "x.png") -> str:
    answer = world.client.files_upload_v2(filename=name, content=PNG, alt_txt="A chart.")
    return str(answer["files"][0]["id"])


def image(identity: str) -> list[dict[str, Any]]:
    return [{"type": "image", "slack_file": {"id": identity}, "alt_text": "A chart."}]


class TestUploading:
    def test_slacks_own_client_takes_three_steps(self, world: SlackWorld) -> None:
        identity = upload(world)
        called = [call.method for call in world.workspace.calls()]
        assert called == ["files.getUploadURLExternal", "files.completeUploadExternal"]
        assert world.workspace.files.content(identity) == PNG
        assert world.workspace.messages(DEPLOYMENTS) == []

    def test_what_is_missing_is_named(self, world: SlackWorld) -> None:
        ask = world.client.files_getUploadURLExternal
        assert refusal(ask, filename="x.png", length=0) == "missing_argument"
        assert refusal(ask, filename="", length=5) == "invalid_arguments"
        assert refusal(ask, filename="x.png", length="many") == "invalid_arguments"
        too_long = {"filename": "x.png", "length": 5, "alt_txt": "x" * 1001}
        assert refusal(ask, **too_long) == "alt_txt_too_large"

    def test_it_takes_a_scope(self, world: SlackWorld) -> None:
        world.workspace.scopes -= {"files:write"}
        with pytest.raises(SlackApiError) as raised:
            upload(world)
        assert raised.value.response["error"] == "missing_scope"
        assert raised.value.response["needed"] == "files:write"

    def test_an_address_takes_the_announced_bytes_once(self, world: SlackWorld) -> None:
        url, _ = announce(world)
        assert send(url, PNG[:-1]) == 400
        assert send(url) == 200
        assert send(url) == 404
        assert send(f"{world.workspace.url}/upload/v1/nothing") == 404

    def test_what_was_not_sent_cannot_be_completed(self, world: SlackWorld) -> None:
        complete = world.client.files_completeUploadExternal
        _, identity = announce(world)
        assert refusal(complete, files=[{"id": identity}]) == "file_not_found"
        assert refusal(complete, files=[{"id": "F0NOTHING"}]) == "file_not_found"
        assert refusal(complete, files=[]) == "invalid_arguments"
        assert refusal(complete, files=[{"title": "x"}]) == "invalid_arguments"

    def test_an_upload_is_completed_once(self, world: SlackWorld) -> None:
        again = world.client.files_completeUploadExternal
        assert refusal(again, files=[{"id": upload(world)}]) == "file_not_found"

    def test_the_file_service_can_fail(self, world: SlackWorld) -> None:
        world.workspace.inject(Fault("upload", error="internal"))
        with pytest.raises(Exception, match="500"):
            upload(world)
        world.workspace.inject(Fault("upload", outage=Outage.ANSWER_LOST))
        with pytest.raises((OSError, http.client.HTTPException, SlackRequestError)):
            upload(world)
        assert world.workspace.files.content(upload(world)) == PNG


class TestSharing:
    def share(self, world: SlackWorld, **where: Any) -> Any:
        return world.client.files_upload_v2(filename="x.png", content=PNG, **where)

    def test_in_a_thread(self, world: SlackWorld) -> None:
        parent = str(world.client.chat_postMessage(channel=DEPLOYMENTS, text="card")["ts"])
        answer = self.share(world, channel=DEPLOYMENTS, thread_ts=parent, initial_comment="Step 2.")
        (reply,) = world.workspace.thread(DEPLOYMENTS, parent)
        assert (reply.text, reply.files) == ("Step 2.", (answer["files"][0]["id"],))
        found = world.client.conversations_replies(channel=DEPLOYMENTS, ts=parent)["messages"]
        assert found[1]["files"] == [{"id": answer["files"][0]["id"]}]
        assert "metadata" not in found[1]

    def test_only_where_the_app_is(self, world: SlackWorld) -> None:
        for channel, code in (
            (GENERAL, "not_in_channel"),
            ("C0NOTHERE1", "channel_not_found"),
            (ALICE, "invalid_arguments"),
        ):
            assert refusal(self.share, world=world, channel=channel) == code
        world.workspace.channel(DEPLOYMENTS).archived = True
        assert refusal(self.share, world=world, channel=DEPLOYMENTS) == "posting_to_channel_denied"

    def test_only_in_a_thread_that_there_is(self, world: SlackWorld) -> None:
        where = {"channel": DEPLOYMENTS, "thread_ts": "1.000000"}
        assert refusal(self.share, world=world, **where) == "invalid_arguments"


class TestInBlocks:
    def test_slack_looks_at_a_file_before_a_block_may_show_it(self, world: SlackWorld) -> None:
        blocks = image(upload(world))
        post = world.client.chat_postMessage
        with pytest.raises(SlackApiError) as raised:
            post(channel=DEPLOYMENTS, text="x", blocks=blocks)
        assert raised.value.response["error"] == "invalid_blocks"
        assert raised.value.response["errors"] == [
            "invalid slack file [json-pointer:/blocks/0/slack_file]"
        ]
        world.clock.advance(2)
        assert post(channel=DEPLOYMENTS, text="x", blocks=blocks)["ok"]

    def test_a_message_can_be_changed_to_show_one(self, world: SlackWorld) -> None:
        ts = str(world.client.chat_postMessage(channel=DEPLOYMENTS, text="x")["ts"])
        blocks = image(upload(world))
        world.clock.advance(2)
        world.client.chat_update(channel=DEPLOYMENTS, ts=ts, text="x", blocks=blocks)
        (shown,) = world.workspace.messages(DEPLOYMENTS)
        assert shown.blocks[0]["slack_file"] == blocks[0]["slack_file"]

    @pytest.mark.parametrize(
        "source",
        [
            {"slack_file": {"id": "F0NOTHING"}},
            {"slack_file": {"id": "F1", "url": "https://files.slack.com/x"}},
            {"slack_file": {}},
            {"slack_file": {"id": "F1"}, "image_url": "https://example.com/x.png"},
            {},
        ],
    )
    def test_an_image_has_one_source_that_there_is(
        self, world: SlackWorld, source: dict[str, Any]
    ) -> None:
        blocks = [{"type": "image", "alt_text": "x", **source}]
        args = {"channel": DEPLOYMENTS, "text": "x", "blocks": blocks}
        assert refusal(world.client.chat_postMessage, **args) == "invalid_blocks"

    def test_only_images_are_shown(self, world: SlackWorld) -> None:
        identity = upload(world, "x.txt")
        world.clock.advance(2)
        args = {"channel": DEPLOYMENTS, "text": "x", "blocks": image(identity)}
        assert refusal(world.client.chat_postMessage, **args) == "invalid_blocks"
