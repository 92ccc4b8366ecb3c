"""Canaries by an HTTPRoute's weights in git, on the local cluster: what is read back, in which
order it is changed, and what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.model.canary import Goal
from bot.model.canary_plan import CloudWatch
from bot.model.errors import Misconfigured, Terminal, Unknown
from bot.model.rollout import End
from bot.playground.kube import resources as local
from tests.fakes.git_shop import REGISTRY
from tests.fakes.registry import digest_of
from tests.fakes.route_shop import (
    CANARY,
    KUSTOMIZATION,
    PODS,
    ROUTE,
    RouteShop,
    kustomization,
    route_shop,
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RouteShop]:
    with route_shop(tmp_path) as shop:
        yield shop


def test_from_the_first_pod_to_the_whole_service_and_to_nothing_left(shop: RouteShop) -> None:
    assert shop.canaries.check(shop.spec) == ()
    first = shop.aim(Goal.SHARE, 0.1)
    assert shop.look(first).arms is not None
    assert shop.reach(first).share == pytest.approx(0.1)
    assert shop.weights() == {(90, 10)}, "in every rule"
    assert shop.running("backend-canary") == ["v2"]
    stand = shop.look(first)
    assert (stand.canary.healthy, stand.stable.healthy) == (1, PODS)

    assert shop.reach(shop.aim(Goal.SHARE, 0.5, before=0.1)).reached
    assert shop.weights() == {(50, 50)}
    assert shop.running("backend-canary") == ["v2", "v2"]
    assert shop.running("backend") == ["v1"] * PODS, "the stable version keeps its size"

    assert shop.reach(shop.aim(Goal.EVERYTHING, before=0.5), 3600).reached
    assert shop.running("backend") == ["v2"] * PODS
    assert shop.weights() == {(100, 0)}
    assert shop.reach(shop.aim(Goal.GONE), 3600).reached
    assert shop.running("backend-canary") == []
    assert shop.subjects()[1:] == [
        "Add backend",
        "Run 1 of v2 as a canary of backend/staging",
        "Give 10% of backend/staging to v2",
        "Run 2 of v2 as a canary of backend/staging",
        "Give 50% of backend/staging to v2",
        "Deploy v2 to backend/staging",
        "Take the traffic of backend/staging off its canary",
        "End the canary of backend/staging",
    ]
    assert shop.canaries.check(shop.spec) == ()


def test_taken_back_the_traffic_goes_first_and_then_the_pods(shop: RouteShop) -> None:
    shop.on_trial()
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).share == 0.0
    assert shop.weights() == {(100, 0)}
    assert shop.running("backend-canary") == ["v2"], "its requests end"
    while not shop.toward(shop.aim(Goal.GONE)).reached:
        shop.pass_by(0.5)
    found = shop.kube.get(local.DEPLOYMENTS, "staging", "backend-canary")
    assert not found["status"].get("replicas"), "none of its pods is left"
    assert shop.running("backend") == ["v1"] * PODS
    assert shop.canaries.check(shop.spec) == ()


def test_nothing_but_the_numbers_and_the_image_changes(shop: RouteShop) -> None:
    before = {file: shop.text(file) for file in (ROUTE, CANARY, KUSTOMIZATION)}
    shop.on_trial()
    assert shop.text(ROUTE) == before[ROUTE].replace("weight: 100", "weight: 90").replace(
        "weight: 0", "weight: 10"
    )
    image = f"{REGISTRY}:v2@{digest_of('v2')}"
    old = f"{REGISTRY}:v0@{digest_of('v0')}"
    assert shop.text(CANARY) == before[CANARY].replace("replicas: 0", "replicas: 1").replace(
        old, image
    )
    assert shop.text(KUSTOMIZATION) == before[KUSTOMIZATION]


def test_an_aim_that_is_reached_is_only_looked_at(shop: RouteShop) -> None:
    shop.on_trial()
    commits = shop.subjects()
    for _ in range(3):
        assert shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1)).reached
    assert shop.subjects() == commits


def test_after_a_restart_each_shift_is_still_one_commit(shop: RouteShop) -> None:
    for aim in (
        shop.aim(Goal.SHARE, 0.1),
        shop.aim(Goal.NOTHING, before=0.1),
        shop.aim(Goal.GONE),
    ):
        for number in range(200):
            if number % 2:
                shop.restart()
            if shop.toward(aim).reached:
                break
            shop.kube.argocd.refresh("backend-staging")
            shop.pass_by(5)
        else:
            raise AssertionError(aim)
    assert shop.subjects()[2:] == [
        "Run 1 of v2 as a canary of backend/staging",
        "Give 10% of backend/staging to v2",
        "Take the traffic of backend/staging off its canary",
        "End the canary of backend/staging",
    ]


def test_a_push_whose_answer_was_lost_is_made_up_for_by_the_next_look(shop: RouteShop) -> None:
    shop.git.faults.lose_answer()
    lost = 0
    for _ in range(100):
        try:
            if shop.toward(shop.aim(Goal.SHARE, 0.1)).reached:
                break
        except Unknown:
            lost += 1
        shop.pass_by(5)
    assert lost == 1
    assert shop.subjects()[2:] == [
        "Run 1 of v2 as a canary of backend/staging",
        "Give 10% of backend/staging to v2",
    ]


def test_somebody_elses_change_at_the_same_moment_is_kept(shop: RouteShop) -> None:
    shop.on_trial()
    shop.commit({ROUTE: shop.text(ROUTE) + "# more\n", "README.md": "More.\n"})
    assert shop.reach(shop.aim(Goal.SHARE, 0.5, before=0.1)).reached
    assert shop.text(ROUTE).endswith("# more\n")


def test_a_canary_that_does_not_start_gets_no_traffic(shop: RouteShop) -> None:
    shop.begin("backend-staging-8", shop.image("crashing"))
    stand = shop.reach(shop.aim(Goal.SHARE, 0.1), 3600)
    assert (stand.end, stand.share) == (End.FAILED, 0.0)
    assert "CrashLoopBackOff" in stand.explanation
    assert shop.reach(shop.aim(Goal.NOTHING)).reached
    assert shop.reach(shop.aim(Goal.GONE), 3600).reached
    assert shop.running("backend-canary") == []


def test_no_share_is_reached_before_the_gateway_has_taken_note(shop: RouteShop) -> None:
    shop.kube.halt_gateway()
    aim = shop.aim(Goal.SHARE, 0.1)
    for _ in range(30):
        stand = shop.toward(aim)
        assert not stand.reached
        shop.pass_by(5)
    assert shop.weights() == {(90, 10)}
    assert stand.doing == "Gateway public has not seen the newest weights yet"
    shop.kube.halt_gateway(halted=False)
    assert shop.reach(aim).reached


# --- what somebody else does ---------------------------------------------------------------------


def test_weights_that_somebody_else_changed_are_left_alone(shop: RouteShop) -> None:
    shop.on_trial()
    shop.shift_by_hand(50)
    commits = shop.subjects()
    aim = shop.aim(Goal.SHARE, 0.1, before=0.1)
    stand = shop.toward(aim)
    assert (stand.foreign, stand.share) == (True, 0.5)
    assert "50% goes to the canary" in stand.blocked
    assert shop.subjects() == commits


def test_weights_that_somebody_else_wrote_into_git_are_not_written_over(shop: RouteShop) -> None:
    shop.on_trial()
    shop.kube.argocd.close_sync_window()
    shop.commit({ROUTE: shop.text(ROUTE).replace("weight: 10", "weight: 30")})
    with pytest.raises(Terminal, match="somebody changed it") as stale:
        shop.reach(replace(shop.aim(Goal.SHARE, 0.5, before=0.1), tasks=1))
    assert stale.value.reason_code == "STALE_FROM"
    assert "weight: 30" in shop.text(ROUTE)


def test_the_way_back_writes_over_whatever_somebody_wrote(shop: RouteShop) -> None:
    shop.on_trial()
    shop.commit({ROUTE: shop.text(ROUTE).replace("weight: 10", "weight: 30")})
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached
    assert shop.weights() == {(100, 0)}


def test_another_version_of_the_whole_service_supersedes_it(shop: RouteShop) -> None:
    shop.on_trial()
    shop.commit({KUSTOMIZATION: kustomization("v3")})
    shop.kube.argocd.refresh("backend-staging")
    shop.pass_by(30)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert stand.end is End.SUPERSEDED
    assert "Somebody deployed" in stand.explanation
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached
    assert shop.reach(shop.aim(Goal.GONE), 3600).reached
    assert shop.text(KUSTOMIZATION) == kustomization("v3")


def test_another_image_in_the_canarys_deployment_is_told(shop: RouteShop) -> None:
    shop.on_trial()
    image = shop.image("v3")
    shop.kube.set_image("staging", "backend-canary", f"{REGISTRY}@{image.digest}")
    shop.pass_by(30)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert stand.foreign
    assert "another image in the Deployment backend-canary" in stand.blocked


def test_nothing_is_shifted_back_onto_a_broken_stable_version(shop: RouteShop) -> None:
    shop.on_trial()
    for pod in shop.kube.pods("staging", "app=backend")[1:]:
        shop.kube.crash_pod("staging", pod["metadata"]["name"])
    shop.pass_by(0.5)
    stand = shop.toward(shop.aim(Goal.NOTHING, before=0.1))
    assert "so the traffic stays where it is" in stand.blocked
    assert shop.weights() == {(90, 10)}


def test_the_same_version_that_somebody_else_rolls_is_theirs(shop: RouteShop) -> None:
    shop.on_trial()
    shop.commit({KUSTOMIZATION: kustomization("v2")})
    shop.kube.argocd.refresh("backend-staging")
    shop.pass_by(60)
    assert shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1)).end is End.SUPERSEDED
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached, "it waits for no way back"
    assert shop.text(KUSTOMIZATION) == kustomization("v2")


def test_a_rule_that_somebody_changed_is_told_and_left(shop: RouteShop) -> None:
    shop.on_trial()
    rules = shop.route()["spec"]["rules"]
    rules[0]["backendRefs"] = rules[0]["backendRefs"][:1]
    shop.kube.apply(local.HTTP_ROUTES, "staging", "backend", {"spec": {"rules": rules}})
    commits = shop.subjects()
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert (stand.foreign, stand.share) == (True, None)
    assert "does not refer to the Service backend-canary" in stand.blocked
    stand = shop.toward(shop.aim(Goal.NOTHING, before=0.1))
    assert (stand.reached, shop.subjects()) == (False, commits)
    assert "Its weights are left alone" in stand.blocked


def test_without_traffic_a_broken_stable_version_keeps_it_from_nothing(shop: RouteShop) -> None:
    for pod in shop.kube.pods("staging", "app=backend"):
        shop.kube.crash_pod("staging", pod["metadata"]["name"])
    shop.pass_by(0.5)
    stand = shop.toward(shop.aim(Goal.NOTHING))
    assert (stand.stable.healthy, stand.reached) == (0, True)


def test_the_traffic_is_off_once_the_gateway_has_taken_note(shop: RouteShop) -> None:
    shop.on_trial()
    shop.kube.halt_gateway()
    nothing = shop.aim(Goal.NOTHING, before=0.1)
    for _ in range(30):
        stand = shop.toward(nothing)
        assert not stand.reached
        shop.pass_by(5)
    assert shop.weights() == {(100, 0)}
    assert stand.doing == "Gateway public has not seen the newest weights yet"
    shop.kube.halt_gateway(halted=False)
    assert shop.reach(nothing).reached


def test_pods_that_get_traffic_again_stay(shop: RouteShop) -> None:
    shop.on_trial()
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached
    shop.shift_by_hand(10)
    stand = shop.toward(shop.aim(Goal.GONE))
    assert "sends it traffic again, so that its pods stay" in stand.blocked
    assert shop.running("backend-canary") == ["v2"]


def test_weights_that_somebody_wrote_again_are_taken_off_again(shop: RouteShop) -> None:
    shop.on_trial()
    nothing = shop.aim(Goal.NOTHING, before=0.1)
    while not shop.toward(nothing).reached:
        shop.pass_by(5)
    shop.commit({ROUTE: shop.text(ROUTE).replace("weight: 0", "weight: 10")})
    shop.kube.argocd.refresh("backend-staging")
    shop.pass_by(60)
    assert shop.weights() == {(100, 10)}
    assert shop.reach(nothing).reached
    assert shop.weights() == {(100, 0)}


def test_a_deployment_that_runs_somebody_elses_image_is_left_as_it_is(shop: RouteShop) -> None:
    shop.on_trial()
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached
    shop.commit({CANARY: shop.text(CANARY).replace(digest_of("v2"), digest_of("v3"))})
    shop.kube.argocd.refresh("backend-staging")
    shop.pass_by(60)
    commits = shop.subjects()
    assert shop.reach(shop.aim(Goal.GONE)).reached
    assert (shop.subjects(), shop.running("backend-canary")) == (commits, ["v3"])


# --- git and Argo CD beside it -------------------------------------------------------------------


def test_one_that_argo_cd_has_not_brought_yet_leaves_git(shop: RouteShop) -> None:
    shop.kube.argocd.close_sync_window()
    aim = shop.aim(Goal.SHARE, 0.1)
    for _ in range(5):
        stand = shop.toward(aim)
        shop.pass_by(5)
    assert "lets no sync through" in stand.explanation
    assert shop.reach(shop.aim(Goal.NOTHING)).reached
    shop.toward(shop.aim(Goal.GONE))
    assert "replicas: 0" in shop.text(CANARY)
    shop.kube.argocd.open_sync_windows()
    assert shop.reach(shop.aim(Goal.GONE)).reached
    shop.pass_by(300)
    assert shop.running("backend-canary") == []


def test_weights_that_argo_cd_has_not_brought_yet_leave_git(shop: RouteShop) -> None:
    """Else they would come as soon as it may sync again, to a canary that nobody watches."""
    aim = shop.aim(Goal.SHARE, 0.1)
    while "weight: 90" not in shop.text(ROUTE):
        if shop.running("backend-canary"):
            shop.kube.argocd.close_sync_window()
        shop.toward(aim)
        shop.pass_by(5)
    nothing = shop.aim(Goal.NOTHING)
    assert not shop.toward(nothing).reached
    assert "weight: 90" not in shop.text(ROUTE)
    assert shop.reach(nothing).reached
    shop.kube.argocd.open_sync_windows()
    shop.pass_by(300)
    assert shop.weights() == {(100, 0)}


def test_weights_that_argo_cd_applies_at_this_moment_are_waited_for(shop: RouteShop) -> None:
    """Git is back already, and the sync that is under way is of the commit before that."""
    aim = shop.aim(Goal.SHARE, 0.1)
    while "weight: 90" not in shop.text(ROUTE):
        shop.toward(aim)
        shop.pass_by(5)
    while not shop.syncing():
        shop.toward(aim)
        shop.pass_by(0.5)
    assert shop.weights() == {(100, 0)}
    nothing = shop.aim(Goal.NOTHING)
    shop.toward(nothing)
    assert "weight: 90" not in shop.text(ROUTE)
    stand = shop.toward(nothing)
    assert not stand.reached, "the canary is about to get its share, though git went back"
    assert shop.reach(nothing).reached
    for _ in range(30):
        shop.pass_by(10)
        assert shop.weights() == {(100, 0)}


def test_a_promotion_that_is_taken_back_leaves_nothing_of_it(shop: RouteShop) -> None:
    """The whole service had begun to roll: weights alone would leave the new version there."""
    shop.on_trial()
    while "v2" not in shop.running("backend"):
        shop.toward(shop.aim(Goal.EVERYTHING, before=0.1))
        shop.pass_by(5)
    assert "v1" in shop.running("backend")
    nothing = shop.aim(Goal.NOTHING, before=0.1)
    shop.toward(nothing)
    assert shop.text(KUSTOMIZATION) == kustomization("v1")
    stand = shop.reach(nothing, 3600)
    assert (stand.reached, stand.share) == (True, 0.0)
    assert shop.running("backend") == ["v1"] * PODS, "no pod of it serves beside the weights"
    assert shop.weights() == {(100, 0)}
    assert shop.reach(shop.aim(Goal.GONE), 3600).reached
    assert shop.subjects()[-3:] == [
        "Take backend/staging back to v1",
        "Take the traffic of backend/staging off its canary",
        "End the canary of backend/staging",
    ]
    assert shop.canaries.check(shop.spec) == ()


def test_what_somebody_wrote_over_a_promotion_stays(shop: RouteShop) -> None:
    shop.on_trial()
    while "v2" not in shop.running("backend"):
        shop.toward(shop.aim(Goal.EVERYTHING, before=0.1))
        shop.pass_by(5)
    shop.commit({KUSTOMIZATION: kustomization("v3")})
    shop.kube.argocd.refresh("backend-staging")
    assert shop.reach(shop.aim(Goal.EVERYTHING, before=0.1)).end is End.SUPERSEDED
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1), 3600).reached
    assert shop.text(KUSTOMIZATION) == kustomization("v3")
    assert shop.running("backend") == ["v3"] * PODS


def test_whoever_waits_does_not_fetch_each_second(shop: RouteShop) -> None:
    shop.on_trial()
    shop.kube.argocd.close_sync_window()
    nothing, gone = shop.aim(Goal.NOTHING, before=0.1), shop.aim(Goal.GONE)
    assert shop.fetches_of(nothing, looks=40) < 12
    shop.kube.argocd.open_sync_windows()
    assert shop.reach(nothing).reached
    shop.kube.argocd.close_sync_window()
    assert shop.fetches_of(gone, looks=40) < 12
    shop.kube.argocd.open_sync_windows()
    assert shop.reach(gone).reached


def test_a_sync_that_fails_ends_a_trial_and_is_told_on_the_way_back(shop: RouteShop) -> None:
    shop.on_trial()
    shop.kube.argocd.refuse_syncs("backend-staging", "denied by policy")
    stand = shop.reach(shop.aim(Goal.SHARE, 0.5, before=0.1), 3600)
    assert (stand.end, stand.reason_code) == (End.FAILED, "SYNC_FAILED")
    stand = shop.reach(shop.aim(Goal.NOTHING, before=0.1), 3600)
    assert "denied by policy" in stand.blocked
    shop.kube.argocd.accept_syncs("backend-staging")
    shop.kube.argocd.sync("backend-staging")
    shop.pass_by(60)
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached


def test_a_canarys_deployment_without_pods_is_not_the_service(shop: RouteShop) -> None:
    """Both run the same image once it was promoted."""
    shop.on_trial()
    shop.reach(shop.aim(Goal.EVERYTHING, before=0.1), 3600)
    shop.reach(shop.aim(Goal.GONE), 3600)
    live = shop.rollouts.live(shop.spec)
    assert (live.desired, live.downtime, live.drift) == (PODS, (), "")


# --- plans that cannot be ------------------------------------------------------------------------


def refused(shop: RouteShop, **canary: Any) -> Misconfigured:
    with pytest.raises(Misconfigured) as refusal:
        shop.canaries.check(shop.spec_with(**canary))
    return refusal.value


def test_leftovers_of_another_canary_are_refused(shop: RouteShop) -> None:
    shop.on_trial()
    fault = refused(shop)
    assert fault.reason_code == "CANARY_IMPOSSIBLE"
    assert "shifted already: 10%" in fault.message
    shop.reach(shop.aim(Goal.NOTHING, before=0.1))
    assert "is to run 1 pods already" in refused(shop).message
    shop.kube.argocd.close_sync_window()
    shop.commit({ROUTE: shop.text(ROUTE).replace("weight: 0", "weight: 10")})
    assert "0% goes to the Service backend-canary, and git says 10" in refused(shop).message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "other"}, "there is no HTTPRoute 'other'"),
        ({"canary": "other"}, "no rule refers to that Service"),
        ({"deployment": "other"}, "there is no Deployment 'other'"),
        ({"container": "other"}, "there is only app"),
        ({"file": "nowhere.yaml"}, "has no file"),
    ],
)
def test_what_is_not_in_git_is_named(shop: RouteShop, change: dict[str, str], said: str) -> None:
    route = shop.spec.canary.route if shop.spec.canary is not None else None
    assert route is not None
    assert said in refused(shop, route=route.model_copy(update=change)).message


def test_rules_that_cannot_be_shifted_are_refused(shop: RouteShop) -> None:
    text = shop.text(ROUTE)
    shop.commit({ROUTE: text.replace("          weight: 0\n", "")})
    assert "there is no 'weight'" in refused(shop).message
    shop.commit({ROUTE: text.replace("weight: 0}", "weight: 7}")})
    assert "the weight of backend-canary is 0, and 7 in another rule" in refused(shop).message
    third = "        - {name: third, weight: 1}\n    - backendRefs:"
    shop.commit({ROUTE: text.replace("    - backendRefs:", third, 1)})
    shop.kube.argocd.refresh("backend-staging")
    shop.pass_by(30)
    assert "refers to the Service third as well" in refused(shop).message


def test_a_route_that_no_gateway_accepts_is_refused(shop: RouteShop) -> None:
    shop.kube.halt_gateway()
    shop.kube.apply(local.HTTP_ROUTES, "staging", "backend", {"spec": {"parentRefs": []}})
    assert "is not in force" in refused(shop).message


def test_what_we_may_not_read_is_named(shop: RouteShop) -> None:
    shop.kube.access.revoke("get", "httproutes")
    fault = refused(shop)
    assert "get httproutes.gateway.networking.k8s.io" in fault.message
    assert 'resources ["httproutes"], verbs ["get"]' in fault.hint


def test_cloudwatch_cannot_tell_the_versions_apart(shop: RouteShop) -> None:
    fault = refused(shop, prometheus=None, cloudwatch=CloudWatch())
    assert "CloudWatch does not know" in fault.message
