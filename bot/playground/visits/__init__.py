"""Visitors of pods: who of a Rollout's pods gets their requests, and what Prometheus scrapes of it.

They answer by the same levers as tasks behind a load balancer do (``bot.playground.aws``), and go
by the clock on the wall.
"""

from bot.playground.visits.visits import Visits

__all__ = ["Visits"]
