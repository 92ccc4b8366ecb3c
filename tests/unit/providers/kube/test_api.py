"""The cluster over HTTP: what the API server answers, or does not, as typed faults."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread, Timer
from typing import Any

import pytest
from kubernetes.client import Configuration

from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    QuarterdeckError,
    Terminal,
    Throttled,
    Transient,
    Unknown,
    Unreachable,
)
from bot.playground.kube import KubeWorld
from bot.providers.kube.api import ApiCluster
from bot.providers.kube.cluster import (
    APPLICATIONS,
    DEPLOYMENTS,
    ROLLOUT_STATUS,
    ROLLOUTS,
    Cluster,
    Resource,
    Select,
)
from bot.providers.kube.clusters import KubeconfigClusters
from bot.providers.kube.faults import Answer, Call, Conflict, Gone, NotThere, refused

WEB = ("argocd", "web")


@pytest.fixture
def world() -> Iterator[KubeWorld]:
    with KubeWorld() as world:
        yield world


@pytest.fixture
def cluster(world: KubeWorld, tmp_path: Path) -> Iterator[Cluster]:
    clusters = KubeconfigClusters(str(world.write_kubeconfig(tmp_path / "config")))
    yield clusters.at("staging")
    clusters.close()


def make(world: KubeWorld, name: str = "web") -> None:
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd", "labels": {"app": name}},
        "spec": {"project": "default", "destination": {}},
    }
    world.objects.create(_resource(), "argocd", body)


def _resource() -> Any:
    from bot.playground.kube import resources

    return resources.APPLICATIONS


def test_an_object_is_read_changed_and_listed(world: KubeWorld, cluster: Cluster) -> None:
    make(world)
    make(world, "other")
    assert cluster.get(APPLICATIONS, "argocd", "nobody") is None
    raw = cluster.get(APPLICATIONS, *WEB)
    assert raw is not None
    body = {"metadata": {"annotations": {"a": "b"}}}
    assert cluster.patch(APPLICATIONS, *WEB, body)["metadata"]["annotations"] == {"a": "b"}
    stale = {"metadata": {"resourceVersion": raw["metadata"]["resourceVersion"]}}
    with pytest.raises(Conflict, match="Application web changed"):
        cluster.patch(APPLICATIONS, *WEB, stale | {"spec": {"project": "x"}})
    names = {each["metadata"]["name"] for each in cluster.list(APPLICATIONS, "argocd").items}
    assert names == {"web", "other"}
    some = cluster.list(APPLICATIONS, "argocd", Select("app=web")).items
    assert [each["metadata"]["name"] for each in some] == ["web"]


def test_rights_are_asked_for(cluster: Cluster) -> None:
    assert cluster.allowed("patch", APPLICATIONS, "argocd")


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        ("unauthorized", AccessDenied, "did not accept our credentials"),
        (
            "deny",
            AccessDenied,
            "does not let us get applications.argoproj.io/web in namespace argocd",
        ),
        ("throttle", Throttled, "limits how often"),
        ("fail", Transient, "failed to get"),
        ("unavailable", Transient, "failed to get"),
        ("cut", Unreachable, "did not answer"),
    ],
)
def test_a_read_that_fails(
    world: KubeWorld, cluster: Cluster, fault: str, kind: type[Exception], said: str
) -> None:
    make(world)
    getattr(world.faults, fault)()
    with pytest.raises(kind, match=said):
        cluster.get(APPLICATIONS, *WEB)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("unauthorized", AccessDenied),
        ("deny", AccessDenied),
        ("throttle", Throttled),
        ("conflict", Conflict),
        ("fail", Unknown),
        ("unavailable", Unknown),
        ("cut", Unknown),
        ("lose_answer", Unknown),
    ],
)
def test_a_write_that_fails_may_have_taken_effect_or_surely_has_not(
    world: KubeWorld, cluster: Cluster, fault: str, kind: type[Exception]
) -> None:
    make(world)
    getattr(world.faults, fault)()
    with pytest.raises(kind) as raised:
        cluster.patch(APPLICATIONS, *WEB, {"metadata": {"annotations": {"a": "b"}}})
    assert type(raised.value) is kind


def test_how_long_to_wait_is_told(world: KubeWorld, cluster: Cluster) -> None:
    make(world)
    world.faults.throttle()
    with pytest.raises(Throttled) as throttled:
        cluster.get(APPLICATIONS, *WEB)
    assert throttled.value.retry_after > 0


def test_what_is_not_there_is_told_from_what_is_not_known_at_all(cluster: Cluster) -> None:
    with pytest.raises(NotThere, match="has no Application web in namespace argocd"):
        cluster.patch(APPLICATIONS, *WEB, {"spec": {}})
    unknown = Resource("example.com", "v1", "widgets", "Widget")
    with pytest.raises(Misconfigured, match=r"does not know widgets\.example\.com at all"):
        cluster.list(unknown, "argocd")


@pytest.mark.parametrize(
    ("said", "text", "hint"),
    [
        ('admission webhook "kyverno" denied the request: not signed', "not signed", "no matter"),
        ('pods "web" is forbidden: exceeded quota: q', "exceeded quota", "no matter"),
        ('x is forbidden: User "q" cannot patch resource "deployments"', "not let us", "in a Role"),
        ("", "not let us", "in a Role"),
    ],
)
def test_a_policy_of_the_cluster_is_told_from_a_missing_role(
    said: str, text: str, hint: str
) -> None:
    fault = refused(Answer(403, {"message": said}), Call("c", "patch", DEPLOYMENTS, "shop", "web"))
    assert isinstance(fault, AccessDenied)
    assert text in fault.message
    assert hint in fault.hint


def test_what_the_server_finds_wrong_is_quoted(world: KubeWorld, cluster: Cluster) -> None:
    world.create_deployment("default", "web")
    with pytest.raises(Terminal, match=r"refused to patch deployments\.apps/web"):
        cluster.patch(
            DEPLOYMENTS, "default", "web", {"spec": {"selector": {"matchLabels": {"app": "x"}}}}
        )


def test_a_watch_tells_and_ends_and_can_be_ended(world: KubeWorld, cluster: Cluster) -> None:
    version = cluster.list(APPLICATIONS, "argocd").version
    make(world)
    with cluster.watch(APPLICATIONS, "argocd", version, 30) as stream:
        first = next(iter(stream))
        assert (first.kind, first.object["metadata"]["name"]) == ("ADDED", "web")
        Timer(0.1, stream.close).start()
        with pytest.raises(Unreachable):
            list(stream)


def test_a_version_that_is_forgotten_is_gone(world: KubeWorld, cluster: Cluster) -> None:
    version = cluster.list(APPLICATIONS, "argocd").version
    make(world)
    world.forget_history()
    with pytest.raises(Gone):
        _first(cluster, version)


def _first(cluster: Cluster, version: str) -> object:
    with cluster.watch(APPLICATIONS, "argocd", version, 5) as stream:
        return next(iter(stream))


def test_an_answer_that_comes_drop_by_drop_has_an_end() -> None:
    """Each byte comes in time, and the last one never does."""
    over = Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not over.wait(0.01):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=drip, args=(listening,))
        thread.start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        slow = ApiCluster("slow", configuration, whole=0.1)
        with pytest.raises(Unreachable, match="too slowly"):
            slow.get(APPLICATIONS, *WEB)
        over.set()
        slow.close()
        thread.join()


def test_nobody_at_home(world: KubeWorld, cluster: Cluster) -> None:
    cluster.list(APPLICATIONS, "argocd")
    world.close()
    with pytest.raises(Unreachable):
        cluster.list(APPLICATIONS, "argocd")
    with pytest.raises(Unreachable, match="could not be reached"):
        cluster.patch(APPLICATIONS, *WEB, {})


@pytest.mark.parametrize("context", ["elsewhere", None])
def test_without_a_cluster_it_is_said_what_to_set(tmp_path: Path, context: str | None) -> None:
    clusters = KubeconfigClusters(str(tmp_path / "nothing"))
    with pytest.raises(Misconfigured) as missing:
        clusters.at(context)
    assert "KUBECONFIG" in missing.value.hint


def with_program(world: KubeWorld, folder: Path, script: str) -> str:
    """A kubeconfig whose credentials come from a program, as those of EKS and GKE do."""
    config = world.write_kubeconfig(folder / "config")
    told = json.loads(config.read_text())
    token = {each["name"]: each["user"]["token"] for each in told["users"]}["staging"]
    api = "client.authentication.k8s.io/v1"
    answer = {"apiVersion": api, "kind": "ExecCredential", "status": {"token": token}}
    program = folder / "get-token"
    program.write_text(f"#!/bin/sh\n{script}\necho '{json.dumps(answer)}'\n")
    program.chmod(0o755)
    given = {"apiVersion": api, "command": str(program), "interactiveMode": "Never"}
    told["users"] = [{"name": "staging", "user": {"exec": given}}]
    config.write_text(json.dumps(told))
    return str(config)


def test_a_program_that_gives_no_credentials_is_asked_again(
    world: KubeWorld, tmp_path: Path
) -> None:
    """The client goes on without any, and would for as long as the bot runs."""
    fails = tmp_path / "fails"
    fails.touch()
    script = f"[ -e {fails} ] && echo s3cr3t >&2 && exit 1"
    clusters = KubeconfigClusters(with_program(world, tmp_path, script))
    with pytest.raises(Unreachable, match="get-token gave no credentials") as nothing:
        clusters.at("staging")
    assert "s3cr3t" not in nothing.value.message + nothing.value.hint
    fails.unlink()
    assert clusters.at("staging").list(APPLICATIONS, "argocd").items == ()
    clusters.close()


def test_a_program_that_hangs_is_not_waited_for_for_ever(world: KubeWorld, tmp_path: Path) -> None:
    hangs, begun = tmp_path / "hangs", tmp_path / "begun"
    os.mkfifo(hangs)
    script = f"echo x >> {begun}; read line < {hangs}"
    clusters = KubeconfigClusters(with_program(world, tmp_path, script), patience=0.5)
    for _ in range(2):
        with pytest.raises(Unreachable, match="did not come within"):
            clusters.at("staging")
    hangs.write_text("go on\n")
    assert begun.read_text() == "x\n"  # no second one was started beside it
    with pytest.raises(Misconfigured):
        clusters.at("elsewhere")
    clusters.close()


@pytest.mark.parametrize("in_a_file", [True, False])
def test_a_token_that_is_renewed_on_disk_is_taken_over(
    world: KubeWorld, tmp_path: Path, *, in_a_file: bool
) -> None:
    """A projected token is good for an hour."""
    config, token, now = world.write_kubeconfig(tmp_path / "config"), tmp_path / "token", [0.0]
    told = json.loads(config.read_text())
    good = {each["name"]: each["user"]["token"] for each in told["users"]}["staging"]

    def write(text: str) -> None:
        token.write_text(text)
        user = {"tokenFile": str(token)} if in_a_file else {"token": text}
        config.write_text(json.dumps(told | {"users": [{"name": "staging", "user": user}]}))

    write("expired")
    clusters = KubeconfigClusters(str(config), ticks=lambda: now[0])
    cluster = clusters.at("staging")
    with pytest.raises(AccessDenied):
        cluster.list(APPLICATIONS, "argocd")
    write(good)
    now[0] += 60
    assert cluster.list(APPLICATIONS, "argocd").items == ()
    config.write_text("{")
    now[0] += 60
    assert cluster.list(APPLICATIONS, "argocd").items == ()
    clusters.close()


def test_a_broken_kubeconfig_is_quoted_nowhere(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("users: [{name: x, user: {token: s3cr3t}}", encoding="utf-8")
    with pytest.raises(QuarterdeckError) as broken:
        KubeconfigClusters(str(config)).at("staging")
    assert "s3cr3t" not in broken.value.message + broken.value.hint


def test_a_subresource_is_written_by_itself(world: KubeWorld, cluster: Cluster) -> None:
    from bot.playground.kube import resources

    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    world.objects.create(resources.ROLLOUTS, "default", {"metadata": {"name": "web"}, "spec": spec})
    body = {"spec": {"replicas": 7}, "status": {"abort": True}}
    after = cluster.patch(ROLLOUT_STATUS, "default", "web", body)
    assert after["status"]["abort"] is True
    assert "replicas" not in after["spec"]
    assert world.count("patch", "rollouts/status") == 1


def test_rights_to_a_subresource_are_its_own(world: KubeWorld, cluster: Cluster) -> None:
    world.access.revoke("patch", "rollouts/status")
    assert not cluster.allowed("patch", ROLLOUT_STATUS, "default")
    assert cluster.allowed("patch", ROLLOUTS, "default")
    with pytest.raises(AccessDenied) as denied:
        cluster.patch(ROLLOUT_STATUS, "default", "web", {})
    assert 'resources ["rollouts/status"]' in denied.value.hint
