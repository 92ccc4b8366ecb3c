"""Places under Argo CD and in a cluster: what is wrong with each, and where two overlap."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings.catalog_file import check, load
from bot.settings.problems import CatalogProblems, Problem

HEAD = """\
version: 1
services:
  app:
    repository: acme/app
    ecr: {registry: 012345678901, region: eu-central-1, repository: app}
  web:
    repository: acme/web
    ecr: {registry: 012345678901, region: eu-central-1, repository: web}
environments:
  staging: {policy: open}
  production: {policy: open}
policies:
  open: {deployers: {everyone: true}}
targets:
"""
FIRST = "  - service: app\n    environment: staging\n"
OTHER = "  - service: web\n    environment: staging\n"
ELSEWHERE = "  - service: app\n    environment: production\n"
ARGO_CD = """\
    argocd:
      application: app
      manifests:
        repository: https://github.com/acme/manifests.git
        path: apps/app
        kustomize: {image: app}
"""
INSIDE = "a path inside the repository, without .. and without a slash at its beginning"
OBJECT = "the name of a Kubernetes object: lower case letters, digits, dashes and dots"
KUBERNETES = "    kubernetes: {namespace: apps, deployment: app, container: app}\n"
ECS = "    ecs: {region: eu-central-1, cluster: c, service: app, container: app}\n"
HELM = ARGO_CD.replace("kustomize: {image: app}", "helm: {key: image.tag}")
MANIFEST = ARGO_CD.replace(
    "kustomize: {image: app}", "manifest: {file: app.yaml, name: app, container: app}"
)


def problems(tmp_path: Path, *targets: str) -> tuple[Problem, ...]:
    path = tmp_path / "quarterdeck.yaml"
    path.write_text(HEAD + "".join(targets))
    try:
        load(path)
    except CatalogProblems as broken:
        return broken.problems
    return ()


def changed(old: str, new: str, place: str = ARGO_CD) -> str:
    assert old in place
    return place.replace(old, new)


@pytest.mark.parametrize("place", [ECS, ARGO_CD, HELM, MANIFEST, KUBERNETES])
def test_the_place_alone_says_what_rolls_it(tmp_path: Path, place: str) -> None:
    assert problems(tmp_path, FIRST, place) == ()


@pytest.mark.parametrize(
    ("place", "where", "message", "suggestion"),
    [
        ("", "", 'a target needs a place: "ecs", "argocd" or "kubernetes"', ""),
        (
            "    provider: argocd\n",
            "",
            'a target needs a place: "ecs", "argocd" or "kubernetes"',
            "",
        ),
        (ECS + ARGO_CD, "", 'a target has one place, but "ecs" and "argocd" are given', ""),
        (
            "    provider: kubernetes\n" + ARGO_CD,
            "",
            '"provider" says "kubernetes", but the place stands under "argocd"',
            "",
        ),
        (
            "    provider: argo\n" + ARGO_CD,
            ".provider",
            '"argo" is not "ecs", "argocd" or "kubernetes"',
            'Did you mean "argocd"?',
        ),
        ("    argocd:\n", ".argocd", "this is empty, but a mapping is needed here", ""),
        (
            changed("{image: app}", ""),
            ".argocd.manifests.kustomize",
            "this is empty, but a mapping is needed here",
            "",
        ),
        (
            changed("        kustomize: {image: app}\n", ""),
            ".argocd.manifests",
            (
                'one of "kustomize", "helm" and "manifest" says how the image is written: '
                "none is given"
            ),
            "",
        ),
        (
            ARGO_CD + "        helm: {key: image.tag}\n",
            ".argocd.manifests",
            (
                'one of "kustomize", "helm" and "manifest" says how the image is written: '
                '"kustomize" and "helm" are given'
            ),
            "",
        ),
        (
            changed("apps/app", "../app"),
            ".argocd.manifests.path",
            '"../app" is not ' + INSIDE,
            "",
        ),
        (
            changed("apps/app", "apps/../../app"),
            ".argocd.manifests.path",
            '"apps/../../app" is not ' + INSIDE,
            "",
        ),
        (
            changed("app.yaml", "/etc/app.yaml", MANIFEST),
            ".argocd.manifests.manifest.file",
            '"/etc/app.yaml" is not ' + INSIDE,
            "",
        ),
        (
            changed("        path", "        branch: --force\n        path"),
            ".argocd.manifests.branch",
            '"--force" is not the name of a git branch',
            "",
        ),
        (
            changed("https://github.com/acme/manifests.git", "file:///srv/manifests"),
            ".argocd.manifests.repository",
            (
                '"file:///srv/manifests" is not a git remote without credentials, such as '
                "https://github.com/acme/manifests.git or git@github.com:acme/manifests.git"
            ),
            "",
        ),
        (
            changed("image.tag", ".image.tag", HELM),
            ".argocd.manifests.helm.key",
            '".image.tag" is not a path of keys with dots between them, such as image.tag',
            "",
        ),
        (
            changed("{key: image.tag}", "{key: image.tag, holds: digests}", HELM),
            ".argocd.manifests.helm.holds",
            '"digests" is not "tag", "digest" or "image"',
            'Did you mean "digest"?',
        ),
        (
            changed("name: app,", "name: app, kind: Pod,", MANIFEST),
            ".argocd.manifests.manifest.kind",
            '"Pod" is not "Deployment", "StatefulSet", "DaemonSet" or "Rollout"',
            "There is: DaemonSet, Deployment, Rollout, StatefulSet.",
        ),
        (
            ARGO_CD + "        delivery: pull-request\n",
            ".argocd.manifests.delivery",
            '"pull-request" is not "direct" or "pull_request"',
            'Did you mean "pull_request"?',
        ),
        (
            ARGO_CD + "      rollback: histroy\n",
            ".argocd.rollback",
            '"histroy" is not "git" or "history"',
            'Did you mean "history"?',
        ),
        (
            ARGO_CD + "      settle: 10\n",
            ".argocd.settle",
            "a duration is written like 30m, 4h or 1d12h",
            "",
        ),
        (
            changed("application: app", "application: App_1"),
            ".argocd.application",
            '"App_1" is not ' + OBJECT,
            "",
        ),
        (
            changed(", container: app", "", KUBERNETES),
            ".kubernetes",
            '"container" is missing',
            "The container whose image is ours to change.",
        ),
        (
            changed("deployment: app", "deploymnt: app, deployment: app", KUBERNETES),
            ".kubernetes.deploymnt",
            'there is no key "deploymnt" here',
            'Did you mean "deployment"?',
        ),
    ],
)
def test_what_is_wrong_with_a_place_is_told_where_it_stands(
    tmp_path: Path, place: str, where: str, message: str, suggestion: str
) -> None:
    (problem,) = problems(tmp_path, FIRST, place)
    assert (problem.path, problem.message) == (f"targets[0]{where}", message)
    assert problem.suggestion == suggestion
    assert problem.line >= len(HEAD.splitlines()) + 1


@pytest.mark.parametrize(
    "remote",
    [
        "https://hunter2@github.com/acme/manifests.git",
        "https://me:hunter2@github.com/acme/manifests.git",
        "https://me:hunter2@github.com",
        "ssh://git:hunter2@github.com/acme/manifests.git",
        "me:hunter2@github.com:acme/manifests.git",
    ],
)
def test_credentials_in_a_remote_are_refused_and_never_repeated(
    tmp_path: Path, remote: str
) -> None:
    place = changed("https://github.com/acme/manifests.git", remote)
    (problem,) = problems(tmp_path, FIRST, place)
    assert problem.message == "there are credentials in this git remote"
    assert "renew them" in problem.suggestion
    code, text = check(tmp_path / "quarterdeck.yaml")
    assert code == 2
    assert "hunter2" not in text


# --- what two targets would change alike ---

VALUE = "this value of this file in git is a target already: targets[0] in line 15"
APPLICATION = "this Application in another environment is a target already: targets[0] in line 15"
CONTAINER = "this container of this Deployment is a target already: targets[0] in line 15"
APART = changed("application: app", "application: web")


@pytest.mark.parametrize(
    "second",
    [
        APART,
        changed("https://github.com/acme/manifests.git", "git@github.com:acme/manifests", APART),
        changed("https://github.com", "ssh://git@github.com:22", APART),
        changed("https://github.com", "https://GitHub.com", APART),
        changed("path: apps/app", "branch: main\n        path: ./apps/app/", APART).replace(
            "./apps", "apps"
        ),
        changed("{image: app}", "{file: kustomization.yaml, image: app}", APART),
        changed("path: apps/app", "path: apps", APART).replace(
            "{image: app}", "{file: app/kustomization.yaml, image: app}"
        ),
    ],
)
def test_one_value_of_a_file_belongs_to_one_target(tmp_path: Path, second: str) -> None:
    assert [p.message for p in problems(tmp_path, FIRST, ARGO_CD, OTHER, second)] == [VALUE]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (HELM, changed("application: app", "application: web", HELM)),
        (MANIFEST, changed("application: app", "application: web", MANIFEST)),
        (
            MANIFEST,
            changed("name: app", "kind: Deployment, name: app", MANIFEST).replace(
                "application: app", "application: web"
            ),
        ),
    ],
)
def test_so_it_is_with_every_form(tmp_path: Path, first: str, second: str) -> None:
    assert [p.message for p in problems(tmp_path, FIRST, first, OTHER, second)] == [VALUE]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ARGO_CD, changed("{image: app}", "{image: web}")),
        (ARGO_CD, changed("apps/app", "apps/web", APART)),
        (ARGO_CD, changed("        path", "        branch: next\n        path", APART)),
        (ARGO_CD, changed("acme/manifests", "acme/others", APART)),
        (HELM, changed("image.tag", "sidecar.tag", HELM)),
        (MANIFEST, changed("name: app", "kind: StatefulSet, name: app", MANIFEST)),
        (MANIFEST, changed("container: app", "container: sidecar", MANIFEST)),
        (KUBERNETES, changed("container: app", "container: sidecar", KUBERNETES)),
        (KUBERNETES, changed("{names", "{cluster: other, names", KUBERNETES)),
        (ARGO_CD, KUBERNETES),
    ],
)
def test_services_may_share_a_file_an_application_and_a_deployment(
    tmp_path: Path, first: str, second: str
) -> None:
    assert problems(tmp_path, FIRST, first, OTHER, second) == ()


def test_environments_do_not_share_an_application(tmp_path: Path) -> None:
    second = changed("apps/app", "apps/prod")
    found = problems(tmp_path, FIRST, ARGO_CD, ELSEWHERE, second)
    assert [p.message for p in found] == [APPLICATION]
    for apart in ("namespace: teams\n      ", "cluster: prod\n      "):
        other = changed("application: app", f"{apart}application: app", second)
        assert problems(tmp_path, FIRST, ARGO_CD, ELSEWHERE, other) == ()
    same = changed("application: app", "namespace: argocd\n      application: app", second)
    found = problems(tmp_path, FIRST, ARGO_CD, ELSEWHERE, same)
    assert [p.message for p in found] == [APPLICATION]


def test_a_container_of_a_deployment_belongs_to_one_target(tmp_path: Path) -> None:
    found = problems(tmp_path, FIRST, KUBERNETES, ELSEWHERE, KUBERNETES)
    assert [p.message for p in found] == [CONTAINER]


def test_what_is_malformed_overlaps_with_nothing(tmp_path: Path) -> None:
    """And what is told of it is told once."""
    odd = changed("kustomize: {image: app}", "kustomize: [app]")
    found = problems(tmp_path, FIRST, odd, OTHER, changed("apps/app", "[a]", APART))
    assert [p.path for p in found] == [
        "targets[0].argocd.manifests.kustomize",
        "targets[1].argocd.manifests.path",
    ]


# --- what two canaries would shift alike ---

ELB = "arn:aws:elasticloadbalancing:eu-central-1:123456789012"
WEIGHTED = (
    f"    canary: {{weighted: {{rule: '{ELB}:listener-rule/app/web/1/2/3', "
    f"stable: '{ELB}:targetgroup/app/1', canary: '{ELB}:targetgroup/app-canary/1'}}}}\n"
)
SECOND = changed("service: app, container: app", "service: web, container: app", ECS)
ALL_NEW = (
    changed("/1/2/3", "/4/5/6", WEIGHTED)
    .replace("targetgroup/app/1", "targetgroup/web/1")
    .replace("targetgroup/app-canary/1", "targetgroup/web-canary/1")
)
ROLLED = (
    "    canary: {rollout: {namespace: apps, name: app}, "
    "prometheus: {url: 'http://prometheus', labels: 'app=\"{{version}}\"'}}\n"
)


@pytest.mark.parametrize(
    ("place", "canary", "second", "other", "what"),
    [
        (ECS, WEIGHTED, SECOND, changed("/4/5/6", "/1/2/3", ALL_NEW), "the listener rule"),
        (ECS, WEIGHTED, SECOND, changed("web-canary", "app-canary", ALL_NEW), "a target group"),
        (ECS, WEIGHTED, SECOND, changed("up/web-canary", "up/app", ALL_NEW), "a target group"),
        (
            ECS,
            WEIGHTED,
            SECOND,
            changed("rule:", "service: app-canary, rule:", ALL_NEW),
            "the ECS service",
        ),
        (
            ECS,
            WEIGHTED,
            changed("container: app", "container: b", ECS),
            ALL_NEW,
            "the ECS service",
        ),
        (ARGO_CD, ROLLED, changed("apps/app", "apps/web", APART), ROLLED, "the Rollout"),
    ],
)
def test_what_a_canary_shifts_belongs_to_one_target(
    tmp_path: Path, place: str, canary: str, second: str, other: str, what: str
) -> None:
    found = problems(tmp_path, FIRST, place, canary, OTHER, second, other)
    said = f"{what} of this canary is used already: targets[0] in line 15"
    assert [problem.message for problem in found] == [said]


def test_canaries_of_their_own_overlap_with_nothing(tmp_path: Path) -> None:
    assert problems(tmp_path, FIRST, ECS, WEIGHTED, OTHER, SECOND, ALL_NEW) == ()
