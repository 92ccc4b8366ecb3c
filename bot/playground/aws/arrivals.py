"""Requests that arrive at load balancers in the visitors' time, and how they are answered.

Counts and histograms are drawn, never single requests, so that a thousand requests a second cost
as little as one. What arrives in a slice of ``SLICE`` seconds is split by the weights, the targets
and the levers of its end; the same seed gives the same counts, whoever looks when.
"""

from __future__ import annotations

import math
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from bot.playground.aws import latency
from bot.playground.aws.balancing import LoadBalancer
from bot.playground.aws.records import Estate, Task
from bot.playground.aws.targets import Target, balancers_of, receiving, registered
from bot.playground.aws.tasks import TaskLife
from bot.playground.aws.versions import Version
from bot.playground.timeline import Timeline

SLICE = 5.0  # seconds of the visitors
NEARLY = 1e-3  # seconds by which a mark may be missed for want of digits
MINUTE = 60
KEPT_MINUTES = 24 * 60
KEPT_MOMENTS = 720  # slices of each target group, for charts: an hour


@dataclass
class Tally:
    """What happened in one minute between a load balancer and one target group, or none of them.

    ``requests`` are those for which a target was chosen, ``errors`` its 5xx answers, ``refused``
    the connections that failed (502); ``unserved`` found no target (503). ``times`` are response
    times of whatever was answered.
    """

    requests: int = 0
    errors: int = 0
    refused: int = 0
    unserved: int = 0
    times: latency.Counts = field(default_factory=latency.empty)

    def add(self, other: Tally) -> None:
        """Count another one's in."""
        self.requests += other.requests
        self.errors += other.errors
        self.refused += other.refused
        self.unserved += other.unserved
        self.times += other.times


@dataclass(frozen=True, slots=True)
class Moment:
    """One slice of one target group, for charts: no publication delay.

    ``at`` is its end in seconds since 1970 (``World.moment``), ``seconds`` its length; ``errors``
    include refused connections; ``p50`` and ``p95`` are in seconds, 0 where nothing was answered.
    ``share`` is the group's part of the rule's weights, from 0 to 1.
    """

    at: float
    seconds: float
    requests: int
    errors: int
    p50: float
    p95: float
    share: float = 1.0


@dataclass
class Stream:
    """What arrives for one rule: ``per_second`` requests, varying by ``wobble`` (a share of it)."""

    rule: str
    per_second: float
    wobble: float
    since: float
    rng: np.random.Generator
    bursts: list[tuple[float, float]] = field(default_factory=list)

    def level(self, at: float) -> float:
        """Requests a second then."""
        self.bursts = [each for each in self.bursts if each[1] > at]
        factor = math.prod(factor for factor, _ in self.bursts)
        shape = 1 / max(self.wobble, 1e-3) ** 2
        varied = float(self.rng.gamma(shape, 1 / shape)) if self.wobble else 1.0
        return self.per_second * factor * varied


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that harms every version behind a load balancer (all of them: ``None``) alike."""

    balancer: str | None
    errors: float
    latency: float
    until: float


@dataclass(frozen=True, slots=True)
class Harm:
    """A share of errors that is added, and a factor on response times."""

    errors: float
    latency: float


@dataclass(frozen=True, slots=True)
class Replica:
    """Who answers: its name, what it runs, and since when, in the visitors' time.

    A ``dead`` one answers nobody.
    """

    name: str
    version: Version
    since: float
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of time at one load balancer; ``at`` is its middle."""

    rng: np.random.Generator
    balancer: LoadBalancer
    at: float


@dataclass(frozen=True, slots=True)
class Slot:
    """What a target group had of a slice so far; ``share`` is its part of the weights then."""

    tally: Tally
    at: float
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the simulation needs of the world around it.

    ``visits`` is the time in which visitors come, ``timeline`` that in which tasks live: the same
    one, or ``visits`` goes by the wall while tasks are in fast motion, at ``pace`` seconds of
    visitors in one of theirs. ``moment`` is the visitors' now in seconds since 1970.
    """

    timeline: Timeline
    visits: Timeline
    pace: float
    tasks: TaskLife
    moment: Callable[[], float]
    estates: Callable[[], Iterable[Estate]]
    estate_of: Callable[[str], Estate]

    def targets(self, arn: str) -> dict[str, list[Target]]:
        """The targets of all groups of the account and region that the ARN names."""
        return registered(self.estate_of(arn), self.timeline.now, self.tasks.timings)

    def runs_since(self, task: Task) -> float:
        """Since when the task has been running, in the visitors' time."""
        age = self.timeline.now - (task.running_at or 0.0)
        return self.visits.now - age * self.pace


