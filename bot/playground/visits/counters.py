"""What a pod counts of the requests that it answers, and exposes to be scraped.

The names are those that client libraries' guides use; a label's series is there from its first
request on, as with them: https://prometheus.io/docs/instrumenting/writing_clientlibs/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from bot.playground.aws import latency
from bot.playground.aws.arrivals import Tally
from bot.playground.prometheus.storage import NAME, Key, Labels, Storage
from bot.playground.visits.serving import Pod

REQUESTS: Final = "http_requests_total"
DURATIONS: Final = "http_request_duration_seconds"
#: Upper bounds of the histogram in seconds, as a team would choose them that is used to 40 ms.
BOUNDS: Final = (
    *(0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15),
    *(0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0),
)
_WITHIN: Final = latency.within(BOUNDS)


class Counters:
    """Those of one life of a container: they begin at 0."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._times = latency.empty()

    def count(self, tally: Tally) -> None:
        """Add what it has answered; it knows nothing of connections that it refused."""
        answered = tally.requests - tally.refused
        for code, number in (("200", answered - tally.errors), ("500", tally.errors)):
            if number or code in self._codes:
                self._codes[code] = self._codes.get(code, 0) + number
        self._times += tally.times

    def samples(self) -> Iterator[tuple[Labels, float]]:
        """What a scrape finds."""
        for code, number in self._codes.items():
            yield {NAME: REQUESTS, "code": code}, float(number)
        for bound, within in zip(BOUNDS, np.rint(_WITHIN @ self._times).tolist(), strict=True):
            yield {NAME: f"{DURATIONS}_bucket", "le": f"{bound}"}, within
        total = float(self._times.sum())
        yield {NAME: f"{DURATIONS}_bucket", "le": "+Inf"}, total
        yield {NAME: f"{DURATIONS}_count"}, total
        yield {NAME: f"{DURATIONS}_sum"}, latency.seconds(self._times)


class Scraper:
    """Scrapes the pods of one service into a storage.

    ``labels`` are those of all of its pods, beside what tells one from another.
    """

    def __init__(self, storage: Storage, labels: Labels) -> None:
        self._storage = storage
        self._labels = labels
        self._open: dict[str, dict[Key, Labels]] = {}

    def scrape(self, pod: Pod, counters: Counters, at: float) -> None:
        """Store what the pod counted; ``at`` in seconds since 1970."""
        before, now = self._open.get(pod.name, {}), {}
        for labels, value in counters.samples():
            key = tuple(labels.items())
            now[key] = before.get(key) or {**self._of(pod), **labels}
            self._storage.append(now[key], at, value)
        self._open[pod.name] = now
        self._end((each for key, each in before.items() if key not in now), at)

    def miss(self, pods: Iterable[str], at: float) -> None:
        """These alone could be scraped: whatever else there was ends."""
        for name in self._open.keys() - set(pods):
            self._end(self._open.pop(name).values(), at)

    def _of(self, pod: Pod) -> Labels:
        """The labels of discovery, with those of the pod that are mapped."""
        return {
            **self._labels,
            "pod": pod.name,
            "instance": pod.instance,
            "rollouts_pod_template_hash": pod.hash,
        }

    def _end(self, series: Iterable[Labels], at: float) -> None:
        for each in series:
            self._storage.end(each, at)
