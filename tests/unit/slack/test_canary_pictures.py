"""A canary's chart from the database to the thread, on the strict stand-in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import pytest
from PIL import Image

from bot.analysis.verdict import OUTCOMES, Because, Figures, Verdict
from bot.model.canary import Judgement
from bot.model.deployment import Status
from bot.model.errors import AccessDenied, Unreachable
from bot.model.reply import CardFacts, ChartFacts
from bot.playground.slack.crew import DEPLOYMENTS, muster
from bot.playground.slack.records import Fault, Message, Outage
from bot.playground.slack.workspace import Workspace
from bot.slack.charts.picture import chart
from bot.slack.messenger import Letter, Picture, Unshowable
from bot.slack.outbox import Deliverer, Route
from bot.slack.views.thread import Shown, thread_note, with_picture
from bot.slack.web import WebMessenger, web_client
from bot.workflows.canary.bench import Judged, judgement
from tests.fakes.deliveries import FakeDeliveries
from tests.fakes.slack_api import FakeClock
from tests.fakes.slack_world import HandClock
from tests.unit.slack.drawn import WORSE, a_canary, deployment
from tests.unit.slack.test_canary_chart import measured, served

ONE = deployment(channel=DEPLOYMENTS)
PICTURE = Picture("backend-production-7.png", "A chart.", b"\x89PNG\r\n\x1a\n")


def facts(of: Judgement | None = WORSE) -> ChartFacts:
    ticks = measured([served(1000, 21)] * 9, served(9000, 27))
    return ChartFacts(ONE, a_canary(judgement=of), tuple(ticks))


@dataclass
class Stage:
    """Slack, with time set by hand, and a deliverer with the real adapter to it."""

    workspace: Workspace
    hours: HandClock
    deliveries: FakeDeliveries
    deliverer: Deliverer
    messenger: WebMessenger
    clock: FakeClock

    def deliver(self, passes: int, seconds: float = 2.0) -> None:
        for _ in range(passes):
            self.deliverer.deliver_due()
            self.clock.pass_by(seconds=seconds)
            self.hours.advance(seconds)

    def thread(self) -> list[Message]:
        (card,) = [m for m in self.workspace.messages(DEPLOYMENTS) if m.thread_ts is None]
        return self.workspace.thread(DEPLOYMENTS, card.ts)

    def letter(self) -> Letter:
        return Letter(DEPLOYMENTS, "x", thread_note(ONE, "words"))


@pytest.fixture
def stage() -> Iterator[Stage]:
    hours = HandClock()
    with Workspace(clock=hours) as workspace:
        muster(workspace)
        workspace.limits.factor = math.inf
        workspace.serve()
        messenger = WebMessenger(web_client(workspace.secrets.bot_token, workspace.api_url))
        clock, deliveries = FakeClock(), FakeDeliveries()
        route = Route(lambda _: CardFacts(ONE), lambda: None, lambda _: chart(facts()))
        deliverer = Deliverer(deliveries, route, messenger, clock, "replica-1")
        deliveries.owe(ONE.id, channel=DEPLOYMENTS)
        yield Stage(workspace, hours, deliveries, deliverer, messenger, clock)


def test_a_step_has_its_words_and_its_chart_in_the_thread(stage: Stage) -> None:
    stage.deliver(1)
    stage.deliveries.owe(ONE.id, "chart:step-1", DEPLOYMENTS, "Step 2 of 3.")
    stage.deliver(6)
    (shown,) = stage.thread()
    assert shown.key == f"{ONE.id}:chart:step-1"
    words, image = shown.blocks
    assert words["text"]["text"] == "Step 2 of 3."
    assert image["alt_text"].startswith(f"{ONE.id}. Chart of 5 minutes at 10% of the traffic: ")
    body = stage.workspace.files.content(image["slack_file"]["id"])
    assert body is not None
    assert Image.open(BytesIO(body)).size == (900, 420)
    # Slack had not looked at the file at first: it is not uploaded once more for that.
    assert len(stage.workspace.calls("files.completeUploadExternal")) == 1
    refused = [call.ok for call in stage.workspace.calls("chat.update")]
    assert refused == [False, True]


def test_without_the_scope_there_are_words(stage: Stage) -> None:
    stage.workspace.scopes -= {"files:write"}
    stage.deliver(1)
    stage.deliveries.owe(ONE.id, "chart:end", DEPLOYMENTS, "It went well.")
    stage.deliver(6)
    (shown,) = stage.thread()
    assert [block["type"] for block in shown.blocks] == ["section"]
    assert stage.deliverer.trouble() == ""


@pytest.mark.parametrize(
    "method", ["files.getUploadURLExternal", "upload", "files.completeUploadExternal"]
)
@pytest.mark.parametrize("outage", [Outage.ANSWER_LOST, Outage.UNAVAILABLE])
def test_a_failed_upload_is_repeated(stage: Stage, method: str, outage: Outage) -> None:
    stage.deliver(1)
    stage.deliveries.owe(ONE.id, "chart:end", DEPLOYMENTS, "It went well.")
    stage.workspace.inject(Fault(method, outage=outage))
    stage.deliver(12)
    (shown,) = stage.thread()
    assert [block["type"] for block in shown.blocks] == ["section", "image"]


def test_what_an_upload_meets_is_told_as_any_other_call(stage: Stage) -> None:
    stage.workspace.inject(Fault("upload", error="internal"))
    with pytest.raises(Unreachable):
        stage.messenger.upload(PICTURE)
    stage.workspace.scopes -= {"files:write"}
    with pytest.raises(AccessDenied, match="files:write"):
        stage.messenger.upload(PICTURE)


def test_a_file_that_slack_has_not_looked_at_cannot_be_shown_yet(stage: Stage) -> None:
    posted = stage.messenger.post(stage.letter())
    note = with_picture(
        thread_note(ONE, "words"), Shown(stage.messenger.upload(PICTURE), "A chart.")
    )
    with pytest.raises(Unshowable):
        stage.messenger.update(posted, note)
    stage.hours.advance(2)
    stage.messenger.update(posted, note)


def test_a_chart_is_of_what_is_stored() -> None:
    assert chart(None) is None
    assert chart(ChartFacts(ONE, a_canary(), ())) is None
    found = chart(facts())
    assert found is not None
    assert (found.name, found.png[1:4]) == ("backend-production-7.png", b"PNG")
    assert found.alt.endswith("Verdict: abort.")
    other = chart(facts(Judgement("a word of later", "x", "x", 1.0, (), ())))
    assert other is not None
    assert "Verdict" not in other.alt
    assert chart(facts(None)) is not None


@pytest.mark.parametrize("because", list(Because))
def test_a_step_that_only_goes_on_is_not_stamped(because: Because) -> None:
    outcome = OUTCOMES[because]
    found = chart(facts(Judgement(outcome.value, because.value, "x", 1.0, (), ())))
    assert found is not None
    if because is Because.BAKING:
        assert "Verdict" not in found.alt
        bare = chart(facts(None))
        assert bare is not None
        assert found.png == bare.png
    else:
        assert found.alt.endswith(f"Verdict: {outcome.value}.")


def test_a_passed_step_is_not_stamped_by_the_next_one() -> None:
    passed = Verdict(Because.INCREASE_EXCLUDED, "x", Figures(0, 9, 0, (9,), (9,), 1.0, 1.0, 1.0))
    ended, begun = (chart(facts(judgement(Judged(passed, 9, 60), step))) for step in (0, 1))
    assert ended is not None
    assert begun is not None
    assert ended.alt.endswith("Verdict: pass.")
    assert "Verdict" not in begun.alt


def test_the_end_of_a_deployment_is_no_reason_to_wait(stage: Stage) -> None:
    ended = deployment(Status.ROLLED_BACK, channel=DEPLOYMENTS)
    route = Route(lambda _: CardFacts(ended), lambda: None, lambda _: chart(facts()))
    deliverer = Deliverer(stage.deliveries, route, stage.messenger, stage.clock, "replica-1")
    stage.deliveries.owe(ONE.id, "chart:end", DEPLOYMENTS, "It was taken back.")
    for _ in range(8):
        deliverer.deliver_due()
        stage.clock.pass_by(seconds=2)
        stage.hours.advance(2)
    (shown,) = stage.thread()
    assert shown.blocks[-1]["type"] == "image"
