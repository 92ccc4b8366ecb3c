"""E5: a way back that is no longer one is not offered, and refused with the reason when typed.

fabfuel/ecs-deploy#92, #200
"""

from __future__ import annotations

import pytest

from bot.playground.aws.protocol import Request
from bot.playground.slack.records import View
from tests.fakes.fleet import CHANNEL, Fleet

pytestmark = pytest.mark.xdist_group("e5")


def three_releases(deck: Fleet) -> str:
    service = deck.service()
    deck.place.push(service, "v3")
    for number, version in enumerate(("v2", "v3"), 1):
        deck.asks("alice", f"{service} staging {version}")
        deck.finish(f"{service}-staging-{number}")
    return service


def form(deck: Fleet, service: str) -> View:
    """What ``/rollback`` alone offers iris for that service."""
    iris = deck.person("iris")
    deck.close_modals("iris")
    assert iris.command("/rollback", "", channel=CHANNEL).error == ""
    deck.until(lambda: "What shall be rolled back" in str(deck.modal("iris").blocks), "targets")
    iris.click(deck.modal("iris"), "pick_rollback_target", option=f"{service}/staging")
    deck.until(lambda: "Known-good version" in str(deck.modal("iris").blocks), "versions")
    return deck.modal("iris")


def deregister(deck: Fleet, revision: str) -> None:
    """Somebody tidies up."""
    deck.world.call(
        Request(
            "ecs", "DeregisterTaskDefinition", {"taskDefinition": revision}, "AKIA", "eu-west-1"
        )
    )


def test_e5_a_deregistered_revision_is_left_out_with_the_reason(deck: Fleet) -> None:
    service = three_releases(deck)
    revision = deck.get(f"{service}-staging-1").revision
    assert revision
    deregister(deck, revision)

    shown = str(form(deck, service).blocks)
    assert "was deregistered" in shown
    assert f"{service}-staging-1" not in shown

    updates = deck.updates(f"{service}-staging")
    refused = deck.asks("iris", f"{service} staging v2", slash="/rollback")
    assert "RELEASE_UNUSABLE" in refused
    assert "was deregistered" in refused
    assert deck.of(service)[-1].id == f"{service}-staging-2"
    assert deck.updates(f"{service}-staging") == updates


def test_e5_an_expired_image_is_left_out_with_the_reason(deck: Fleet) -> None:
    service = three_releases(deck)
    deck.world.delete_image(service, deck.get(f"{service}-staging-1").image.digest)

    shown = str(form(deck, service).blocks)
    assert "gone from the registry" in shown
    assert f"{service}-staging-1" not in shown

    refused = deck.asks("iris", f"{service} staging v2", slash="/rollback")
    assert "RELEASE_UNUSABLE" in refused
    assert "gone from the registry" in refused
    assert deck.of(service)[-1].id == f"{service}-staging-2"


def test_e5_a_moved_tag_does_not_change_what_is_gone_back_to(deck: Fleet) -> None:
    service = three_releases(deck)
    before = deck.get(f"{service}-staging-1").image.digest
    deck.world.tag(service, deck.get(f"{service}-staging-2").image.digest, "v2")

    deck.asks("iris", f"{service} staging v2", slash="/rollback")

    back = deck.finish(f"{service}-staging-3")
    assert back.image.digest == before
    assert deck.running(f"{service}-staging") == before


def test_e5_an_image_that_expires_before_its_turn_is_refused(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    deck.world.delete_image(service, deck.get(deployment).image.digest)

    deck.clicks("bob", deck.card(deployment), "Approve")

    deck.until(lambda: deck.get(deployment).settled, "the refusal")
    assert deck.get(deployment).reason_code == "IMAGE_NOT_FOUND"
    assert deck.updates(f"{service}-production") == 0
