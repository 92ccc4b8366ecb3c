"""Several replicas of the bot on one PostgreSQL, and what must be true after any mishap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.model.deployment import Deployment, Status
from tests.fakes.fleet import Fleet, fleet_catalog
from tests.fakes.harbour import Ship, outside
from tests.fakes.shore import ShoreMaker, ecs_shore

#: The shortest and the longest lease that the settings allow, in seconds.
SHORT, LONG = "5", "300"

#: The audit rows of a deployment that needed no approval and went well.
WHOLE = [
    "deploy.requested allowed",
    "deploy.started intent",
    "rollout.tell intent",
    "rollout.tell done",
    "deploy.succeeded done",
]


class Squadron:
    """``ships`` by name, and the deck to play on. Slack talks to the ship that was faced last."""

    def __init__(self, deck: Fleet, lease: str) -> None:
        self.deck = deck
        self.lease = lease
        self.ships: dict[str, Ship] = {}

    def launch(self, name: str, command: str = "run") -> Ship:
        """Start one more replica."""
        ship = self.ships[name] = Ship(self.deck.place, name, command=command)
        ship.start(QUARTERDECK_LEASE_SECONDS=self.lease)
        return ship

    def face(self, ship: Ship) -> None:
        """Let Slack talk to this replica from now on."""
        self.deck.ship = ship
        self.deck.workspace.connect(f"{ship.url}/slack/events")

    def owner(self, deployment_id: str) -> Ship:
        """The replica that carries the deployment out."""
        names = {ship.replica: ship for ship in self.ships.values()}
        return names[self.deck.get(deployment_id).owner or ""]

    def other(self, ship: Ship) -> Ship:
        """One of the others."""
        return next(each for each in self.ships.values() if each is not ship)


@contextmanager
def squadron(
    folder: Path,
    database_url: str,
    *names: str,
    lease: str = SHORT,
    shore: ShoreMaker = ecs_shore,
) -> Iterator[Squadron]:
    """Stand-ins and as many replicas as there are names; everything is gone afterwards."""
    with outside(folder, database_url, speed=0.0, shore=shore) as place:
        place.write_catalog(fleet_catalog())
        deck = Fleet(place)
        squad = Squadron(deck, lease)
        try:
            for name in names:
                squad.face(squad.launch(name))
            yield squad
        finally:
            for ship in squad.ships.values():
                ship.kill()
            deck.engine.dispose()


def registered(deck: Fleet, family: str) -> int:
    """How many task definitions of a family the bot has made."""
    return sum(
        call.took_effect and call.parameters["family"] == family
        for call in deck.world.calls("RegisterTaskDefinition")
    )


def told(deck: Fleet, name: str) -> list[str]:
    """The digests that the provider was told to roll a service to, in order."""
    return deck.shore.told(name)


def true_end(deck: Fleet, deployment_id: str, end: Status = Status.SUCCEEDED) -> Deployment:
    """The deployment has ended so; the provider was told once; it has one card, which says so."""
    found = deck.finish(deployment_id, end)
    assert deck.updates(f"{found.target.service}-{found.target.environment}") == 1
    deck.until_card(deployment_id, end.value.replace("_", " "))
    whole(deck)
    return found


def whole(deck: Fleet) -> None:
    """The audit trail can be proven."""
    with deck.database.read() as tx:
        verdict = tx.audit.verify()
    assert verdict.intact, verdict
