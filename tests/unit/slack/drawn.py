"""Deployments to draw and to deliver, and how to read what was drawn."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from bot.model.deployment import Deployment, Image, Kind, Person, Status, Target
from bot.model.reply import CardFacts
from bot.slack.outbox import Deliverer, Route
from bot.slack.views.message import Message
from tests.fakes.deliveries import FakeDeliveries
from tests.fakes.slack_api import FakeClock, FakeMessenger

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ALICE = Person("U0ALICE", "alice")
BOB = Person("U0BOB", "bob")
REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/backend"


def image(letter: str = "a", ref: str = "v1.2.3") -> Image:
    return Image(REPOSITORY, "sha256:" + letter * 64, ref)


def deployment(status: Status = Status.RUNNING, **changes: Any) -> Deployment:
    one = Deployment(
        id="backend-production-7",
        kind=Kind.DEPLOY,
        target=Target("backend", "production"),
        requester=ALICE,
        requester_is_bot=False,
        channel="C1",
        image=image(),
        previous=image("b", "v1.2.2"),
        previous_revision="app:6",
        reason="checkout fix",
        status=status,
        created_at=NOON,
        request_id="slash-1",
    )
    return replace(one, **changes)


def dump(message: Message) -> str:
    return json.dumps([block.to_dict() for block in message.blocks], ensure_ascii=False)


@dataclass
class Outbox:
    """A deliverer and everything around it."""

    announce_in: str | None = None
    facts: dict[str, CardFacts] = field(default_factory=dict)
    deliveries: FakeDeliveries = field(default_factory=FakeDeliveries)
    messenger: FakeMessenger = field(default_factory=FakeMessenger)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        route = Route(self.facts.get, lambda: self.announce_in)
        self.deliverer = Deliverer(self.deliveries, route, self.messenger, self.clock, "replica-1")

    def owe_card(
        self, status: Status = Status.RUNNING, *, current: bool = True, **changes: Any
    ) -> int:
        one = deployment(status, **changes)
        self.facts[one.id] = CardFacts(one, current=current)
        return self.deliveries.owe(one.id, channel=one.channel)

    def deliver(self, passes: int = 1, seconds: float = 0) -> int:
        reached = 0
        for _ in range(passes):
            reached += self.deliverer.deliver_due()
            self.clock.pass_by(seconds=seconds)
        return reached
