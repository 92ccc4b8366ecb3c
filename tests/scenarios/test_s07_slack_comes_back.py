"""S7: Slack down, the bot not in the channel, archived, deleted. The deployment goes on."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from threading import Thread
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from bot.model.deployment import Status
from bot.playground.slack.records import Fault, Message, Outage
from tests.fakes.fleet import CHANNEL, Fleet, fleet, fleet_catalog
from tests.fakes.shore import ShoreMaker

pytestmark = pytest.mark.xdist_group("s7")

OPS = "C0OPSROOM"


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory, shore: ShoreMaker) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("slack")
    with fleet(folder, catalog=fleet_catalog(top=f"announce_in: {OPS}"), shore=shore) as deck:
        everybody = [deck.workspace.member(name) for name in ("alice", "bob", "carol")]
        deck.workspace.add_channel("ops", everybody, id=OPS)
        yield deck


def running(deck: Fleet, channel: str = CHANNEL) -> str:
    """A deployment to staging that ECS has been told about, and whose card is there."""
    service = deck.service()
    person = deck.person("alice")
    deck.privately(
        "alice", lambda: person.command("/deploy", f"{service} staging v2", channel=channel)
    )
    deck.until_told(f"{service}-staging")
    deck.until_card(f"{service}-staging-1", "running")
    return f"{service}-staging-1"


@pytest.mark.parametrize("how", [Outage.REFUSED, Outage.UNAVAILABLE])
def test_s7_slack_is_down_and_the_deployment_ends_without_it(deck: Fleet, how: Outage) -> None:
    deployment = running(deck)
    card = deck.card(deployment)
    deck.workspace.go_down(how)
    try:
        deck.finish(deployment)
        assert deck.actions(deployment)[-1] == "deploy.succeeded done"
        deck.until(lambda: tries(deck, deployment) > 1, "the card's end to be tried in vain")
        assert "running" in str(deck.card(deployment).blocks)
    finally:
        deck.workspace.come_back()
    assert deck.until_card(deployment, "succeeded").ts == card.ts


def tries(deck: Fleet, deployment: str) -> int:
    """How often the card as it should be now was tried without success."""
    query = "SELECT attempts FROM outbox WHERE deployment_id = :id AND key = 'card'"
    owed = sa.text(f"{query} AND wanted > shown")
    with deck.engine.connect() as connection:
        return int(connection.scalar(owed, {"id": deployment}) or 0)


@pytest.mark.parametrize("how", [Outage.ANSWER_LOST, Outage.UNAVAILABLE])
def test_s7_an_answer_that_is_lost_makes_no_second_card(deck: Fleet, how: Outage) -> None:
    deck.workspace.inject(Fault("chat.postMessage", outage=how))
    deployment = running(deck)
    deck.workspace.inject(Fault("chat.postMessage", outage=how, times=2))
    deck.workspace.inject(Fault("chat.update", outage=how))
    deck.finish(deployment)
    card = deck.until_card(deployment, "succeeded")
    deck.until(lambda: said(deck, deployment, "ended"), "the note of the end")
    keys = [message.key for message in deck.workspace.thread(CHANNEL, card.ts)]
    assert len(keys) == len(set(keys))


def said(deck: Fleet, deployment: str, key: str) -> bool:
    """Whether the thread has a note."""
    card = deck.card(deployment)
    thread = deck.workspace.thread(card.channel, card.ts)
    return any(message.key == f"{deployment}:thread:{key}" for message in thread)


def test_s7_the_bot_is_not_in_the_channel(deck: Fleet) -> None:
    alice = deck.workspace.member("alice")
    lobby = deck.workspace.add_channel("lobby", [alice], bot=False)
    deployment = running(deck, lobby.id)
    deck.finish(deployment)
    card = deck.until_card(deployment, "succeeded")
    assert card.channel == OPS
    assert f"<#{lobby.id}> cannot be reached" in str(card.blocks)


def test_s7_the_channel_is_archived_in_mid_rollout(deck: Fleet) -> None:
    alice = deck.workspace.member("alice")
    old = deck.workspace.add_channel("old", [alice])
    deployment = running(deck, old.id)
    old.archived = True
    deck.finish(deployment)

    def moved() -> list[Message]:
        return [c for c in deck.cards(deployment) if c.channel == OPS and "succeeded" in c.text]

    deck.until(moved, "the card in its new place")
    (card,) = moved()
    assert f"<#{old.id}> cannot be reached" in str(card.blocks)


def test_s7_no_channel_is_left_so_the_requester_is_told(deck: Fleet) -> None:
    alice = deck.workspace.member("alice")
    old = deck.workspace.add_channel("older", [alice])
    ops = deck.workspace.channel(OPS)
    old.archived = False
    deployment = running(deck, old.id)
    old.archived = ops.archived = True
    try:
        deck.finish(deployment)
        direct = deck.workspace.direct("U0ALICE01").id
        deck.until(lambda: [c for c in deck.cards(deployment) if c.channel == direct], "the card")
        (card,) = [c for c in deck.cards(deployment) if c.channel == direct]
        assert "succeeded" in card.text
    finally:
        ops.archived = False


def test_s7_a_deleted_card_is_posted_anew_and_says_so(deck: Fleet) -> None:
    deployment = running(deck)
    deck.workspace.remove(deck.card(deployment))
    deck.finish(deployment)
    card = deck.until_card(deployment, "succeeded")
    assert card.channel == CHANNEL
    assert "Posted anew" in str(card.blocks)


def status(deck: Fleet, path: str, body: bytes | None = None) -> int:
    address = urlsplit(deck.ship.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request("GET" if body is None else "POST", f"/{path}", body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_s7_the_bot_starts_while_slack_is_down_and_carries_on_what_runs(own_deck: Fleet) -> None:
    deck = own_deck
    deployment = running(deck)
    deck.ship.kill()
    deck.workspace.go_down(Outage.REFUSED)
    starting = Thread(target=deck.ship.start)
    starting.start()
    try:
        deck.finish(deployment)
        assert deck.get(deployment).status is Status.SUCCEEDED
        assert starting.is_alive()  # not ready: nobody can be heard yet
        # Who watches over the process must not take it for dead, and Slack is told to wait.
        assert [status(deck, path) for path in ("healthz", "readyz")] == [200, 503]
        assert status(deck, "slack/events", b"payload=1") == 503
    finally:
        deck.workspace.come_back()
        starting.join()
    deck.until_card(deployment, "succeeded")
