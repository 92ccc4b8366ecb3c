"""A3: rights are those of the moment of the start. Who left the group has approved nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.model.deployment import Status
from tests.fakes.fleet import CHANNEL, Fleet

pytestmark = pytest.mark.xdist_group("a3")


@pytest.fixture
def captains(deck: Fleet) -> Iterator[list[str]]:
    """The members of the group of approvers, put back afterwards."""
    members = deck.workspace.groups["S0CAPTAIN"].members
    before = list(members)
    yield members
    members[:] = before


@contextmanager
def deactivated(deck: Fleet, name: str) -> Iterator[None]:
    """Slack's news of it is lost; that of the return is not."""
    member = deck.workspace.member(name)
    member.deleted = True
    try:
        yield
    finally:
        member.deleted = False
        deck.changed(name)


def test_a3_the_approver_leaves_while_it_waits_for_its_turn(
    deck: Fleet, captains: list[str]
) -> None:
    service, first, second = deck.queued(approver="dave")
    captains.remove("U0DAVE00")
    deck.finish(first)
    refused = deck.finish(second, Status.REFUSED)
    assert refused.reason_code == "APPROVAL_LAPSED"
    assert deck.updates(f"{service}-production") == 1
    assert deck.actions(second)[-1] == "deploy.refused failed APPROVAL_LAPSED"
    assert "approval" in str(deck.until_card(second, "APPROVAL_LAPSED").blocks)


def test_a3_the_first_of_two_approvers_leaves_before_the_second_votes(
    deck: Fleet, captains: list[str]
) -> None:
    service = deck.service()
    deployment = f"{service}-vault-1"
    deck.asks("alice", f"{service} vault v2")
    deck.asks("erin", f"approve {deployment}")
    captains.remove("U0ERIN00")
    deck.asks("bob", f"approve {deployment}")
    # Slack's news of the group may be a minute old at the vote, never at the start.
    deck.until(
        lambda: (
            deck.get(deployment).settled or "1 more approval" in str(deck.person("bob").told()[-1])
        ),
        "the decision",
    )
    assert deck.get(deployment).status in {Status.REFUSED, Status.AWAITING_APPROVAL}
    assert deck.updates(f"{service}-vault") == 0


def test_a3_the_approver_was_deactivated(deck: Fleet) -> None:
    service, first, second = deck.queued(approver="carol")
    with deactivated(deck, "carol"):
        deck.finish(first)
        refused = deck.finish(second, Status.REFUSED)
    assert refused.reason_code == "APPROVAL_LAPSED"
    assert deck.updates(f"{service}-production") == 1


def test_a3_the_requester_was_deactivated(deck: Fleet) -> None:
    service, first, second = deck.queued()
    with deactivated(deck, "alice"):
        deck.finish(first)
        refused = deck.finish(second, Status.REFUSED)
    assert refused.reason_code == "OUTSIDER"
    assert deck.updates(f"{service}-production") == 1


def test_a3_the_policy_asks_for_more_by_the_time_of_the_start(own_deck: Fleet) -> None:
    deck = own_deck
    service, first, second = deck.queued()
    catalog = deck.place.folder / "quarterdeck.yaml"
    stricter = catalog.read_text().replace("approvals: 1", "approvals: 2")
    catalog.write_text(stricter)
    deck.until(
        lambda: "2 approval" in deck.asks("alice", f"why {service} production"), "the catalog"
    )
    deck.finish(first)
    refused = deck.finish(second, Status.REFUSED)
    assert refused.reason_code == "APPROVAL_LAPSED"
    assert "1 more approval" in refused.explanation


def test_a3_who_stays_an_approver_has_approved(deck: Fleet) -> None:
    """The other side of it: the same way, with nobody leaving, ends in ECS."""
    service, first, second = deck.queued(approver="bob")
    deck.finish(first)
    deck.until_told(f"{service}-production", 2)
    deck.finish(second)


def test_a3_a_bot_that_asks_needs_a_person_and_has_no_vote(deck: Fleet) -> None:
    """Staging asks nobody's approval, but of what a bot asked for."""
    service = deck.service()
    robot = deck.workspace.add_member("robot", id="U0ROBOT01", bot=True)
    deck.workspace.channel(CHANNEL).members.add(robot.id)
    deck.workspace.groups["S0CAPTAIN"].members.append(robot.id)
    deployment = f"{service}-staging-1"
    assert "waits for 1 approval" in deck.mentions("robot", f"deploy {service} staging v2")
    assert "NOT_DEPLOYER" in deck.mentions("robot", f"deploy {service} production v2")
    for path in (f"approve {deployment}", f"reject {deployment} --reason no"):
        assert "BOT_MAY_NOT_VOTE" in deck.mentions("robot", path)
    assert deck.get(deployment).status is Status.AWAITING_APPROVAL
    assert deck.get(deployment).requester_is_bot
    deck.asks("bob", f"approve {deployment}")
    deck.until_told(f"{service}-staging")
    deck.finish(deployment)
