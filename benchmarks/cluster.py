"""``python -m benchmarks.cluster``: git, a cluster and Argo CD between them, and an AWS for images.

Prints the AWS's URL, when a ``Stage`` has been left beside it in ``STAGE``. All Applications stand
in one namespace and are made from one repository.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from typing_extensions import override

from benchmarks.cloud import service_name
from bot.playground.aws import World
from bot.playground.aws.blueprints import ACCOUNT, REGION
from bot.playground.aws.records import Behaviour
from bot.playground.git import GitHost
from bot.playground.kube import KubeWorld
from bot.playground.kube.containers import Images
from bot.playground.kube.resources import APPLICATIONS
from bot.playground.kube.store import Change

STAGE, KUBECONFIG = Path("stage.json"), Path("kubeconfig")
REPOSITORY, ENVIRONMENT, OURS = "acme/manifests", "staging", "quarterdeck"
#: Both pods, one after the other, in half a minute; a bad one is given up soon after.
DEADLINE = 60
_KUSTOMIZATION = """\
resources:
  - deployment.yaml
images:
  - name: {service}
    newName: {registry}/{service}
    newTag: v0@{digest}  # changed by whoever deploys
"""
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {service}}}
spec:
  replicas: 2
  progressDeadlineSeconds: {deadline}
  selector: {{matchLabels: {{app: {service}}}}}
  strategy: {{type: RollingUpdate, rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}}}
  template:
    metadata: {{labels: {{app: {service}}}}}
    spec:
      containers:
        - {{name: app, image: {service}, readinessProbe: {{httpGet: {{path: /, port: 80}}}}}}
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where to find what; ``digests`` are those of v1, by service."""

    git: str
    token: str
    facts: str
    api: str
    api_token: str
    digests: dict[str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What has come about so far.

    ``settled``: when each service's Application first stood as ``stands`` says; ``running``: the
    images of its Deployment. ``calls`` to the API server are verb, resource and name, of the bot
    and nobody else. ``watches``: how many watches of Applications are open now. ``git``: how often
    the git host was asked for what.
    """

    settled: dict[str, float]
    running: dict[str, str]
    calls: list[tuple[str, str, str]]
    others: int
    watches: int
    git: dict[str, int]


def stands(application: dict[str, Any], digest: str) -> bool:
    """Whether Argo CD says that this image is rolled out: what a careful script would wait for."""
    status = application.get("status", {})
    operation = status.get("operationState", {})
    return (
        any(digest in image for image in status.get("summary", {}).get("images", ()))
        and status.get("sync", {}).get("status") == "Synced"
        and status.get("health", {}).get("status") == "Healthy"
        and operation.get("phase") == "Succeeded"
        and "operation" not in application
    )


class Scene:
    """The whole of it in one process."""

    def __init__(self, folder: Path, pull: float) -> None:
        self.world = World(seed=7, speed=1.0)
        images = Images(lambda image: self.world.pulled(image).behaviour, lambda _image: None)
        self.git = GitHost(folder / "git")
        self.kube = KubeWorld(seed=7, speed=1.0, contexts=(OURS,), images=images)
        self.kube.set_timings(pull=pull, jitter=0.3)
        self.digests: dict[str, str] = {}
        self._settled: dict[str, float] = {}

    def furnish(self, services: int, bad: int) -> None:
        """Every service runs v0. The first ``bad`` of them have a v1 that crashes."""
        files: dict[str, str] = {}
        for number in range(services):
            service = service_name(number)
            words = {"service": service, "digest": self.world.push(service, "v0")}
            words["registry"] = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
            behaviour = Behaviour.CRASHING if number < bad else Behaviour.GOOD
            self.digests[service] = self.world.push(service, "v1", behaviour)
            files[f"{service}/kustomization.yaml"] = _KUSTOMIZATION.format(**words)
            files[f"{service}/deployment.yaml"] = _DEPLOYMENT.format(deadline=DEADLINE, **words)
        url = self.git.create(REPOSITORY, files)
        self.kube.argocd.connect_repository(url, self.git.folder(REPOSITORY))
        for service in self.digests:
            self.kube.argocd.create_application(
                service, repository=url, path=service, namespace=ENVIRONMENT
            )
        self.kube.store.listeners.append(self._hear)

    def _hear(self, change: Change) -> None:
        if change.resource != APPLICATIONS:
            return
        name = change.object["metadata"]["name"]
        if name not in self._settled and stands(change.object, self.digests[name]):
            self._settled[name] = time.time()

    def facts(self) -> Facts:
        calls = self.kube.calls()
        ours = [each for each in calls if each.user_agent == OURS]
        with self.kube.store.lock:
            settled = dict(self._settled)
        return Facts(
            settled,
            {service: self._image(service) for service in self.digests},
            [(each.verb, each.resource, each.name) for each in ours],
            len(calls) - len(ours),
            self.kube.open_watches("applications"),
            dict(Counter(each.service for each in self.git.requests())),
        )

    def _image(self, service: str) -> str:
        found = self.kube.deployment(ENVIRONMENT, service)
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def stage(self, facts: str) -> Stage:
        token, url = self.kube.token(OURS), self.kube.serve()
        return Stage(self.git.url(REPOSITORY), self.git.token, facts, url, token, self.digests)


def serve(scene: Scene) -> ThreadingHTTPServer:
    """Tells the facts to whoever asks."""

    class Teller(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = json.dumps(asdict(scene.facts())).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Teller)
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--services", type=int, required=True)
    parser.add_argument("--bad", type=int, required=True)
    parser.add_argument("--pull", type=float, required=True)
    chosen = parser.parse_args()
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    scene = Scene(Path.cwd(), chosen.pull)
    with scene.world, scene.git, scene.kube:
        scene.furnish(chosen.services, chosen.bad)
        scene.kube.write_kubeconfig(KUBECONFIG)
        server = serve(scene)
        told = scene.stage(f"http://127.0.0.1:{server.server_address[1]}/")
        STAGE.write_text(json.dumps(asdict(told)))
        sys.stdout.write(scene.world.serve() + "\n")
        sys.stdout.flush()
        stop.wait()
        server.shutdown()


if __name__ == "__main__":
    main()
