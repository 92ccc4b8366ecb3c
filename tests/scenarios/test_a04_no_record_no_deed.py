"""A4: what cannot be recorded is not done: not in Slack, not in ECS, not in the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from bot.model.deployment import Status
from tests.fakes.fleet import CHANNEL, Fleet

pytestmark = pytest.mark.xdist_group("a4")

#: Every table in which a deed could show, the workflow engine's own among them.
TABLES = (
    "deployments",
    "votes",
    "locks",
    "freezes",
    "pauses",
    "releases",
    "outbox",
    "audit",
    "audit_head",
    "counters",
    "workflow_status",
    "notifications",
)


@contextmanager
def refused(deck: Fleet, when: str = "1") -> Iterator[None]:
    """The database refuses new rows of the audit trail, where ``when`` holds of them."""
    body = "BEGIN SELECT RAISE(ABORT, 'the audit trail is full'); END"
    with deck.engine.begin() as connection:
        connection.execute(
            sa.text(f"CREATE TRIGGER full_up BEFORE INSERT ON audit WHEN {when} {body}")
        )
    try:
        yield
    finally:
        with deck.engine.begin() as connection:
            connection.execute(sa.text("DROP TRIGGER full_up"))


def contents(deck: Fleet) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is stored."""
    with deck.engine.connect() as connection:
        found = {
            table: connection.execute(sa.select(sa.text("*")).select_from(sa.table(table))).all()
            for table in TABLES
        }
    return {table: sorted(map(tuple, rows), key=str) for table, rows in found.items()}


@pytest.mark.parametrize(
    ("name", "slash", "text"),
    [
        ("alice", "/deploy", "{fresh} staging v2"),
        ("alice", "/deploy", "{fresh} production v2"),
        ("alice", "/deploy", "{fresh} staging no-such-tag"),
        ("bob", "/deploy", "approve {waiting}"),
        ("bob", "/deploy", "reject {waiting} --reason no"),
        ("alice", "/deploy", "cancel {waiting}"),
        ("iris", "/rollback", "{shipped} staging"),
        ("alice", "/deploy", "retry {shipped}-staging-1"),
        ("bob", "/deploy", "lock {fresh} production"),
        ("bob", "/deploy", "freeze vault"),
        ("bob", "/deploy", "pause-all"),
        ("gus", "/deploy", "status"),
        ("iris", "/deploy", "approve {waiting}"),
    ],
)
def test_a4_no_command_does_anything_that_it_cannot_record(
    deck: Fleet, place: dict[str, str], name: str, slash: str, text: str
) -> None:
    calls = deck.shore.writes(), len(deck.workspace.messages(CHANNEL))
    before = contents(deck)
    with refused(deck):
        answer = deck.asks(name, text.format(**place), slash)
        assert "CANNOT_RECORD" in answer, answer
        assert contents(deck) == before
    after = deck.shore.writes(), len(deck.workspace.messages(CHANNEL))
    assert after == calls


def test_a4_a_click_that_cannot_be_recorded_does_nothing(
    deck: Fleet, place: dict[str, str]
) -> None:
    card = deck.card(place["waiting"])
    with refused(deck):
        before = contents(deck)
        assert "CANNOT_RECORD" in deck.clicks("bob", card, "Approve")
        assert contents(deck) == before
    assert deck.get(place["waiting"]).status is Status.AWAITING_APPROVAL


@pytest.fixture(scope="module")
def place(deck: Fleet) -> dict[str, str]:
    """A fresh service, a deployment that waits, and a service that was shipped."""
    fresh, other, shipped = deck.service(), deck.service(), deck.service()
    deck.asks("alice", f"{shipped} staging v2")
    deck.finish(f"{shipped}-staging-1")
    deck.until_card(f"{shipped}-staging-1", "succeeded")
    deck.asks("alice", f"{other} vault v2")
    deck.until_card(f"{other}-vault-1", "Approve")
    deck.until(lambda: quiet(deck), "the bot to have nothing to do")
    return {"fresh": fresh, "waiting": f"{other}-vault-1", "shipped": shipped}


def quiet(deck: Fleet) -> bool:
    """Whether Slack has been told everything, and no workflow has anything to do."""
    owed = sa.text("SELECT count(*) FROM outbox WHERE wanted > shown")
    busy = sa.text("SELECT count(*) FROM workflow_status WHERE status IN ('PENDING', 'ENQUEUED')")
    with deck.engine.connect() as connection:
        return not (connection.scalar(owed) or connection.scalar(busy))


def test_a4_ecs_is_not_told_before_the_intent_is_written(own_deck: Fleet) -> None:
    deck = own_deck
    service = deck.service()
    with refused(deck, "NEW.action = 'rollout.tell' AND NEW.decision = 'intent'"):
        deck.asks("alice", f"{service} staging v2")
        deployment = f"{service}-staging-1"
        deck.until_status(deployment, Status.RUNNING)
        deck.until(lambda: "Trying again" in deck.get(deployment).explanation, "the fault")
        assert deck.updates(f"{service}-staging") == 0
    deck.until_told(f"{service}-staging")
    deck.finish(deployment)
    assert deck.updates(f"{service}-staging") == 1


def test_a4_nothing_starts_and_nothing_ends_without_its_row(own_deck: Fleet) -> None:
    deck = own_deck
    service, first, second = deck.queued()
    with refused(deck):
        deck.shore.advance(3600)
        deck.until(lambda: "cannot observe" in deck.ship.log(), "the observer to fail")
        assert deck.get(first).status is Status.RUNNING
        assert deck.get(second).status is Status.QUEUED
        assert deck.updates(f"{service}-production") == 1
    deck.finish(first)
    deck.until_told(f"{service}-production", 2)
    deck.finish(second)
    for deployment in (first, second):
        assert deck.actions(deployment)[-1] == "deploy.succeeded done"
    with deck.database.read() as tx:
        assert tx.audit.verify().damage is None


def test_a4_a_rejection_records_who_rejected_and_why(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} vault v2")
    deployment = f"{service}-vault-1"
    deck.asks("carol", f"reject {deployment} --reason migration first")
    rows = [r.entry for r in deck.rows(deployment_id=deployment)][-2:]
    assert [(e.action, e.decision) for e in rows] == [
        ("vote.reject", "allowed"),
        ("deploy.rejected", "failed"),
    ]
    for entry in rows:
        assert (entry.actor.id, entry.actor.name) == ("U0CAROL01", "carol")
        assert "migration first" in entry.reason
        assert entry.to_digest == deck.get(deployment).image.digest
    ended_by = deck.get(deployment).ended_by
    assert ended_by is not None
    assert ended_by.id == "U0CAROL01"
