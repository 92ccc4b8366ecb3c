"""Each target is rolled by its own provider, and what one cannot see hides nothing of another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.model.catalog import PROVIDERS, Provider, TargetSpec
from bot.model.deployment import Image, Progress
from bot.model.errors import AccessDenied, Throttled, Unreachable
from bot.model.ports import Rollouts
from bot.model.rollout import End, Order, Told, Watched
from bot.providers.by_provider import RolloutsByProvider
from tests.fakes.rollouts import FakeRollouts

IMAGE = Image("registry.example.com/app", "sha256:" + "a" * 64, "v2")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PLACES = {
    "ecs": {"region": "eu-west-1", "cluster": "c", "service": "s", "container": "app"},
    "argocd": {
        "application": "app",
        "manifests": {
            "repository": "https://github.com/acme/manifests.git",
            "kustomize": {"image": "app"},
        },
    },
    "kubernetes": {"namespace": "apps", "deployment": "app", "container": "app"},
}
SPECS: dict[Provider, TargetSpec] = {
    name: TargetSpec.model_validate(
        {"service": f"on-{name}", "environment": "staging", name: PLACES[name]}
    )
    for name in PROVIDERS
}


class Fleet:
    """One fake for each provider, and the table over them."""

    def __init__(self) -> None:
        self.fakes: dict[Provider, FakeRollouts] = {name: FakeRollouts() for name in PROVIDERS}
        for name, fake in self.fakes.items():
            fake.place(SPECS[name].key, IMAGE)
        self.rollouts = RolloutsByProvider(self.fakes)

    def calls(self) -> dict[str, list[str]]:
        """What each provider was asked since the last time, by its name."""
        found = {name: [verb for verb, _ in fake.calls] for name, fake in self.fakes.items()}
        for fake in self.fakes.values():
            fake.calls.clear()
        return {name: verbs for name, verbs in found.items() if verbs}

    def rolling(self) -> list[tuple[TargetSpec, Watched]]:
        """A rollout under way with every provider."""
        pairs = []
        for name, spec in SPECS.items():
            base = self.rollouts.live(spec).revision
            order = Order(f"{name}-1", IMAGE, base)
            revision = self.rollouts.prepare(spec, order)
            handle = self.rollouts.start(spec, order, revision)
            pairs.append((spec, Watched(order.deployment_id, revision, handle, NOON)))
        self.calls()
        return pairs


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_a_provider_that_is_missing_is_noticed_at_once(fleet: Fleet) -> None:
    fakes: dict[Provider, Rollouts] = {"ecs": fleet.fakes["ecs"], "argocd": fleet.fakes["argocd"]}
    with pytest.raises(KeyError, match="kubernetes"):
        RolloutsByProvider(fakes)


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_call_about_a_target_goes_to_its_provider_alone(fleet: Fleet, name: Provider) -> None:
    spec, rollouts, fake = SPECS[name], fleet.rollouts, fleet.fakes[name]
    live = rollouts.live(spec)
    assert live == fake.live(spec)
    assert IMAGE.uri in rollouts.plan(spec, IMAGE).diff
    order = Order("app-1", IMAGE, live.revision)
    revision = rollouts.prepare(spec, order)
    handle = rollouts.start(spec, order, revision)
    assert fake.told == [(spec.key, revision)]
    back = rollouts.read_back(spec, order, revision, NOON)
    assert (back.told, back.handle) == (Told.YES, handle)
    assert rollouts.usable(spec, revision) is None
    assert rollouts.usable(spec, "gone") == fake.usable(spec, "gone")
    assert rollouts.examine(spec) == fake.examine(spec)
    assert set(fleet.calls()) == {name}


def test_one_look_asks_each_provider_once_for_all_of_its_own(fleet: Fleet) -> None:
    pairs = fleet.rolling()
    fleet.fakes["argocd"].finish(SPECS["argocd"].key)
    looks = fleet.rollouts.observe([*pairs, pairs[0]])
    assert set(looks) == {"ecs-1", "argocd-1", "kubernetes-1"}
    assert (looks["argocd-1"].end, looks["ecs-1"].end) == (End.SUCCEEDED, None)
    assert looks["ecs-1"].progress == Progress(desired=2, old=2)
    assert looks.faults == {}
    assert fleet.calls() == {name: ["observe"] for name in PROVIDERS}
    assert fleet.rollouts.observe(pairs[1:2]).keys() == {"argocd-1"}
    assert fleet.calls() == {"argocd": ["observe"]}
    assert not fleet.rollouts.observe([])
    assert fleet.calls() == {}


def test_what_one_provider_cannot_see_hides_nothing_of_the_others(fleet: Fleet) -> None:
    pairs = fleet.rolling()
    away, denied = Unreachable("No answer."), AccessDenied("Not allowed.")
    fleet.fakes["kubernetes"].break_next("observe", away)
    fleet.fakes["argocd"].blind[SPECS["argocd"].key] = denied
    looks = fleet.rollouts.observe(pairs)
    assert set(looks) == {"ecs-1"}
    assert looks.faults == {"kubernetes-1": away, "argocd-1": denied}


def test_where_nobody_answers_every_rollout_has_its_own_reason(fleet: Fleet) -> None:
    pairs = fleet.rolling()
    for name in PROVIDERS:
        fleet.fakes[name].break_next("observe", Throttled(f"{name}: slower."))
    looks = fleet.rollouts.observe(pairs)
    assert not looks
    assert {name: fault.message for name, fault in looks.faults.items()} == {
        f"{name}-1": f"{name}: slower." for name in PROVIDERS
    }


def test_a_fault_of_a_call_is_the_callers(fleet: Fleet) -> None:
    fleet.fakes["argocd"].break_next("live", Unreachable("No answer."))
    with pytest.raises(Unreachable):
        fleet.rollouts.live(SPECS["argocd"])
    assert fleet.rollouts.live(SPECS["ecs"]).steady
