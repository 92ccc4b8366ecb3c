"""E15 through the whole bot: a freeze that spans midnight holds at the request and at the start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.model.deployment import Status
from tests.fakes.fleet import Fleet, fleet_catalog

pytestmark = pytest.mark.xdist_group("e15-midnight")


def zone_where_it_is(hour: int) -> tuple[str, timezone]:
    """A time zone whose clocks show that hour now, by name and by offset."""
    east = (hour - datetime.now(UTC).hour) % 24
    east = east if east <= 14 else east - 24
    # POSIX: Etc/GMT-3 is three hours east of Greenwich.
    return f"Etc/GMT{-east:+d}", timezone(timedelta(hours=east))


def night(zone: str) -> str:
    return (
        "    freezes:\n"
        f"      - {{name: night, cron: '0 22 * * *', duration: 6h, time_zone: {zone}, "
        "reason: nobody is awake}\n"
    )


def believe(deck: Fleet, catalog: str, *, frozen: bool) -> None:
    """Write the catalog, and wait until the bot has read it."""
    deck.place.write_catalog(catalog)
    deck.until(
        lambda: ("FROZEN" in deck.asks("alice", "why svc0 production")) == frozen, "the catalog"
    )


@pytest.mark.parametrize("hour", [23, 0, 3], ids=["before", "at", "after"])
def test_e15_a_night_is_frozen_on_both_sides_of_midnight(deck: Fleet, hour: int) -> None:
    name, offset = zone_where_it_is(hour)
    believe(deck, fleet_catalog(), frozen=False)
    service, first, second = deck.queued()
    believe(deck, fleet_catalog(freezes=night(name)), frozen=True)
    deck.finish(first)
    refused = deck.finish(second, Status.REFUSED)
    assert refused.reason_code == "FROZEN"
    assert "night" in refused.explanation
    assert deck.updates(f"{service}-production") == 1

    answer = deck.asks("alice", f"{service} production v3")
    assert "FROZEN" in answer
    assert f"until {end_of_night(offset):%Y-%m-%d %H:%M} UTC" in answer
    assert len(deck.of(service, "production")) == 2
    answer_elsewhere = deck.asks("alice", f"{service} staging v2")
    assert "FROZEN" not in answer_elsewhere

    # E16: the way back is open at night.
    deck.asks("iris", f"{service} production --reason woken up", "/rollback")
    deck.until_told(f"{service}-production", 2)
    deck.finish(f"{service}-production-3")


def end_of_night(offset: timezone) -> datetime:
    """The next four in the morning there, as a person reads it off the clock."""
    now = datetime.now(UTC).astimezone(offset)
    four = now.replace(hour=4, minute=0, second=0, microsecond=0)
    return (four if now < four else four + timedelta(days=1)).astimezone(UTC)
