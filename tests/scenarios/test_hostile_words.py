"""What people type and fill in to break things: shown as text, refused privately, not acted on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.model.deployment import Status
from tests.fakes.harbour import CHANNEL, Deck, harbour

INJECTION = "<!channel> <@U0BOB0001> *bold* _it_ ~s~ `c` :tada: <#C0DEPLOYS>"


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deck]:
    """Staging, and a production that waits for one approval."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    with harbour(folder) as deck:
        yield deck


def marked_up(blocks: Any) -> str:
    """Every text of a message that Slack reads as mrkdwn."""
    if isinstance(blocks, dict):
        own = str(blocks["text"]) if blocks.get("type") == "mrkdwn" else ""
        return own + "".join(marked_up(part) for part in blocks.values())
    if isinstance(blocks, list | tuple):
        return "".join(marked_up(part) for part in blocks)
    return ""


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("x" * 40_000, "TOO_LONG"),
        (f"lock backend staging --reason {'y' * 501}", "TOO_LONG"),
        ("backend staging v2 \x07", "CONTROL_CHARACTER"),
        ("backend staging v2 \u202e", "CONTROL_CHARACTER"),
        ('backend staging v2 --reason "open', "UNBALANCED_QUOTE"),
        ("backend staging <!channel>", "BAD_VERSION"),
        ("backend staging ../../etc/passwd", "BAD_VERSION"),
        ("backend staging v99", "IMAGE_NOT_FOUND"),
        ("bakend staging", "UNKNOWN_SERVICE"),
        ("backend nowhere", "UNKNOWN_ENVIRONMENT"),
        ("backend staging v2 --raeson x", "UNKNOWN_OPTION"),
        ("approve backend-staging-99", "UNKNOWN_DEPLOYMENT"),
        ("freeze staging --from yesterday", "BAD_TIME"),
    ],
)
def test_nonsense_is_refused_with_its_code_and_changes_nothing(
    deck: Deck, typed: str, code: str
) -> None:
    before = deck.all()
    said = deck.says("alice", typed)
    assert f"Reason code {code}. Nothing was changed." in said
    assert deck.all() == before


def test_a_reason_is_text_wherever_it_is_shown(deck: Deck) -> None:
    deck.says("alice", f"analytics production v1 --reason {INJECTION}")
    card = deck.card("analytics-production-1")
    said = deck.says("alice", f"lock backend production --for 2h --reason {INJECTION}")
    shown = [card.text, marked_up(card.blocks), said]
    for slash in ("locks", "status", "audit", "why backend production"):
        did = deck.person("bob").command("/deploy", slash, channel=CHANNEL)
        shown += [marked_up(message.blocks) for message in did.said]
    deck.says("alice", "unlock backend production")
    for text in shown:
        for live in ("<!channel>", "*bold*", "`c`", ":tada:", "<#C0DEPLOYS>"):
            assert live not in text


def test_a_form_is_held_to_the_rules_of_what_is_typed(deck: Deck) -> None:
    alice = deck.person("alice")
    before = deck.all()
    alice.command("/deploy", "", channel=CHANNEL)
    deck.until(lambda: "Services" in str(alice.views()[-1].content), "the filled form")
    filled = {"Services": ["backend"], "Environment": "staging", "Version": "v2"}
    did = alice.submit(alice.views()[-1], {**filled, "Reason": "fine \u202eesrever"})
    assert "control character" in did.errors["reason"]
    assert deck.all() == before


def test_a_freeze_for_later_is_not_told_as_one_in_force(deck: Deck) -> None:
    assert "staging will be frozen from" in deck.says(
        "iris", "freeze staging --from tomorrow 08:00"
    )
    assert "frozen from" in deck.says("alice", "locks")
    assert "no longer frozen" in deck.says("iris", "unfreeze staging")


def test_going_back_to_what_runs_says_so(deck: Deck) -> None:
    for version in ("v2", "v1"):
        number = 1 + sum(d.target.environment == "staging" for d in deck.all())
        deck.says("alice", f"backend staging {version}")
        deck.until_status(f"backend-staging-{number}", Status.SUCCEEDED)
    said = deck.says("alice", "backend staging v1", slash="/rollback")
    assert "v1 is what runs there now" in said
    assert "Reason code UNKNOWN_VERSION" in said


def test_only_the_catalogs_last_good_edit_is_in_force_and_the_log_says_why(deck: Deck) -> None:
    catalog = deck.place.folder / "quarterdeck.yaml"
    good = catalog.read_text()
    try:
        deck.place.write_catalog("services: [oops")
        deck.until(
            lambda: deck.ship.ready() and "catalog_broken" in deck.ship.log(), "the broken edit"
        )
        assert "backend" in deck.says("alice", "status backend")
    finally:
        deck.place.write_catalog(good)
