from __future__ import annotations

from pathlib import Path

from bot.commands.model import Cancel, PauseAll
from bot.store.database import Database
from bot.store.session import make_engine
from bot.telemetry.metrics import Metrics
from tests.fakes.clock import FakeClock
from tests.fakes.inner_rooms import PRODUCTION, STAGING, Rooms


def scrape(metrics: Metrics) -> dict[str, float]:
    """Every sample of ours by its name and labels."""
    text, kind = metrics.render()
    assert kind.startswith("text/plain")
    samples = [line.rpartition(" ") for line in text.decode().splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in samples if name.startswith("quarterdeck_")}


def labels(environment: str, kind: str, status: str) -> str:
    return f'{{environment="{environment}",kind="{kind}",status="{status}"}}'


def test_a_scrape_is_what_the_database_says(rooms: Rooms) -> None:
    metrics = Metrics(rooms.database, lambda: False)
    idle = scrape(metrics)
    assert idle["quarterdeck_database_up"] == 1
    assert idle["quarterdeck_paused"] == idle["quarterdeck_outbox_owed"] == 0
    assert idle["quarterdeck_catalog_broken"] == 0
    rooms.says("alice", Cancel(rooms.deploy("v3").id))
    rooms.finished("v2")
    rooms.deploy("v2", PRODUCTION)
    rooms.started("v3", STAGING)
    rooms.says("iris", PauseAll("outage"))
    busy = scrape(metrics)
    assert busy["quarterdeck_paused"] == 1
    assert busy["quarterdeck_outbox_owed"] >= 4
    active, ended = "quarterdeck_deployments_active", "quarterdeck_deployments_ended_total"
    counts = {name: value for name, value in busy.items() if name.startswith((active, ended))}
    assert counts == {
        active + labels("staging", "deploy", "running"): 1,
        active + labels("production", "deploy", "awaiting_approval"): 1,
        ended + labels("staging", "deploy", "succeeded"): 1,
        ended + labels("staging", "deploy", "cancelled"): 1,
    }


def test_a_database_that_is_away_is_a_value(tmp_path: Path, clock: FakeClock) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    try:
        said = scrape(Metrics(Database(engine, clock), lambda: True))
    finally:
        engine.dispose()
    assert said == {"quarterdeck_database_up": 0, "quarterdeck_catalog_broken": 1}


def test_the_process_itself_is_measured_too(rooms: Rooms) -> None:
    text, _ = Metrics(rooms.database, lambda: False).render()
    assert b"process_resident_memory_bytes" in text
    assert b"python_info" in text
