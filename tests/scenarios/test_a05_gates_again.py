"""A5: the gates run again at the start: approved on Friday at 17:59, frozen at 18:00."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.model.deployment import Status
from tests.fakes.fleet import Fleet

pytestmark = pytest.mark.xdist_group("a5")


@pytest.fixture(autouse=True)
def clear(deck: Fleet) -> Iterator[None]:
    """Nothing that a test puts in the way stays there."""
    yield
    deck.asks("iris", "unfreeze production")
    deck.asks("iris", "resume-all")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("freeze production --reason release party", "FROZEN"),
        ("pause-all --reason incident", "PAUSED"),
        ("lock {service} production --reason load test", "LOCKED"),
        ("lock * production --reason load test", "LOCKED"),
    ],
)
def test_a5_what_was_put_in_the_way_after_the_approval_stops_it(
    deck: Fleet, command: str, code: str
) -> None:
    service, first, second = deck.queued()
    deck.asks("iris" if "lock" not in command else "bob", command.format(service=service))
    deck.finish(first)
    refused = deck.finish(second, Status.REFUSED)
    if "*" in command:
        deck.asks("bob", "unlock * production")
    assert refused.reason_code == code
    assert "/deploy retry" in refused.explanation
    assert deck.updates(f"{service}-production") == 1
    assert deck.actions(second)[-1] == f"deploy.refused failed {code}"
    assert code in str(deck.until_card(second, "refused").blocks)
    assert code in deck.asks("alice", f"why {second}")


def test_a5_what_runs_when_the_freeze_begins_runs_on(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deck.asks("bob", f"approve {service}-production-1")
    deck.until_told(f"{service}-production")
    deck.asks("iris", "freeze production --reason now")
    deck.finish(f"{service}-production-1")


def test_a5_an_override_that_was_granted_holds_at_the_start(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("carol", "freeze production --reason sale")
    assert "FROZEN" in deck.asks("alice", f"{service} production v2")
    assert "OVERRIDE" in deck.asks("alice", f"{service} production v2 --override-freeze")
    assert "OVERRIDE_NEEDS_REASON" in deck.asks("iris", f"{service} production --override-freeze")
    deck.asks("iris", f"{service} production v2 --override-freeze --reason fixes the outage")
    deployment = f"{service}-production-1"
    deck.asks("bob", f"approve {deployment}")
    deck.until_told(f"{service}-production")
    deck.finish(deployment)
    started = next(
        r.entry for r in deck.rows(deployment_id=deployment) if r.entry.action == "deploy.started"
    )
    assert "sale" in started.detail["freeze_override"]


def test_a5_nothing_in_the_way_lets_it_start(deck: Fleet) -> None:
    """The other side of it: the same way without a freeze ends in ECS."""
    service, first, second = deck.queued()
    deck.finish(first)
    deck.until_told(f"{service}-production", 2)
    deck.finish(second)
