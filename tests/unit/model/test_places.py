"""Where a service runs: defaults, and what follows from what is given."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured
from bot.model.places import (
    ArgoCdApplication,
    HelmValue,
    KubernetesDeployment,
    KustomizeImage,
    ManifestImage,
    Manifests,
)

REMOTE = "https://github.com/acme/manifests.git"
KUSTOMIZE: dict[str, Any] = {"kustomize": {"image": "app"}}
PLACES: dict[str, dict[str, Any]] = {
    "ecs": {"region": "eu-west-1", "cluster": "c", "service": "s", "container": "app"},
    "argocd": {"application": "app", "manifests": {"repository": REMOTE, **KUSTOMIZE}},
    "kubernetes": {"namespace": "apps", "deployment": "app", "container": "app"},
}


def manifests(**more: Any) -> Manifests:
    return Manifests.model_validate({"repository": REMOTE, **KUSTOMIZE, **more})


def target(**more: Any) -> TargetSpec:
    return TargetSpec.model_validate({"service": "app", "environment": "staging", **more})


@pytest.mark.parametrize(
    ("path", "file", "whole"),
    [
        (".", "kustomization.yaml", "kustomization.yaml"),
        ("apps/app", "kustomization.yaml", "apps/app/kustomization.yaml"),
        ("apps/app/", "kustomization.yaml", "apps/app/kustomization.yaml"),
        ("apps/app", "overlays/kustomization.yaml", "apps/app/overlays/kustomization.yaml"),
        (".github/apps", "k.yaml", ".github/apps/k.yaml"),
    ],
)
def test_the_file_is_named_from_the_root_of_the_repository(
    path: str, file: str, whole: str
) -> None:
    place = manifests(path=path, kustomize={"file": file, "image": "app"})
    assert place.file == whole


@pytest.mark.parametrize(
    ("form", "kind", "file"),
    [
        ({"kustomize": {"image": "app"}}, KustomizeImage, "kustomization.yaml"),
        ({"helm": {"key": "image.tag"}}, HelmValue, "values.yaml"),
        ({"manifest": {"file": "a.yaml", "name": "a", "container": "b"}}, ManifestImage, "a.yaml"),
    ],
)
def test_the_form_is_the_one_that_is_given(
    form: dict[str, Any], kind: type[object], file: str
) -> None:
    place = Manifests.model_validate({"repository": REMOTE, **form})
    assert isinstance(place.form, kind)
    assert (place.file, place.branch, place.delivery) == (file, "main", "direct")


def test_what_is_left_out_has_a_default_that_fits_most() -> None:
    place = ArgoCdApplication.model_validate(PLACES["argocd"])
    assert (place.namespace, place.cluster, place.rollback) == ("argocd", None, "git")
    assert place.settle == timedelta(seconds=10)
    assert place.downtime_accepted == ""
    assert KubernetesDeployment.model_validate(PLACES["kubernetes"]).cluster is None


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/acme/manifests.git",
        "https://git.example.com:8443/a/b/c",
        "http://127.0.0.1:8080/acme/manifests.git",
        "git@github.com:acme/manifests.git",
        "ssh://git@git.example.com:2222/acme/manifests.git",
        "ssh://git.example.com/acme/manifests.git",
    ],
)
def test_a_remote_is_a_url_or_what_ssh_takes(remote: str) -> None:
    assert manifests(repository=remote).repository == remote


@pytest.mark.parametrize(
    "remote",
    [
        *("", "acme/manifests", "/srv/manifests.git", "../manifests", "file:///srv/manifests"),
        *("ext::sh -c touch% /tmp/x", "--upload-pack=touch /tmp/x", "https://github.com"),
        *("https://me@github.com/a/b", "ssh://me:pw@host/a", "git://github.com/a/b"),
        "https://github.com/a b",
    ],
)
def test_anything_else_is_none(remote: str) -> None:
    with pytest.raises(ValidationError):
        manifests(repository=remote)


@pytest.mark.parametrize(
    "path", ["..", "../a", "a/..", "a/../b", "/a", "a//b", "", "-a", "a\nb", "a/-b", "~/a", "a b"]
)
def test_a_path_stays_inside_of_the_repository(path: str) -> None:
    with pytest.raises(ValidationError):
        manifests(path=path)


@pytest.mark.parametrize("branch", ["main", "release/2026-03", "v1.2", "a_b-c"])
def test_branches(branch: str) -> None:
    assert manifests(branch=branch).branch == branch


@pytest.mark.parametrize("branch", ["", "-f", "a..b", "a b", "/a", "a/", "a:b", "a~1", "@{u}"])
def test_what_git_would_read_as_something_else_is_no_branch(branch: str) -> None:
    with pytest.raises(ValidationError):
        manifests(branch=branch)


@pytest.mark.parametrize("name", PLACES)
def test_the_place_says_what_rolls_it(name: str) -> None:
    spec = target(**{name: PLACES[name]})
    assert spec.provider == name
    assert spec == target(provider=name, **{name: PLACES[name]})
    assert spec.tells_changes == (name != "ecs")
    for other in PLACES:
        if other == name:
            assert getattr(spec, other) is getattr(spec, f"{other}_place")
        else:
            with pytest.raises(Misconfigured, match=f"is rolled by {name} by now"):
                getattr(spec, other)


@pytest.mark.parametrize(("one", "other"), [("ecs", "argocd"), ("argocd", "kubernetes")])
def test_a_target_has_one_place(one: str, other: str) -> None:
    with pytest.raises(ValidationError, match="one place"):
        target(**{one: PLACES[one], other: PLACES[other]})
    with pytest.raises(ValidationError, match=f'"provider" says "{other}"'):
        target(provider=other, **{one: PLACES[one]})
    with pytest.raises(ValidationError, match="needs a place"):
        target(provider=other)
