"""The page's server: whom it answers, what it lets be done, and that a message stays a message."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.commands.grammar import SLASHES
from bot.playground.page.acts import Acts
from bot.playground.page.scene import Painter
from bot.playground.page.server import Content, PageServer
from bot.playground.slack.crew import DEPLOYMENTS, GENERAL, GUS, RELEASES, muster
from bot.playground.slack.records import Message
from bot.playground.slack.state import State
from bot.playground.slack.workspace import Workspace

JSON = {"Content-Type": "application/json"}


@dataclass(slots=True)
class Browser:
    """Asks as a browser on this machine would."""

    address: str
    asked: int = field(default=0)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def post(self, path: str, content: object, **headers: str) -> tuple[int, Any]:
        body = json.dumps(content).encode()
        status, _, answer = self.send("POST", path, body, JSON | headers)
        return status, json.loads(answer)

    def look(self, person: str = "alice", channel: str = DEPLOYMENTS, **place: str) -> Any:
        self.asked += 1
        asking = {"page": f"page-{self.asked}", "turn": 1, "known": 0}
        status, news = self.post("/news", asking | {"person": person, "channel": channel} | place)
        assert status == 200, news
        return news["changes"]

    def log(self, person: str = "alice", channel: str = DEPLOYMENTS) -> str:
        return "".join(self.look(person, channel)["log"]["html"].values())


@pytest.fixture
def slack() -> Iterator[Workspace]:
    with Workspace() as workspace:
        muster(workspace)
        workspace.serve()
        workspace.connect("http://127.0.0.1:9/slack/events")
        yield workspace


@pytest.fixture
def browser(slack: Workspace) -> Iterator[Browser]:
    painter = Painter(slack, lambda: {"services": [], "levers": [], "trail": []})
    acts = Acts(slack, SLASHES)
    server = PageServer(
        Content(
            lambda: "<!doctype html>",
            painter.scene,
            acts.do,
            slack.changed_since,
            slack.files.content,
        )
    )
    address = server.start()
    try:
        yield Browser(address)
    finally:
        server.close()


def put(slack: State, text: str, channel: str = DEPLOYMENTS, **traits: Any) -> Message:
    message = Message(channel, slack.new_ts(), slack.member("bob").id, text, **traits)
    slack.put(message)
    return message


def test_only_this_host_is_answered_and_only_the_page_may_act(browser: Browser) -> None:
    assert browser.send("GET", "/", headers={"Host": "evil.example"})[0] == 403
    body = {"person": "alice", "channel": DEPLOYMENTS, "text": "hello"}
    assert browser.post("/act/type", body, Origin="http://evil.example")[0] == 403
    plain = {"Content-Type": "text/plain"}
    assert browser.send("POST", "/act/type", json.dumps(body).encode(), plain)[0] == 400
    assert browser.post("/act/type", body, Origin=browser.address) == (200, {})


def test_nothing_but_its_own_files_is_served_and_nothing_of_others_is_loaded(
    browser: Browser,
) -> None:
    status, headers, _ = browser.send("GET", "/")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for path in ("/static/app.js", "/static/page.css", "/static/icon.svg"):
        assert browser.send("GET", path)[0] == 200
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static/", "/nowhere"):
        assert browser.send("GET", path)[0] == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"page": 1}', b"null"])
def test_what_is_no_question_is_refused(browser: Browser, body: bytes) -> None:
    assert browser.send("POST", "/news", body, JSON)[0] == 400


def test_an_unknown_person_channel_act_or_message_is_said(browser: Browser) -> None:
    asking = {"page": "p", "turn": 1, "known": 0, "person": "alice", "channel": "C0NOWHERE"}
    assert browser.post("/news", asking)[0] == 404
    assert browser.post("/news", asking | {"person": "nobody"})[0] == 404
    assert browser.post("/act/type", {"person": "nobody", "text": "hi"})[0] == 404
    status, answer = browser.post("/act/dance", {"person": "alice"})
    assert (status, answer["note"]) == (409, "There is no act 'dance'.")
    gone = {"person": "alice", "channel": DEPLOYMENTS, "ts": "1.0", "block": "b", "action": "a"}
    assert browser.post("/act/click", gone) == (409, {"note": "That message is gone."})


def test_an_empty_channel_says_what_to_type_where_the_bot_reads_it(
    slack: Workspace, browser: Browser
) -> None:
    assert "/deploy backend production v1.5.0" in browser.log(channel=DEPLOYMENTS)
    direct = slack.direct(slack.member("alice").id).id
    for channel in (GENERAL, direct):
        shown = browser.log(channel=channel)
        assert "Nothing here yet." in shown
        assert "/deploy" not in shown


def test_what_people_write_is_shown_as_text(slack: Workspace, browser: Browser) -> None:
    put(slack, "<script>alert(1)</script> <b>bold</b> <javascript:alert(1)|press>")
    shown = browser.log()
    assert "<script" not in shown
    assert "<b>bold" not in shown
    assert "href" not in shown


def test_a_private_message_is_shown_to_its_reader_alone(slack: Workspace, browser: Browser) -> None:
    put(slack, "for your eyes", seen_by=slack.member("alice").id)
    assert "for your eyes" in browser.log("alice")
    assert "Only visible to you" in browser.log("alice")
    assert "for your eyes" not in browser.log("bob")


def test_a_thread_is_read_beside_the_channel(slack: Workspace, browser: Browser) -> None:
    first = put(slack, "the first")
    put(slack, "a reply", thread_ts=first.ts)
    assert "a reply" not in browser.log()
    assert "1 reply" in browser.log()
    thread = browser.look(thread=first.ts)["thread"]
    assert thread["order"] == [f"t-{first.ts}", f"t-{max(slack._messages)[1]}"]
    assert "a reply" in "".join(thread["html"].values())


def test_unread_messages_are_counted_until_the_channel_is_opened(
    slack: Workspace, browser: Browser
) -> None:
    put(slack, "news", RELEASES)
    assert "1 unread" in "".join(browser.look()["rail"]["html"].values())
    browser.look(channel=RELEASES)
    assert "unread" not in "".join(browser.look()["rail"]["html"].values())


def test_a_guest_sees_the_channels_that_he_is_in(slack: Workspace, browser: Browser) -> None:
    rail = "".join(browser.look("gus")["rail"]["html"].values())
    assert "deploys" in rail
    assert "incidents" not in rail
    assert GUS in slack.channel(DEPLOYMENTS).members


def test_commands_are_refused_as_slack_refuses_them(slack: Workspace, browser: Browser) -> None:
    def types(text: str, **more: str) -> str:
        body = {"person": "alice", "channel": DEPLOYMENTS, "text": text} | more
        return str(browser.post("/act/type", body)[1].get("note", ""))

    assert "not a valid command" in types("/giphy cats")
    thread = put(slack, "a thread").ts
    refused = types("/deploy backend staging", thread=thread)
    assert "not supported in threads" in refused
    assert "@quarterdeck deploy backend staging" in refused
    assert "dispatch_failed" in types("/deploy backend staging")
    assert types("   ") == ""
    assert "at most 4000" in types("x" * 4001)


def test_the_bot_is_written_to_in_direct_messages(slack: Workspace, browser: Browser) -> None:
    direct = slack.direct(slack.member("alice").id)
    body = {"person": "alice", "channel": direct.id, "text": "status"}
    assert "dispatch_failed" in browser.post("/act/type", body)[1]["note"]
    assert "status" in browser.log("alice", direct.id)


def test_an_uploaded_picture_is_shown_from_here_and_nothing_else_is(
    browser: Browser, slack: Workspace
) -> None:
    client = WebClient(token=slack.secrets.bot_token, base_url=slack.api_url)
    png, page = b"\x89PNG\r\n\x1a\n...", b"<script>alert(1)</script>"
    answers = [
        client.files_upload_v2(filename="x.png", content=body, channel=DEPLOYMENTS)
        for body in (png, page)
    ]
    shown, hidden = (str(answer["files"][0]["id"]) for answer in answers)
    assert f'src="/files/{shown}"' in browser.log()
    status, headers, body = browser.send("GET", f"/files/{shown}")
    assert (status, headers["Content-Type"], body) == (200, "image/png", png)
    assert "img-src 'self'" in headers["Content-Security-Policy"]
    assert browser.send("GET", f"/files/{hidden}")[0] == 404
    assert browser.send("GET", "/files/F0NOTHING")[0] == 404
