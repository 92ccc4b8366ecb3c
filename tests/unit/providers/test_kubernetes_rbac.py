"""The roles in the documentation grant exactly what ``doctor`` asks after, and what is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from typing_extensions import override

from bot.model.canary_plan import CanaryPlan, Rollout, Route
from bot.model.catalog import TargetSpec
from bot.model.places import KubernetesDeployment
from bot.model.rollout import Grade
from bot.providers.argo_rollouts.fitness import NEEDED
from bot.providers.argocd.rollouts import ArgoCdRollouts
from bot.providers.gateway.canaries import NEEDED as ROUTES_NEEDED
from bot.providers.kube.cluster import APPLICATIONS, Resource
from bot.providers.kube.watches import Watches
from bot.providers.kubernetes.rollouts import KubernetesRollouts
from tests.fakes.argo_stage import ArgoStage, argo_stage
from tests.fakes.cluster import FakeCluster, FakeClusters

ROLES = Path(__file__).parents[3] / "docs" / "kubernetes-rbac.yaml"
#: API group, plural and verb.
Grant = tuple[str, str, str]


class Reviewing(FakeCluster):
    """Keeps what it was asked by SelfSubjectAccessReview."""

    def __init__(self) -> None:
        super().__init__()
        self.reviews: set[tuple[str, Grant]] = set()

    @override
    def allowed(self, verb: str, resource: Resource, namespace: str) -> bool:
        self.reviews.add((namespace, (resource.group, resource.rule, verb)))
        return super().allowed(verb, resource, namespace)

    def asked(self, namespace: str) -> set[Grant]:
        return {grant for where, grant in self.reviews if where == namespace}


def everything() -> list[dict[str, Any]]:
    return list(YAML(typ="safe", pure=True).load_all(ROLES.read_text()))


def documents(kind: str) -> list[dict[str, Any]]:
    return [each for each in everything() if each["kind"] == kind]


def named(each: dict[str, Any]) -> tuple[str, str]:
    return each["metadata"]["namespace"], each["metadata"]["name"]


def granted(role: str) -> set[Grant]:
    (found,) = [each for each in documents("Role") if each["metadata"]["name"] == role]
    return set(_grants(found))


def _grants(role: dict[str, Any]) -> Iterator[Grant]:
    for rule in role["rules"]:
        assert set(rule) == {"apiGroups", "resources", "verbs"}
        for group in rule["apiGroups"]:
            for plural in rule["resources"]:
                for verb in rule["verbs"]:
                    yield group, plural, verb


def examined_under_argo_cd(
    stage: ArgoStage, *kinds: tuple[str, str], canary: CanaryPlan | None = None
) -> Reviewing:
    """What ``doctor`` asks after where the Application has such workloads."""
    cluster = Reviewing()
    raw = stage.cluster.peek(APPLICATIONS, "argocd", "web")
    assert raw is not None
    raw["status"]["resources"] = [
        {"group": group, "kind": kind, "namespace": "shop", "name": "web", "version": "v1"}
        for group, kind in kinds
    ]
    cluster.put(APPLICATIONS, raw)
    clusters = FakeClusters(cluster)
    watches = Watches(clusters)
    rollouts = ArgoCdRollouts(stage.git, clusters, watches, stage.due.append, lambda: 0.0)
    rollouts.examine(stage.spec.model_copy(update={"canary": canary}))
    watches.close()
    return cluster


def test_applications_are_granted_what_is_asked_after() -> None:
    with argo_stage() as stage:
        cluster = examined_under_argo_cd(stage, ("apps", "Deployment"))
    assert cluster.asked("argocd") == granted("quarterdeck-applications")


def test_what_is_only_looked_at_is_granted_what_is_asked_after() -> None:
    with argo_stage() as stage:
        one = examined_under_argo_cd(stage, ("apps", "Deployment"))
        other = examined_under_argo_cd(stage, ("argoproj.io", "Rollout"))
    assert one.asked("shop") | other.asked("shop") == granted("quarterdeck-looks")
    assert not {grant for grant in one.asked("shop") if "rollouts" in grant}


def test_canaries_by_a_rollout_are_granted_what_is_asked_after_and_what_they_need() -> None:
    plan = CanaryPlan(rollout=Rollout(namespace="shop", name="web"))
    with argo_stage() as stage:
        without = examined_under_argo_cd(stage, ("argoproj.io", "Rollout"))
        asked = examined_under_argo_cd(stage, ("argoproj.io", "Rollout"), canary=plan)
    more = asked.asked("shop") - without.asked("shop")
    assert more == granted("quarterdeck-canaries")
    needed = {(resource.group, resource.rule, verb) for verb, resource in NEEDED}
    assert needed - more <= granted("quarterdeck-looks")
    assert more <= needed


def test_canaries_by_a_route_are_granted_what_is_asked_after_and_what_they_need() -> None:
    route = Route(
        file="route.yaml",
        name="web",
        stable="web",
        canary="web-canary",
        canary_file="canary.yaml",
        deployment="web-canary",
        container="app",
    )
    with argo_stage() as stage:
        without = examined_under_argo_cd(stage, ("apps", "Deployment"))
        plan = CanaryPlan(route=route)
        asked = examined_under_argo_cd(stage, ("apps", "Deployment"), canary=plan)
    more = asked.asked("shop") - without.asked("shop")
    assert more == granted("quarterdeck-routes")
    needed = {(resource.group, resource.rule, verb) for verb, resource in ROUTES_NEEDED}
    assert needed - more <= granted("quarterdeck-looks")
    assert more <= needed


def test_what_is_rolled_itself_is_granted_what_is_asked_after() -> None:
    place = KubernetesDeployment(namespace="development", deployment="web", container="app")
    spec = TargetSpec(service="web", environment="development", kubernetes=place)
    cluster = Reviewing()
    watches = Watches(FakeClusters(cluster))
    found = KubernetesRollouts(FakeClusters(cluster), watches).examine(spec)
    watches.close()
    assert Grade.ERROR in {each.grade for each in found}, "there is no such Deployment"
    assert cluster.asked("development") == granted("quarterdeck-rolls")


def test_every_role_is_bound_to_the_one_account() -> None:
    (account,) = documents("ServiceAccount")
    bound = set()
    for binding in documents("RoleBinding"):
        (subject,) = binding["subjects"]
        assert (subject["namespace"], subject["name"]) == named(account)
        bound.add((binding["metadata"]["namespace"], binding["roleRef"]["name"]))
    assert bound == {named(role) for role in documents("Role")}
    assert {each["kind"] for each in everything()} == {"ServiceAccount", "Role", "RoleBinding"}


def test_no_role_reads_secrets_or_may_do_everything() -> None:
    for role in documents("Role"):
        for group, plural, verb in _grants(role):
            assert "*" not in {group, plural, verb}
            assert plural != "secrets"
            assert verb in {"get", "list", "watch", "patch"}
