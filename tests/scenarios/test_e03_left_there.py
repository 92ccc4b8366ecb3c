"""E3 under Argo CD: nothing takes a bad version back by itself, so its card offers the way back."""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from bot.slack.views.ids import Action
from tests.fakes.argo_shore import ArgoShore
from tests.fakes.fleet import CHANNEL, Fleet
from tests.fakes.squadron import true_end

pytestmark = pytest.mark.xdist_group("e3-argocd")
SHORE = "argocd"


def offers_way_back(deck: Fleet, deployment_id: str) -> bool:
    return f"'action_id': '{Action.ROLL_BACK}'" in str(deck.card(deployment_id).blocks)


def thread(deck: Fleet, deployment_id: str) -> str:
    notes = deck.workspace.thread(CHANNEL, deck.card(deployment_id).ts)
    return "\n".join(message.text for message in notes)


def test_e3_what_is_degraded_stays_until_somebody_goes_back(deck: Fleet) -> None:
    service = deck.service()
    name = f"{service}-staging"
    good = deck.running(name)
    bad = deck.place.push(service, "bad", "crashing")
    deck.asks("alice", f"{service} staging bad")

    ended = true_end(deck, f"{name}-1", Status.FAILED)

    assert ended.reason_code == "DEGRADED"
    assert deck.actions(ended.id)[-1] == "deploy.failed failed DEGRADED"
    assert deck.running(name) == bad
    deck.until(lambda: offers_way_back(deck, ended.id), "the way back on the card")
    assert isinstance(deck.shore, ArgoShore)
    assert ended.handle is not None
    committed = f"Committed {ended.handle[:7]} to acme/manifests."
    deck.until(lambda: committed in thread(deck, ended.id), committed)
    (done,) = [row for row in deck.rows(deployment_id=ended.id) if row.entry.detail.get("handle")]
    assert done.entry.detail["handle"] == ended.handle
    status = deck.asks("bob", f"status {service} staging")
    assert f"which {ended.id} left there: it failed" in status

    deck.asks("iris", f"{service} staging", slash="/rollback")

    back = deck.finish(f"{name}-2")
    assert back.image.digest == good
    assert deck.running(name) == good
    deck.until(lambda: not offers_way_back(deck, ended.id), "the end of the way back")
