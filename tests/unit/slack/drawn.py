"""Deployments to draw and to deliver, and how to read what was drawn."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.model.canary import Canary, Crew, Judgement, Past, Phase
from bot.model.canary_plan import CanaryLimits, CanaryPlan, CanaryStep, Rollout
from bot.model.deployment import Deployment, Image, Kind, Person, Status, Target
from bot.model.reply import CardFacts
from bot.slack.messenger import Picture
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


PLAN = CanaryPlan(
    rollout=Rollout(namespace="web", name="backend"),
    steps=(
        CanaryStep(share=0.1, bake=timedelta(minutes=15)),
        CanaryStep(share=0.25, bake=timedelta(minutes=5)),
        CanaryStep(share=0.5),
    ),
    limits=CanaryLimits(p95=0.8),
)
WORSE = Judgement(
    "abort",
    "errors",
    "Canary 2.1 % errors of 4,812, stable 0.3 % of 43,201; the odds against chance are 4,000 to 1.",
    4000.0,
    (4812, 101, 1200, 240, 50, 9, 24),
    (43201, 130, 10800, 2160, 430, 80, 43),
)


def a_canary(phase: Phase = Phase.BAKING, **changes: Any) -> Canary:
    """At the second of three steps, with a quarter of the traffic."""
    one = Canary(
        "backend-production-7",
        PLAN,
        phase,
        NOON,
        step=1,
        share=0.25,
        shifts=(NOON, NOON),
        past=Past((), 60, (0.1, 0.2, 0.3)),
        canary=Crew(3, 3, 2),
        stable=Crew(10, 10, 10),
    )
    return replace(one, **changes)


def dump(message: Message) -> str:
    return json.dumps([block.to_dict() for block in message.blocks], ensure_ascii=False)


@dataclass
class Outbox:
    """A deliverer and everything around it."""

    announce_in: str | None = None
    facts: dict[str, CardFacts] = field(default_factory=dict)
    charts: dict[str, Picture] = field(default_factory=dict)
    chart_fault: Exception | None = None
    deliveries: FakeDeliveries = field(default_factory=FakeDeliveries)
    messenger: FakeMessenger = field(default_factory=FakeMessenger)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        route = Route(self.facts.get, lambda: self.announce_in, self._draw)
        self.deliverer = Deliverer(self.deliveries, route, self.messenger, self.clock, "replica-1")

    def _draw(self, deployment_id: str) -> Picture | None:
        if self.chart_fault is not None:
            raise self.chart_fault
        return self.charts.get(deployment_id)

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
