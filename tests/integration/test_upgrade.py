"""A newer release carries on with what the older one began, and an older one refuses to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.model.deployment import Status
from tests.fakes.fleet import Fleet, fleet
from tests.fakes.harbour import HOME, Ship
from tests.fakes.squadron import WHOLE, true_end

pytestmark = pytest.mark.xdist_group("upgrade")

#: A step that the next release adds to the workflow, as the engine wants it done.
BEFORE = '        persist("prepare", prepare, deployment_id)\n'
AFTER = (
    '        if DBOS.patch("look-twice"):\n'
    '            once("look", steps.remaining, deployment_id)\n' + BEFORE
)


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Fleet]:
    (tmp_path / "old").mkdir()
    with fleet(tmp_path / "old") as deck:
        yield deck


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    """This checkout with another workflow body: the engine takes that for another application."""
    home = tmp_path / "next"
    for room in ("bot", "migrations"):
        shutil.copytree(HOME / room, home / room, ignore=shutil.ignore_patterns("__pycache__"))
    body = home / "bot" / "workflows" / "rollout.py"
    text = body.read_text()
    assert text.count(BEFORE) == 1
    body.write_text(text.replace(BEFORE, AFTER))
    return home


def test_the_next_release_carries_on_with_what_runs(deck: Fleet, next_release: Path) -> None:
    first, second = deck.service(), deck.service()
    deck.place.push(first, "v3")
    for text in (f"{first} staging v2", f"{first} staging v3", f"{second} production v2"):
        deck.asks("alice", text)
    deck.until_row(f"{first}-staging-1", "rollout.tell done")
    card = deck.card(f"{second}-production-1")

    assert deck.ship.terminate() == 0
    deck.ship = Ship(deck.place, "next", home=next_release)
    deck.ship.start()

    deck.clicks("bob", card, "Approve", as_seen=True)
    assert deck.actions(deck.finish(f"{first}-staging-1").id) == WHOLE
    assert deck.actions(deck.finish(f"{first}-staging-2").id) == WHOLE
    true_end(deck, f"{second}-production-1")
    assert deck.updates(f"{first}-staging") == 2


def test_a_release_that_is_older_than_the_database_refuses_it(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deck.ship.terminate()
    with deck.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(AssertionError, match="which this release does not know"):
        deck.ship.start()

    assert deck.ship.ended() == 2
    assert deck.get(f"{service}-production-1").status is Status.AWAITING_APPROVAL
