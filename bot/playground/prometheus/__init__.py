"""A local Prometheus: samples in memory, the PromQL that is needed, and the HTTP API for it.

It is told its samples and scrapes nothing itself. What it cannot evaluate it refuses, as a real one
refuses a query that is wrong.
"""

from bot.playground.prometheus.api import Api
from bot.playground.prometheus.server import Server
from bot.playground.prometheus.storage import Storage

__all__ = ["Api", "Server", "Storage"]
