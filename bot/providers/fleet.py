"""Every provider of rollouts, wired. Nothing is called by making them, and no cluster's client is
imported before a target needs one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.model.ports import Clock
from bot.providers.argo_rollouts.canaries import RolloutCanaries
from bot.providers.argo_rollouts.unjudged import UnjudgedRollouts
from bot.providers.argocd.rollouts import ArgoCdRollouts
from bot.providers.aws_session import AwsClients
from bot.providers.by_provider import RolloutsByProvider
from bot.providers.by_strategy import CanariesByStrategy
from bot.providers.cloudwatch import CloudWatchMetrics
from bot.providers.ecs.native import NativeCanaries
from bot.providers.ecs.rollouts import EcsRollouts
from bot.providers.ecs.weighted import WeightedCanaries
from bot.providers.gateway.canaries import RouteCanaries
from bot.providers.git import GitAccess, GitManifests
from bot.providers.kube.alarm import Alarm
from bot.providers.kube.clusters import KubeconfigClusters
from bot.providers.kube.watches import Watches
from bot.providers.kubernetes.rollouts import KubernetesRollouts
from bot.providers.metrics import MetricsBySource
from bot.providers.prometheus import PrometheusMetrics
from bot.providers.prometheus.api import PrometheusApi


@dataclass(frozen=True, slots=True)
class Reach:
    """What the providers reach the outside with. ``kubeconfig`` is what KUBECONFIG says.

    ``stirred`` is called, on any thread, when something that is followed has changed.
    ``prometheus_token`` is sent to Prometheus servers, where there is one.
    """

    aws: AwsClients
    git: GitAccess
    kubeconfig: str
    clock: Clock
    stirred: Callable[[], None]
    prometheus_token: str | None = None


class Fleet:
    """``rollouts`` is all of them behind one port, ``canaries`` what shifts traffic in each way
    there is, ``metrics`` what counts requests."""

    def __init__(self, reach: Reach) -> None:
        self._clusters = KubeconfigClusters(reach.kubeconfig)
        self._watches = Watches(self._clusters, reach.stirred)
        self._alarm = Alarm(reach.stirred)
        ecs = EcsRollouts(reach.aws)
        desired = GitManifests(reach.git, reach.clock)
        argocd = ArgoCdRollouts(desired, self._clusters, self._watches, self._alarm.within)
        self.rollouts = RolloutsByProvider(
            {
                "ecs": ecs,
                "argocd": UnjudgedRollouts(argocd, self._clusters),
                "kubernetes": KubernetesRollouts(self._clusters, self._watches),
            }
        )

        self.canaries = CanariesByStrategy(
            {
                "weighted": WeightedCanaries(reach.aws, ecs),
                "native": NativeCanaries(reach.aws, ecs),
                "rollout": RolloutCanaries(self._clusters, desired, argocd),
                "route": RouteCanaries(self._clusters, desired, desired, argocd),
            }
        )
        self._prometheus = PrometheusMetrics(PrometheusApi(reach.prometheus_token))
        self.metrics = MetricsBySource(CloudWatchMetrics(reach.aws), self._prometheus)

    def close(self) -> None:
        """End every watch, and close connections that are kept."""
        self._prometheus.close()
        self._alarm.close()
        self._watches.close()
        self._clusters.close()