class Flow:
    """Draws what arrives and keeps the tallies, by load balancer and target group (or ``None``)."""

    def __init__(self, around: Surroundings, seed: int, version: Callable[[str], Version]) -> None:
        self._around = around
        self._seed = seed
        self._version = version
        self.streams: dict[str, Stream] = {}
        self.incidents: list[Incident] = []
        self.minutes: dict[tuple[str, str | None], dict[int, Tally]] = {}
        self.moments: dict[str, deque[Moment]] = {}
        self._slots: dict[str, Slot] = {}
        self._ticking = False

    def stream(self, rule: str) -> Stream:
        """What arrives for that rule; nothing, at first."""
        if rule not in self.streams:
            seed = [self._seed, zlib.crc32(rule.encode())]
            rng = np.random.default_rng(seed)
            now = self._around.visits.now
            self.streams[rule] = Stream(rule, 0.0, 0.0, now, rng)
            self._start()
        return self.streams[rule]

    def catch_up(self) -> None:
        """Draw what has arrived until now, so that a lever holds from now on and no earlier."""
        now = self._around.visits.now
        self.incidents = [each for each in self.incidents if each.until > now - SLICE]
        known: dict[int, dict[str, list[Target]]] = {}
        for stream in self.streams.values():
            seconds, stream.since = now - stream.since, now
            if seconds > 0 and stream.per_second > 0:
                estate = self._around.estate_of(stream.rule)
                if id(estate) not in known:
                    known[id(estate)] = self._around.targets(stream.rule)
                self._arrive(stream, seconds, known[id(estate)])

    def backfill(self, rule: str, minutes: int) -> None:
        """Let the past ``minutes`` have been as the present is, and what has passed of this one."""
        stream, targets = self.stream(rule), self._around.targets(rule)
        this, passed = divmod(self._around.moment(), MINUTE)
        this = int(this)
        for minute in range(this - minutes, this):
            self._arrive(stream, float(MINUTE), targets, minute)
        if passed > NEARLY:
            self._arrive(stream, passed, targets, this)
        for group, moments in self.moments.items():  # the past came last
            self.moments[group] = deque(sorted(moments, key=lambda each: each.at), moments.maxlen)

    def _start(self) -> None:
        if not self._ticking:
            self._ticking = True
            self._next()

    def _next(self) -> None:
        # On the same marks whenever it began, so that no slice belongs to two minutes.
        moment = self._around.moment()
        mark = (math.floor((moment + NEARLY) / SLICE) + 1) * SLICE
        self._around.visits.after(mark - moment, self._tick)

    def _tick(self) -> None:
        self.catch_up()
        for group, slot in self._slots.items():
            self._show(group, slot)
        self._slots.clear()
        self._next()

    def _arrive(
        self,
        stream: Stream,
        seconds: float,
        targets: Mapping[str, list[Target]],
        minute: int | None = None,
    ) -> None:
        found = self._around.estate_of(stream.rule).balancing.find_rule(stream.rule)
        if found is None:
            return
        balancer, rule = found
        part = Slice(stream.rng, balancer, self._around.visits.now - seconds / 2)
        count = int(part.rng.poisson(stream.level(part.at) * seconds))
        weights = rule.weights()
        ended = self._around.moment()
        if minute is not None:
            ended = min(ended, float((minute + 1) * MINUTE))
        for group, share in _split(part.rng, count, weights).items():
            serving = receiving(targets.get(group, [])) if group else []
            tally = self._answer(part, share, serving)
            self._enter((balancer.arn, group if serving else None), tally, minute)
            if group:
                weight = weights[group] / max(sum(weights.values()), 1)
                self._join(group, Slot(tally, ended, seconds, weight), past=minute is not None)

    def _answer(self, part: Slice, count: int, serving: list[Target]) -> Tally:
        if not serving:
            return Tally(unserved=count)
        tally = Tally()
        each = part.rng.multinomial(count, [1 / len(serving)] * len(serving))
        for target, share in zip(serving, each, strict=True):
            self._serve(part, tally, target, int(share))
        return tally

    def _serve(self, part: Slice, tally: Tally, target: Target, count: int) -> None:
        task = target.task
        since = min(self._around.runs_since(task), part.at)
        replica = Replica(task.id, self._version(_running(task)), since, target.dead)
        tally.add(answer(part.rng, replica, count, part.at, self._harm(part)))

    def _harm(self, part: Slice) -> Harm:
        here = [each for each in self.incidents if each.balancer in {None, part.balancer.arn}]
        return harm_of(here, part.at)

    def _enter(self, key: tuple[str, str | None], tally: Tally, minute: int | None) -> None:
        # A slice ends on the minute's mark at the latest, and belongs to what went before.
        ended = math.ceil((self._around.moment() - NEARLY) / MINUTE) - 1
        at = ended if minute is None else minute
        series = self.minutes.setdefault(key, {})
        series.setdefault(at, Tally()).add(tally)
        while len(series) > KEPT_MINUTES:
            del series[min(series)]

    def _join(self, group: str, slot: Slot, *, past: bool) -> None:
        """However often somebody looks or pulls a lever, a slice is shown once, and whole."""
        if past:
            self._show(group, slot)
            return
        begun = self._slots.get(group)
        if begun is not None:
            slot.tally.add(begun.tally)
            slot = replace(slot, seconds=slot.seconds + begun.seconds)
        self._slots[group] = slot

    def _show(self, group: str, slot: Slot) -> None:
        self.moments.setdefault(group, deque(maxlen=KEPT_MOMENTS)).append(shown(slot))


