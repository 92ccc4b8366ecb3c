"""The whole edge over real HTTP, against the strict stand-in: what people in Slack see."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.commands.model import Approve, Reject, Rollback
from bot.model.deployment import Progress, Release, Status, Target
from bot.model.errors import AccessDenied, Throttled, Unknown, Unreachable
from bot.model.reply import Accepted, CardFacts, DeployForm, DeploymentList, Refused, RollbackForm
from bot.playground.slack import crew
from bot.playground.slack.records import Fault, Message, Outage
from bot.playground.slack.workspace import Workspace
from bot.slack.app import make_app
from bot.slack.edge import Edge, SlackSettings
from bot.slack.execution import Bench
from bot.slack.http import Probes, Server, make_wsgi, serve
from bot.slack.messenger import ChannelGone, Letter, MessageGone, Posted
from bot.slack.outbox import Deliverer, Route
from bot.slack.people import People, sign_in
from bot.slack.views.card import card
from bot.slack.views.ids import Action
from bot.slack.web import WebDesk, WebMessenger, web_client
from tests.fakes.deliveries import FakeDeliveries
from tests.fakes.intake import FakeIntake
from tests.fakes.slack_api import FakeClock
from tests.unit.slack.drawn import NOON, deployment, image
from tests.unit.slack.signed import catalog


@dataclass
class Stage:
    """A workspace with people, the edge connected to it, and the intake behind the edge."""

    workspace: Workspace
    intake: FakeIntake
    people: People
    messenger: WebMessenger
    clock: FakeClock
    bench: Bench
    server: Server

    def card(self, status: Status, **changes: Any) -> Message:
        one = deployment(status, channel=crew.DEPLOYMENTS, **changes)
        posted = self.messenger.post(
            Letter(crew.DEPLOYMENTS, f"{one.id}:card", card(CardFacts(one, current=True), NOON))
        )
        return self.message(posted)

    def message(self, posted: Posted) -> Message:
        return next(one for one in self.workspace.messages(posted.channel) if one.ts == posted.ts)

    def settle(self) -> None:
        """Whatever follows the acknowledgements has happened after this."""
        self.bench.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Workspace() as workspace:
        crew.muster(workspace)
        workspace.serve()
        client = web_client(workspace.secrets.bot_token, workspace.api_url)
        clock, intake, home = FakeClock(), FakeIntake(), sign_in(client)
        people = People(client, clock, home)
        settings = SlackSettings(workspace.secrets.signing, home)
        bench = Bench(settings.workers, settings.patience)
        edge = Edge(intake, people, WebDesk(client), catalog, clock, settings, bench)
        probes = Probes(lambda: (), lambda: (), lambda: (b"", "text/plain"))
        app = make_app(edge)
        server = serve(make_wsgi(lambda: app, probes), "127.0.0.1", 0, threads=4)
        workspace.connect(f"http://{server.host}:{server.port}/slack/events")
        yield Stage(workspace, intake, people, WebMessenger(client), clock, bench, server)
        server.close()
        bench.close()


def test_a_command_is_answered_in_private(stage: Stage) -> None:
    stage.intake.reply = Accepted("backend-staging-1 waits.", (deployment(Status.QUEUED),))
    did = stage.workspace.person("alice").command("/deploy", "backend staging")
    assert did.error == ""
    (said,) = did.said
    assert said.seen_by == crew.ALICE
    assert "backend-staging-1 waits." in said.text
    requester = stage.intake.submissions[0].requester
    assert requester.person.name == "alice"
    assert requester.groups == {crew.RELEASE_CAPTAINS}


def test_guests_strangers_and_members_are_told_apart(stage: Stage) -> None:
    asked = {
        name: stage.people.requester(stage.workspace.person(name).id, "C1")
        for name in ("alice", "dave", "gus", "sven")
    }
    assert {name: one.outsider for name, one in asked.items()} == {
        "alice": False,
        "dave": False,
        "gus": True,
        "sven": True,
    }
    assert asked["dave"].groups == frozenset()
    assert stage.people.requester("U0NOBODY", "C1").outsider


def test_a_workspace_member_who_becomes_a_guest_is_noticed(stage: Stage) -> None:
    assert not stage.people.requester(crew.BOB, "C1").outsider
    stage.workspace.people[crew.BOB] = stage.workspace.add_member("bob", id=crew.BOB, guest=True)
    stage.clock.pass_by(minutes=6)
    assert stage.people.requester(crew.BOB, "C1").outsider


def test_groups_are_cached_and_can_be_read_fresh(stage: Stage) -> None:
    stage.people.of(crew.ALICE)
    stage.workspace.groups[crew.RELEASE_CAPTAINS].members.remove(crew.ALICE)
    assert stage.people.of(crew.ALICE) == {crew.RELEASE_CAPTAINS}
    assert stage.people.of(crew.ALICE, fresh=True) == frozenset()
    assert stage.people.of(crew.BOB) == {crew.RELEASE_CAPTAINS}


def test_a_missing_scope_is_named() -> None:
    with Workspace(scopes=frozenset({"users:read"})) as workspace:
        crew.muster(workspace)
        workspace.serve()
        client = web_client(workspace.secrets.bot_token, workspace.api_url)
        people = People(client, FakeClock(), sign_in(client))
        with pytest.raises(AccessDenied, match="usergroups:read"):
            people.requester(crew.ALICE, "C1")


def test_an_approval_is_confirmed_submitted_and_answered(stage: Stage) -> None:
    stage.intake.reply = Refused("ALREADY_DECIDED", "bob approved this at 12:00.")
    shown = stage.card(Status.AWAITING_APPROVAL, approvals_needed=1, expires_at=NOON)
    did = stage.workspace.person("bob").click(shown, Action.APPROVE)
    assert did.error == ""
    assert "backend" in did.confirm
    assert "production" in did.confirm
    assert "v1.2.3" in did.confirm
    stage.settle()
    assert isinstance(stage.intake.submissions[0].command, Approve)
    assert "bob approved this" in stage.workspace.person("bob").told()[-1].text


def test_a_rejection_asks_why_in_a_modal(stage: Stage) -> None:
    shown = stage.card(Status.AWAITING_APPROVAL, approvals_needed=1, expires_at=NOON)
    bob = stage.workspace.person("bob")
    assert bob.click(shown, Action.REJECT).error == ""
    (view,) = bob.views()
    assert bob.submit(view, {"reason": "wrong *branch*"}).error == ""
    command = stage.intake.submissions[0].command
    assert command == Reject("backend-production-7", "wrong *branch*", image().digest)


def test_the_forms_open_load_and_submit(stage: Stage) -> None:
    target = Target("backend", "production")
    release = Release(target, "app:5", image("c", "v1.2.1"), "backend-production-5", NOON)
    stage.intake.replies = {Rollback: Accepted("backend-production-8 rolls back.")}
    stage.intake.reply = RollbackForm(
        (target,), target, (release,), ("v1: expired",), ("Careful.",)
    )
    alice = stage.workspace.person("alice")
    assert alice.click(stage.card(Status.SUCCEEDED), Action.ROLL_BACK).error == ""
    stage.settle()
    (view,) = alice.views()
    assert "v1.2.1" in str(view.content)


def test_the_deploy_form_is_accepted_by_slack(stage: Stage) -> None:
    services = tuple(f"service-{number:03}" for number in range(250))
    stage.intake.reply = DeployForm(services, ("staging", "production"))
    alice = stage.workspace.person("alice")
    assert alice.command("/deploy").error == ""
    stage.settle()
    (view,) = alice.views()
    assert "service-249" in str(view.content)


def test_home_is_accepted_by_slack(stage: Stage) -> None:
    stage.intake.reply = DeploymentList("Queue", tuple(deployment(state) for state in Status))
    assert stage.workspace.person("alice").open_home().error == ""
    stage.settle()
    (home,) = stage.workspace.views(crew.ALICE)
    assert "Waiting for me" in str(home.content)


def test_a_mention_is_answered_to_that_person_alone(stage: Stage) -> None:
    stage.intake.reply = DeploymentList("Queue", ())
    stage.workspace.person("alice").mention(crew.DEPLOYMENTS, "queue")
    stage.settle()
    assert "Queue" in stage.workspace.person("alice").told()[-1].text


def read_as_mrkdwn(part: Any) -> Iterator[str]:
    """Every text in blocks that Slack would read as markup."""
    if isinstance(part, dict):
        if part.get("type") == "mrkdwn":
            yield part["text"]
        part = list(part.values())
    if isinstance(part, list | tuple):
        for one in part:
            yield from read_as_mrkdwn(one)


def test_every_state_of_a_card_is_accepted_by_slack(stage: Stage) -> None:
    stage.workspace.limits.factor = math.inf
    for state in Status:
        shown = stage.card(
            state,
            id=f"backend-production-{len(state)}",
            progress=Progress(desired=10, running=6, pending=1, failed=1, old=4),
            approvals_needed=2,
            expires_at=NOON,
            started_at=NOON,
            finished_at=NOON,
            reason="<!channel> *bold* `code` <https://evil.test|click>",
            explanation="\u202e\u200b<!here> (service x) was unable to place a task." * 100,
        )
        for text in (shown.text, *read_as_mrkdwn(shown.blocks)):
            assert "<!channel>" not in text
            assert "<!here>" not in text
            assert "*bold*" not in text


def test_a_message_is_found_again_by_its_key(stage: Stage) -> None:
    one = deployment()
    drawn = card(CardFacts(one), NOON)
    letter = Letter(crew.DEPLOYMENTS, f"{one.id}:card", drawn)
    posted = stage.messenger.post(letter)
    since = stage_now(stage)
    assert stage.messenger.find(letter, since) == posted
    assert stage.messenger.find(Letter(crew.DEPLOYMENTS, "other:card", drawn), since) is None
    note = Letter(crew.DEPLOYMENTS, f"{one.id}:event:1", drawn, thread_ts=posted.ts)
    in_thread = stage.messenger.post(note)
    assert stage.messenger.find(note, since) == in_thread
    direct = Letter(crew.ALICE, f"{one.id}:card", drawn)
    assert stage.messenger.find(direct, since) is None
    moved = stage.messenger.post(direct)
    assert moved.channel.startswith("D")
    assert stage.messenger.find(direct, since) == moved


def stage_now(stage: Stage) -> datetime:
    return datetime.fromtimestamp(stage.workspace.clock(), UTC)


def test_a_limit_says_for_how_long(stage: Stage) -> None:
    letter = Letter(crew.DEPLOYMENTS, "x:card", card(CardFacts(deployment()), NOON))

    def flood() -> None:
        for _ in range(200):
            stage.messenger.post(letter)

    with pytest.raises(Throttled) as raised:
        flood()
    assert raised.value.retry_after >= 1


def test_a_post_without_an_answer_is_unknown_and_an_update_can_be_repeated(stage: Stage) -> None:
    letter = Letter(crew.DEPLOYMENTS, "x:card", card(CardFacts(deployment()), NOON))
    posted = stage.messenger.post(letter)
    stage.workspace.inject(Fault("chat.postMessage", error="fatal_error"))
    with pytest.raises(Unknown):
        stage.messenger.post(letter)
    stage.workspace.inject(Fault("chat.update", error="internal_error"))
    with pytest.raises(Unreachable):
        stage.messenger.update(posted, letter.message)


def test_while_slack_is_away_nothing_is_sent(stage: Stage) -> None:
    letter = Letter(crew.DEPLOYMENTS, "x:card", card(CardFacts(deployment()), NOON))
    stage.workspace.go_down(Outage.REFUSED)
    with pytest.raises(Unreachable):
        stage.messenger.post(letter)
    stage.workspace.come_back()
    assert stage.messenger.find(letter, stage_now(stage)) is None


def test_faults_of_slack_are_told_apart(stage: Stage) -> None:
    letter = Letter(crew.GENERAL, "x:card", card(CardFacts(deployment()), NOON))
    with pytest.raises(ChannelGone, match="not_in_channel"):
        stage.messenger.post(letter)
    with pytest.raises(MessageGone):
        stage.messenger.update(Posted(crew.DEPLOYMENTS, "1.000000"), letter.message)


def test_the_outbox_delivers_one_card_and_follows_it(stage: Stage) -> None:
    one = deployment(channel=crew.DEPLOYMENTS)
    facts = {one.id: CardFacts(one)}
    deliveries = FakeDeliveries()
    route = Route(facts.get, lambda: None)
    deliverer = Deliverer(deliveries, route, stage.messenger, stage.clock, "replica-1")
    deliveries.owe(one.id, channel=crew.DEPLOYMENTS)
    assert deliverer.deliver_due() == 1
    deliveries.owe(one.id, "event:1", crew.DEPLOYMENTS, "A task was stopped.")
    facts[one.id] = CardFacts(deployment(Status.SUCCEEDED, channel=crew.DEPLOYMENTS))
    deliveries.owe(one.id)
    assert deliverer.deliver_due() == 2
    (shown,) = [m for m in stage.workspace.messages(crew.DEPLOYMENTS) if m.thread_ts is None]
    assert "succeeded" in shown.text
    assert shown.edited is not None
