"""L4: the same image is asked for twice in the same second. One wins; the loser leaves no trace
that could be rolled back to. shipit-engine#274
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest

from bot.model.deployment import Target
from tests.fakes.fleet import Fleet, at_once
from tests.fakes.shore import ShoreMaker
from tests.fakes.squadron import Squadron, squadron, true_end

pytestmark = pytest.mark.xdist_group("l4")

PEOPLE = ("alice", "bob", "carol", "dave", "erin")


def race(deck: Fleet, service: str, urls: tuple[str, ...] = ("",)) -> None:
    requests = [deck.typed(name, f"{service} staging v2") for name in PEOPLE]
    routes = zip(requests, cycle(urls), strict=False)
    at_once(*[partial(deck.send, request, url=url) for request, url in routes])

    def decided() -> bool:
        rows = deck.rows(target=f"{service}/staging", action="deploy.requested")
        return len(rows) == len(PEOPLE)

    deck.until(decided, "every request to be decided")


def one_wins(deck: Fleet, service: str) -> None:
    rows = deck.rows(target=f"{service}/staging", action="deploy.requested")
    verdicts = sorted((row.entry.decision, row.entry.reason_code) for row in rows)
    assert verdicts == [("allowed", ""), *[("denied", "DUPLICATE")] * (len(PEOPLE) - 1)]
    (winner,) = deck.of(service)
    true_end(deck, winner.id)
    with deck.database.read() as tx:
        good = tx.releases.known_good(Target(service, "staging"))
    assert [release.deployment_id for release in good] == [winner.id, None]
    # Nothing else to go back to than what ran before anybody asked.
    deck.asks("iris", f"{service} staging", slash="/rollback")
    back = deck.finish(deck.of(service)[-1].id)
    assert winner.previous is not None
    assert back.image.digest == winner.previous.digest


def test_l4_one_of_many_wins(deck: Fleet) -> None:
    service = deck.service()
    race(deck, service)
    one_wins(deck, service)


@pytest.fixture
def squad(postgres_url: str, tmp_path: Path, shore: ShoreMaker) -> Iterator[Squadron]:
    with squadron(tmp_path, postgres_url, "a", "b", shore=shore) as squad:
        yield squad


def test_l4_one_of_many_wins_across_replicas(squad: Squadron) -> None:
    deck, service = squad.deck, squad.deck.service()
    race(deck, service, tuple(ship.url for ship in squad.ships.values()))
    one_wins(deck, service)
