"""The whole local cluster: its objects, its time, its faults, and what tests do to it by hand."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, Unpack

from bot.playground.aws.records import Minter
from bot.playground.kube import kubeconfig
from bot.playground.kube.access import DEFAULT_USER, Access
from bot.playground.kube.api import Api
from bot.playground.kube.argocd.installation import ArgoCd
from bot.playground.kube.blueprints import DeploymentOptions, deployment_of
from bot.playground.kube.calls import CALLS_KEPT, Call
from bot.playground.kube.conditions import condition_of
from bot.playground.kube.containers import Images, every_image_is_good, no_digest
from bot.playground.kube.controllers import Controllers
from bot.playground.kube.faults import Faults
from bot.playground.kube.objects import STATUS, Objects
from bot.playground.kube.patches import MERGE, STRATEGIC
from bot.playground.kube.reads import Watch
from bot.playground.kube.resources import (
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    PODS,
    ROLLOUTS,
    Json,
    Resource,
    cloned,
)
from bot.playground.kube.routing import Place, Request
from bot.playground.kube.selectors import selection
from bot.playground.kube.server import Server
from bot.playground.kube.store import Store
from bot.playground.timeline import Clock, Timeline

CONTEXTS = ("staging", "production")
FIRST_NAMESPACES = ("default", "kube-system", "argocd")
ALL_GOOD = Images(every_image_is_good, no_digest)
STEP = 1.0  # virtual seconds between two looks
LONGEST_WAIT = 0.05  # real seconds between two looks at virtual time
SHORTEST_WAIT = 0.005


class KubeWorld:
    """One local cluster.

    ``speed`` is how many virtual seconds pass in a real one; 0 stands still until ``advance``.
    ``wall`` tells the time that is shown (``creationTimestamp`` and the like). ``images`` says what
    the containers of an image do; without it all are good.
    """

    def __init__(
        self,
        seed: int = 1,
        speed: float = 0.0,
        *,
        wall: Callable[[], float] = time.time,
        contexts: Sequence[str] = CONTEXTS,
        images: Images = ALL_GOOD,
    ) -> None:
        self.faults = Faults()
        self.access = Access()
        self.clock = Clock(speed, wall)
        self.store = Store()
        self._timeline = Timeline(self.clock)
        self._minter = Minter(seed)
        self.objects = Objects(self.store, self._timeline.stamp, self._minter)
        self._api = Api(self.objects, self.access)
        self._controllers = Controllers(self._timeline, self.objects, self._minter)
        self._controllers.pods.images = images
        self.argocd = ArgoCd(self, self._controllers.applications, self._controllers.sources)
        self._tokens = {each: self._minter.word(f"token/{each}") for each in contexts}
        for token in self._tokens.values():
            self.access.admit(token, DEFAULT_USER)
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self._watches: set[Watch] = set()
        self._server: Server | None = None
        self._closing = threading.Event()
        self._pump: threading.Thread | None = None
        for name in FIRST_NAMESPACES:
            self.create_namespace(name)

    # Serving

    def serve(self, port: int = 0) -> str:
        """Listen on loopback in a thread of its own; returns the API server's URL."""
        if self._server is None:
            self._server = Server(self, port)
            self._server.start()
            if self.clock.speed:
                self._pump = threading.Thread(target=self._run, name="local-kube-time", daemon=True)
                self._pump.start()
        return self._server.url

    def close(self) -> None:
        """Stop listening; what the world holds stays readable."""
        self._closing.set()
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._pump is not None:
            self._pump.join()
            self._pump = None

    def __enter__(self) -> Self:
        self.serve()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write_kubeconfig(self, path: Path, current: str | None = None) -> Path:
        """Write a kubeconfig with a context for each name that the world was given."""
        return kubeconfig.write(
            path, self.serve(), self._tokens, current or next(iter(self._tokens))
        )

    def token(self, context: str) -> str:
        """The bearer token of that context."""
        return self._tokens[context]

    def answer(self, request: Request) -> tuple[int, Json | str]:
        """Carry out one request. Raises ``ApiError``."""
        with self.store.lock:
            self._timeline.catch_up()
            return self._api.answer(request)

    def open_watch(self, request: Request, place: Place) -> Watch:
        """Begin a watch. Raises ``ApiError``."""
        with self.store.lock:
            self._timeline.catch_up()
            watch = self._api.watch(request, place)
            self._watches.add(watch)
            return watch

    def close_watch(self, watch: Watch) -> None:
        """Forget a watch."""
        with self.store.lock:
            self._watches.discard(watch)
            watch.close()

    def record(self, request: Request, outcome: str) -> None:
        """Write a call down."""
        place = request.place
        call = Call(
            verb=request.verb,
            resource=place.title if place else "",
            namespace=place.namespace if place else "",
            name=place.name if place else request.path,
            user=request.user,
            user_agent=request.user_agent,
            query=request.query,
            body=request.body,
            outcome=outcome,
            at=self.clock.wall(),
        )
        with self.store.lock:
            self._calls.append(call)

    # Looking at it

    def calls(self, verb: str | None = None, resource: str | None = None) -> list[Call]:
        """The calls so far, oldest first, of one verb or resource or of all."""
        with self.store.lock:
            return [
                call
                for call in self._calls
                if verb in {None, call.verb} and resource in {None, call.resource}
            ]

    def count(self, verb: str, resource: str | None = None) -> int:
        """How many calls took effect, answered or not."""
        return sum(call.took_effect for call in self.calls(verb, resource))

    def open_watches(self, resource: str | None = None) -> int:
        """How many watches are open at this moment."""
        with self.store.lock:
            return sum(resource in {None, watch.resource} for watch in self._watches)

    def deployment(self, namespace: str, name: str) -> Json:
        """The Deployment as it is now. Raises ``ApiError`` where there is none."""
        return self.get(DEPLOYMENTS, namespace, name)

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """A copy of any object as it is now. Raises ``ApiError`` where there is none."""
        with self.store.lock:
            self._timeline.catch_up()
            return cloned(self.objects.get((resource, namespace, name)))

    def pods(self, namespace: str, selector: str = "") -> list[Json]:
        """The pods of a namespace that the label selector means."""
        with self.store.lock:
            self._timeline.catch_up()
            wanted = selection(PODS, selector, "")
            found = [each for each in self.store.all(PODS, namespace) if wanted(each)]
            return cloned(found)

    def events(self, namespace: str, name: str = "") -> list[Json]:
        """The events of a namespace, of everything or of what is called so; oldest first."""
        with self.store.lock:
            self._timeline.catch_up()
            found = self.store.all(EVENTS, namespace)
            named = [each for each in found if name in {"", each["involvedObject"]["name"]}]
            return sorted(named, key=lambda each: int(each["metadata"]["resourceVersion"]))

    # Doing things to it

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` of virtual time pass at once."""
        with self.store.lock:
            self.clock.advance(seconds)
            self._timeline.catch_up()

    def settle(self) -> None:
        """Bring about at once, as good images would, whatever is on its way."""
        with self.store.lock:
            self._timeline.catch_up()
            self._controllers.settle()

    def set_timings(self, **changes: float) -> None:
        """Change how long things take from now on; names are those of ``Timings``."""
        life = self._controllers.pods
        life.timings = dataclasses.replace(life.timings, **changes)

    def create_deployment(
        self, namespace: str, name: str, **options: Unpack[DeploymentOptions]
    ) -> Json:
        """Make a Deployment, and the namespace with it; see ``DeploymentOptions``."""
        with self.store.lock:
            self.create_namespace(namespace)
            self.objects.create(DEPLOYMENTS, namespace, deployment_of(name, options))
            if options.get("settled", True):
                self.settle()
            return self.deployment(namespace, name)

    def create_namespace(self, name: str) -> None:
        """Make a namespace, where there is none of that name."""
        with self.store.lock:
            if self.store.find(NAMESPACES, "", name) is None:
                self.objects.create(NAMESPACES, "", {"metadata": {"name": name}})

    def apply(self, resource: Resource, namespace: str, name: str, patch: Json) -> Json:
        """Let somebody else merge ``patch`` into an object, strategically where that is known."""
        kind = MERGE if resource.custom else STRATEGIC
        with self.store.lock:
            self._timeline.catch_up()
            return self.objects.patch((resource, namespace, name), kind, patch)

    def set_image(self, namespace: str, name: str, image: str) -> None:
        """Let somebody else change the image of a Deployment's first container in the cluster."""
        with self.store.lock:
            pod = self.deployment(namespace, name)["spec"]["template"]["spec"]
            named = {"name": pod["containers"][0]["name"], "image": image}
            patch = {"spec": {"template": {"spec": {"containers": [named]}}}}
            self.apply(DEPLOYMENTS, namespace, name, patch)

    def pause(
        self, namespace: str, name: str, resource: Resource = DEPLOYMENTS, *, paused: bool = True
    ) -> None:
        """Let somebody pause a Deployment or a Rollout, or with ``paused`` False resume it."""
        self.apply(resource, namespace, name, {"spec": {"paused": True if paused else None}})

    def promote(self, namespace: str, name: str) -> None:
        """Let somebody resume a Rollout that waits at a step, as ``promote`` does."""
        self.tell_rollout(namespace, name, {"pauseConditions": None})

    def abort(self, namespace: str, name: str) -> None:
        """Let somebody abort a Rollout, as ``abort`` does."""
        self.tell_rollout(namespace, name, {"abort": True})

    def tell_rollout(self, namespace: str, name: str, status: Json) -> None:
        """Let somebody, or another controller, write into the status of a Rollout."""
        with self.store.lock:
            self._timeline.catch_up()
            key = (ROLLOUTS, namespace, name)
            self.objects.patch(key, MERGE, {"status": status}, STATUS)

    def halt_rollouts(self, *, halted: bool = True) -> None:
        """Let the controller of Argo Rollouts be down, or with ``halted`` False up again."""
        with self.store.lock:
            self._timeline.catch_up()
            self._controllers.rollouts.halt(halted=halted)

    def halt_gateway(self, *, halted: bool = True) -> None:
        """Let the Gateway's controller be down, or with ``halted`` False up again."""
        with self.store.lock:
            self._timeline.catch_up()
            self._controllers.http_routes.halt(halted=halted)

    def scale(self, namespace: str, name: str, replicas: int) -> None:
        """Let somebody else change how many pods a Deployment wants."""
        self.apply(DEPLOYMENTS, namespace, name, {"spec": {"replicas": replicas}})

    def crash_pod(self, namespace: str, name: str) -> None:
        """Let the first container of a running pod exit by itself, once."""
        with self.store.lock:
            self._timeline.catch_up()
            self._controllers.pods.crash((PODS, namespace, name))

    def run_until_rolled_out(self, namespace: str, name: str, most: float = 7200.0) -> bool:
        """Advance until a rollout is complete or past its deadline; False where neither came."""
        for _ in range(int(most / STEP)):
            found = self.deployment(namespace, name)
            status = found.get("status", {})
            condition = condition_of(status, "Progressing") or {}
            if status.get("observedGeneration") == found["metadata"]["generation"] and (
                condition.get("reason") in {"NewReplicaSetAvailable", "ProgressDeadlineExceeded"}
            ):
                return True
            self.advance(STEP)
        return False

    def forget_history(self) -> None:
        """Forget past changes and begun lists: what asks for them gets 410 Gone."""
        with self.store.lock:
            self.store.compact()
            self._api.lists.forget()

    def cut_watches(self, resource: str | None = None) -> int:
        """Cut the connections of open watches; returns how many."""
        with self.store.changed:
            hit = [each for each in self._watches if resource in {None, each.resource}]
            for watch in hit:
                watch.cut.set()
            self.store.changed.notify_all()
            return len(hit)

    def send_bookmarks(self) -> None:
        """Let open watches that asked for bookmarks get one now."""
        with self.store.changed:
            for watch in self._watches:
                watch.asked = True
            self.store.changed.notify_all()

    # Inside

    def _run(self) -> None:
        # Watches are told of what virtual time brings, though nobody asks.
        while not self._closing.is_set():
            with self.store.lock:
                self._timeline.catch_up()
                wait = self._timeline.wait()
            real = LONGEST_WAIT if wait is None else wait / self.clock.speed
            self._closing.wait(min(LONGEST_WAIT, max(SHORTEST_WAIT, real)))
