"""S2 on two replicas: two approvers click in the same instant, each is heard by another process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.model.deployment import Status
from tests.conftest import postgres_copy
from tests.fakes.fleet import Fleet, at_once, fleet
from tests.fakes.harbour import Ship
from tests.fakes.shore import ShoreMaker

pytestmark = pytest.mark.xdist_group("postgres")

ROUNDS = 6


@pytest.fixture(scope="module")
def two(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory, shore: ShoreMaker
) -> Iterator[Replicas]:
    folder = tmp_path_factory.mktemp("two")
    with (
        contextmanager(postgres_copy)(postgres_server, "") as url,
        fleet(folder, database_url=url, shore=shore) as deck,
    ):
        other = Ship(deck.place, "other")
        try:
            other.start()
            yield Replicas(deck, other)
        finally:
            other.kill()


class Replicas:
    def __init__(self, deck: Fleet, other: Ship) -> None:
        self.deck = deck
        self.urls = (deck.ship.url, other.url)


def click_both(two: Replicas, deployment: str) -> None:
    """Bob's click reaches one replica in the instant in which Carol's reaches the other."""
    clicks = [
        two.deck.click(name, two.deck.card(deployment), "Approve") for name in ("bob", "carol")
    ]
    pairs = zip(clicks, two.urls, strict=True)
    at_once(*[lambda c=click, u=url: two.deck.send(c, url=u) for click, url in pairs])


def asked_for(deck: Fleet, environment: str) -> list[tuple[str, str]]:
    """Service and deployment id of a few requests."""
    services = [deck.service() for _ in range(ROUNDS)]
    for service in services:
        deck.asks("alice", f"{service} {environment} v2")
    return [(service, f"{service}-{environment}-1") for service in services]


def test_s2_two_replicas_decide_once(two: Replicas) -> None:
    deck = two.deck
    asked = asked_for(deck, "production")
    for _, deployment in asked:
        click_both(two, deployment)
    for service, deployment in asked:
        deck.until_told(f"{service}-production")
        deck.finish(deployment)
        rows = deck.actions(deployment)
        assert rows.count("deploy.approved done") == 1, rows
        assert rows.count("vote.approve allowed") == 1, rows
        assert rows.count("vote.approve denied ALREADY_DECIDED") == 1, rows
        assert deck.updates(f"{service}-production") == 1
        deck.until_card(deployment, "succeeded")


def test_s2_both_votes_that_were_needed_reach_different_replicas(two: Replicas) -> None:
    """Neither may count itself as the first of two: then nobody would start it."""
    deck = two.deck
    asked = asked_for(deck, "vault")
    for _, deployment in asked:
        click_both(two, deployment)
        rows = deck.actions(deployment)
        assert deck.get(deployment).status is not Status.AWAITING_APPROVAL, rows
    for service, deployment in asked:
        deck.until_told(f"{service}-vault")
        deck.finish(deployment)
        assert deck.actions(deployment).count("deploy.approved done") == 1
        assert deck.updates(f"{service}-vault") == 1


def test_s1_one_delivery_to_both_replicas_is_one_deployment(two: Replicas) -> None:
    deck = two.deck
    services = [deck.service() for _ in range(ROUNDS)]
    for service in services:
        request = deck.typed("alice", f"{service} staging v2")
        answers = at_once(*[lambda r=request, u=url: deck.send(r, url=u) for url in two.urls])
        assert all(f"{service}-staging-1" in answer for answer in answers), answers
    for service in services:
        (deployment,) = deck.of(service)
        deck.until_told(f"{service}-staging")
        deck.finish(deployment.id)
        assert deck.updates(f"{service}-staging") == 1
        deck.until_card(deployment.id, "succeeded")