def answer(rng: np.random.Generator, replica: Replica, count: int, at: float, harm: Harm) -> Tally:
    """How a replica answers ``count`` requests at that time."""
    version = replica.version
    refused = int(rng.binomial(count, 1.0 if replica.dead else version.unreachable))
    rate = min(version.error_rate(replica.since, at) + harm.errors, 1.0)
    answered = count - refused
    errors = int(rng.binomial(answered, _clustered(rng, rate, version, answered)))
    median = version.median_of(replica.name, replica.since, at) * harm.latency
    times = latency.draw(rng, answered, median, version.sigma)
    return Tally(count, errors, refused, times=times)


def harm_of(incidents: Iterable[Incident], at: float) -> Harm:
    """What all of those come to at that time."""
    going = [each for each in incidents if each.until > at]
    return Harm(sum(each.errors for each in going), math.prod(each.latency for each in going))


def shown(slot: Slot) -> Moment:
    """A slice as charts show it."""
    tally = slot.tally
    there = bool(tally.times.any())
    return Moment(
        at=slot.at,
        seconds=slot.seconds,
        requests=tally.requests + tally.unserved,
        errors=tally.errors + tally.refused + tally.unserved,
        p50=latency.quantile(tally.times, 0.5) if there else 0.0,
        p95=latency.quantile(tally.times, 0.95) if there else 0.0,
        share=slot.share,
    )


def _split(
    rng: np.random.Generator, count: int, weights: Mapping[str, int]
) -> dict[str | None, int]:
    """How many of the requests go to each target group; to none where no weight is above zero."""
    total = sum(weights.values())
    if not weights:
        return {}  # redirected, or answered by the load balancer itself
    if not total:
        return {None: count}
    shares = rng.multinomial(count, [each / total for each in weights.values()])
    return {arn: int(each) for arn, each in zip(weights, shares, strict=True)}


def _running(task: Task) -> str:
    """The digest, or else the reference, of the image that answers the task's requests."""
    name = next((each["containerName"] for each in balancers_of(task)), task.container["name"])
    return task.digests.get(name) or str(task.container["image"])


def _clustered(rng: np.random.Generator, rate: float, version: Version, count: int) -> float:
    """The error rate of this slice, such that counts vary by ``clustering`` times the binomial."""
    if version.clustering <= 1 or not 0 < rate < 1 or count <= version.clustering:
        return rate
    worth = (count - version.clustering) / (version.clustering - 1)
    return float(rng.beta(rate * worth, (1 - rate) * worth))
