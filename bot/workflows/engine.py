"""The durable engine's life: configured, launched with its queues, and shut down to be resumed."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import sqlalchemy as sa
from dbos import DBOS

from bot.model.contract import APPLICATION, APPLICATION_VERSION, TIMERS, TURNS
from bot.workflows.rollout import register
from bot.workflows.steps import Steps

#: Seconds between looks at the queue of turns: bounds how long a confirmed rollback waits.
TURN_POLL = 0.1
#: One thread per rollout under way; they wait nearly all the time.
MOST_ROLLOUTS = 512


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything the engine needs. ``replica`` identifies this process for recovery."""

    database: sa.Engine
    replica: str
    steps: Steps

    def launch(self) -> None:
        """Recover what this replica left unfinished, and begin to take turns.

        The engine's version stays the same across our releases, so that an upgrade carries on
        with what runs; changed workflow bodies are guarded by ``DBOS.patch``.
        """
        quiet = logging.getLogger("dbos")
        quiet.setLevel(logging.WARNING)
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self.database.url.render_as_string(hide_password=False),
                "system_database_engine": self.database,
                "application_version": APPLICATION_VERSION,
                "executor_id": self.replica,
                "max_executor_threads": MOST_ROLLOUTS,
                "notification_listener_polling_interval_sec": 1.0,
                "log_level": "WARNING",
                "run_migrations": False,
            }
        )
        register(self.steps)
        DBOS.launch()
        DBOS.register_queue(TURNS, partition_concurrency=1, polling_interval_sec=TURN_POLL)
        DBOS.register_queue(TIMERS, worker_concurrency=4)

    def close(self) -> None:
        """Stop taking turns. What runs is left for the next start, or another replica."""
        DBOS.destroy(destroy_registry=True)
