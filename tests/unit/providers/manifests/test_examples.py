"""The example manifests are what the example catalog says, and can be changed and rolled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image, Person
from bot.model.rollout import Order
from bot.providers.git.messages import message
from bot.providers.kube.workload import workload_of
from bot.providers.kube.zero_downtime import obstacles
from bot.providers.manifests import change, find, image_in, parse, value_for
from bot.settings.catalog_file import load

ROOT = Path(__file__).parents[4]
EXAMPLES = ROOT / "docs" / "examples" / "manifests"
TARGETS = [spec for spec in load(ROOT / "quarterdeck.yaml").targets if spec.provider == "argocd"]
REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/analytics"
IMAGE = Image(REGISTRY, "sha256:" + "ab" * 32, "v1.5.0")
each_target = pytest.mark.parametrize("spec", TARGETS, ids=lambda spec: str(spec.key))


def documents(path: Path) -> list[dict[str, Any]]:
    return list(YAML(typ="safe", pure=True).load_all(path.read_text()))


def test_both_ways_are_shown() -> None:
    assert [spec.argocd.manifests.delivery for spec in TARGETS] == ["direct", "pull_request"]


@each_target
def test_a_deployment_changes_one_line_of_the_example(spec: TargetSpec) -> None:
    manifests = spec.argocd.manifests
    before = (EXAMPLES / manifests.file).read_text()
    site = find(manifests, parse(manifests.file, before))
    found = image_in(site)
    assert found is None or found.repository in {"", REGISTRY}
    assert "@sha256:" in site.value
    value = value_for(site.holds, IMAGE)
    after = change(manifests, before, value)
    changed = [
        (old, new)
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
        if old != new
    ]
    ((old, new),) = changed
    assert new == old.replace(site.value, value)


@each_target
def test_the_application_follows_what_is_changed(spec: TargetSpec) -> None:
    place = spec.argocd
    applications = {
        each["metadata"]["name"]: each for each in documents(EXAMPLES / "argocd/applications.yaml")
    }
    application = applications[place.application]
    assert application["metadata"]["namespace"] == place.namespace
    source = application["spec"]["source"]
    assert source == {
        "repoURL": place.manifests.repository,
        "targetRevision": place.manifests.branch,
        "path": place.manifests.path,
    }


def test_the_deployment_is_rolled_without_downtime() -> None:
    (raw,) = documents(EXAMPLES / "analytics/base/deployment.yaml")
    workload = workload_of(raw)
    assert obstacles(workload, workload.containers) == ()


def test_the_commit_looks_as_the_example_says() -> None:
    alice = Person("U024BE7LH", "alice")
    order = Order("analytics-staging-12", IMAGE, "", requester=alice, reason="faster queries")
    shown = (EXAMPLES / "README.md").read_text()
    for line in message(order, "analytics/staging").splitlines():
        assert line.partition(" sha256:")[0] in shown, line
