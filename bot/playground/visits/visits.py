"""Requests that come to Rollouts, slice by slice, and the scrapes of the pods that answer them.

A slice is shared out by the weights, the pods and the levers of its end, and the pods are scraped
then. Whoever leaves between two slices is not scraped again.
"""

from __future__ import annotations

import math
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bot.playground.aws import World
from bot.playground.aws.arrivals import (
    KEPT_MOMENTS,
    SLICE,
    Harm,
    Incident,
    Moment,
    Replica,
    Slot,
    Stream,
    Tally,
    answer,
    harm_of,
    shown,
)
from bot.playground.aws.versions import Version
from bot.playground.kube import KubeWorld
from bot.playground.prometheus import Storage
from bot.playground.visits.counters import Counters, Scraper
from bot.playground.visits.serving import Pod, Serving, serving

MINUTE = 60.0
#: Seconds between two scrapes of what was before anybody looked.
PAST_SLICE = 15.0
#: Seconds for which pods of the past have been running: they are not cold.
LONG_AGO = 86_400.0
STABLE, CANARY = "stable", "canary"
Place = tuple[str, str]


@dataclass
class Shop:
    """A Rollout with visitors. ``incidents`` harm both of its versions alike.

    ``history`` are seconds of the past that are still to be made up.
    """

    place: Place
    stream: Stream
    scraper: Scraper
    history: float
    incidents: list[Incident] = field(default_factory=list)
    moments: dict[str, deque[Moment]] = field(
        default_factory=lambda: {each: deque(maxlen=KEPT_MOMENTS) for each in (STABLE, CANARY)}
    )
    ready_at: dict[str, float] = field(default_factory=dict)
    counters: dict[str, Counters] = field(default_factory=dict)


