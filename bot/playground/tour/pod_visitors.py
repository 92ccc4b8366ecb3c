"""Who comes to the demo's search, the Prometheus that counts it, and how canaries go there.

Visitors and scrapes go by the clock on the wall, as the bot does; the cluster is in fast motion.
"""

from __future__ import annotations

from typing import Final, Self

from bot.playground.aws.world import World
from bot.playground.prometheus import Api, Server, Storage
from bot.playground.tour.cluster import SEARCH, Cluster
from bot.playground.tour.visitors import HISTORY, WOBBLE
from bot.playground.visits import Visits
from bot.playground.visits.counters import DURATIONS

ENVIRONMENT: Final = "production"
#: Requests a second.
PER_SECOND: Final = 150.0

_PLAN = """\
    canary:
      rollout: {{namespace: {environment}, name: {service}}}
      prometheus:
        url: "{url}"
        labels: 'rollouts_pod_template_hash="{{{{version}}}}"'
        durations: {durations}
        scrape_interval: 15s
      # What the Rollout says; minutes in place of quarters of an hour.
      steps:
        - {{share: 10%, bake: 2m}}
        - {{share: 50%, bake: 2m}}
      warm_up: 1m
      patience: 10m
      answer_within: 30m
      clean_up_after: 15s
"""


class PodVisitors:
    """Visitors of search, and the Prometheus that counts what its pods answer them.

    A context manager: entering it lets visitors come and Prometheus answer on loopback, leaving it
    stops both.
    """

    def __init__(self, aws: World, cluster: Cluster) -> None:
        self._storage = Storage()
        self._prometheus: Server | None = None
        self.visits = Visits(cluster.kube, aws, self._storage)

        self.visits.receive(ENVIRONMENT, SEARCH, PER_SECOND, wobble=WOBBLE, history=HISTORY)

    def __enter__(self) -> Self:
        """They come to what is there, and did so in an hour and more of the past."""
        self._prometheus = Server(Api(self._storage))
        self._prometheus.start()
        self.visits.serve()
        return self

    def __exit__(self, *_: object) -> None:
        """Nobody comes any more, and nothing is counted."""
        self.visits.close()
        if self._prometheus is not None:
            self._prometheus.stop()
            self._prometheus = None

    def canary_plans(self) -> dict[tuple[str, str], str]:
        """The part of the catalog that says how canaries go, by service and environment.

        There is one while Prometheus answers.
        """
        if self._prometheus is None:
            return {}
        words = {"service": SEARCH, "environment": ENVIRONMENT, "durations": DURATIONS}
        return {(SEARCH, ENVIRONMENT): _PLAN.format(url=self._prometheus.url, **words)}
