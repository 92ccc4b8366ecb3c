"""A local Kubernetes: Deployments and Argo CD Applications, over the API server's own protocol.

The official client pointed at it with a kubeconfig works unchanged. Time is virtual, so that a
rollout of minutes takes a moment and the same seed gives the same run. ``KubeWorld`` is the way in.
"""

from bot.playground.kube.world import KubeWorld

__all__ = ["KubeWorld"]