class Visits:
    """What comes to Rollouts of a cluster. Safe to share between threads.

    ``aws`` has the levers of what an image does with a request; ``wall`` tells the time.
    """

    def __init__(
        self,
        kube: KubeWorld,
        aws: World,
        storage: Storage,
        *,
        seed: int = 1,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._kube = kube
        self._aws = aws
        self._storage = storage
        self._seed = seed
        self._wall = wall
        self._lock = threading.RLock()
        self._shops: dict[Place, Shop] = {}
        self._versions: dict[str, Version] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def serve(self) -> None:
        """Let visitors come in a thread of its own, until it is closed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="local-visits", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Let nobody come any more."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def receive(
        self,
        namespace: str,
        name: str,
        per_second: float,
        *,
        wobble: float = 0.0,
        history: float = 0.0,
    ) -> None:
        """Let ``per_second`` requests come to a Rollout, varying by ``wobble``.

        The past ``history`` minutes have been as it is when it is looked at first.
        """
        with self._lock:
            seed = [self._seed, zlib.crc32(f"{namespace}/{name}".encode())]
            rng = np.random.default_rng(seed)
            stream = Stream(name, per_second, wobble, self._wall(), rng)
            labels = {"job": f"{namespace}/{name}", "namespace": namespace, "app": name}
            place, scraper = (namespace, name), Scraper(self._storage, labels)
            self._shops[place] = Shop(place, stream, scraper, history * MINUTE)

    def set(self, namespace: str, name: str, per_second: float) -> None:
        """Let so many requests a second come from now on."""
        with self._lock:
            self._shops[namespace, name].stream.per_second = per_second

    def incident(self, namespace: str, name: str, errors: float, latency: float) -> None:
        """Harm both versions alike: a share of ``errors`` more, ``latency`` times as slow."""
        with self._lock:
            harm = Incident(None, errors, latency, math.inf)
            self._shops[namespace, name].incidents.append(harm)

    def calm(self, namespace: str, name: str) -> None:
        """End every incident there."""
        with self._lock:
            self._shops[namespace, name].incidents.clear()

    def suffering(self, namespace: str, name: str) -> bool:
        """Whether there is an incident."""
        with self._lock:
            return bool(self._shops[namespace, name].incidents)

    def serving(self, namespace: str, name: str) -> Serving:
        """Who gets requests now."""
        return serving(self._kube, namespace, name)

    def recent(self, namespace: str, name: str, seconds: float) -> tuple[list[Moment], ...]:
        """The newest slices of the stable version and of the canary, each oldest first."""
        with self._lock:
            shop, oldest = self._shops[namespace, name], self._wall() - seconds
            return tuple(
                [each for each in shop.moments[side] if each.at > oldest]
                for side in (STABLE, CANARY)
            )

    def catch_up(self) -> None:
        """Let what has come since the last time be answered, and scrape the pods."""
        self._aws.advance(0.0)  # the time of the levers moves on when somebody looks
        with self._lock:
            for shop in self._shops.values():
                if shop.history:
                    self._make_up(shop)
                now = self._wall()
                seconds, shop.stream.since = now - shop.stream.since, now
                if seconds > 0:
                    self._slice(shop, serving(self._kube, *shop.place), now, seconds)

    def _make_up(self, shop: Shop) -> None:
        """The past, as the present is."""
        history, shop.history = shop.history, 0.0
        found, until = serving(self._kube, *shop.place), shop.stream.since
        shop.ready_at = {each.life: until - LONG_AGO for each in found.pods if each.ready}
        for number in range(1, math.floor(history / PAST_SLICE)):
            at = until - history + number * PAST_SLICE
            self._slice(shop, found, at, PAST_SLICE)

    def _run(self) -> None:
        self.catch_up()
        while not self._closing.wait(SLICE - self._wall() % SLICE):
            self.catch_up()

    def _slice(self, shop: Shop, found: Serving, at: float, seconds: float) -> None:
        """``seconds`` of visitors until ``at``, and a scrape at their end."""
        for pod in found.pods:
            if pod.ready:
                shop.ready_at.setdefault(pod.life, at - seconds)
        part = _Part(shop, found, at, seconds)
        count = int(shop.stream.rng.poisson(shop.stream.level(at) * seconds))
        tallies = dict(zip(found.shares, part.split(count), strict=True))
        for pods, share in tallies.items():
            self._show(part, pods, self._answered(part, pods, share))
        for side, pods in ((STABLE, found.stable), (CANARY, found.canary)):
            if pods not in tallies:
                shop.moments[side].append(shown(Slot(Tally(), at, seconds, 0.0)))
        self._scrape(shop, found, at)

    def _answered(self, part: _Part, pods: str, count: int) -> Tally:
        serving = part.found.receiving(pods)
        if not serving:
            return Tally(unserved=count)
        whole, rng = Tally(), part.shop.stream.rng
        shares = rng.multinomial(count, [1 / len(serving)] * len(serving))
        for pod, share in zip(serving, shares, strict=True):
            replica = self._replica(part, pod)
            now = replica.version.now()
            tally = answer(rng, replica, int(share), now, part.harm)
            part.shop.counters.setdefault(pod.life, Counters()).count(tally)
            whole.add(tally)
        return whole

    def _replica(self, part: _Part, pod: Pod) -> Replica:
        version = self._version(pod.image)
        # Leaks and cold starts go by the time of the levers, which is the wall's, too.
        age = part.at - part.shop.ready_at.get(pod.life, part.at)
        return Replica(pod.name, version, version.now() - age)

    def _version(self, image: str) -> Version:
        if image not in self._versions:
            self._versions[image] = self._aws.traffic.version(image.partition("@")[2] or image)
        return self._versions[image]

    def _show(self, part: _Part, pods: str, tally: Tally) -> None:
        side = {part.found.canary: CANARY, part.found.stable: STABLE}.get(pods)
        if side is not None:
            slot = Slot(tally, part.at, part.seconds, part.found.shares[pods])
            part.shop.moments[side].append(shown(slot))

    def _scrape(self, shop: Shop, found: Serving, at: float) -> None:
        running = [each for each in found.pods if each.running]
        for pod in running:
            shop.scraper.scrape(pod, shop.counters.setdefault(pod.life, Counters()), at)
        shop.scraper.miss((each.name for each in running), at)
        lives = {each.life for each in found.pods}
        for known in (shop.counters, shop.ready_at):
            for gone in known.keys() - lives:
                del known[gone]


@dataclass(frozen=True, slots=True)
class _Part:
    """A slice of one shop that ends at ``at``."""

    shop: Shop
    found: Serving
    at: float
    seconds: float

    @property
    def harm(self) -> Harm:
        return harm_of(self.shop.incidents, self.at)

    def split(self, count: int) -> list[int]:
        """How many of the requests each hash gets."""
        shares = list(self.found.shares.values())
        total = sum(shares)
        if not total:
            return [0] * len(shares)
        rng = self.shop.stream.rng
        return [int(each) for each in rng.multinomial(count, [each / total for each in shares])]
