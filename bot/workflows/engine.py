"""The durable engine's life: configured, launched with its queues, and shut down to be resumed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog
from dbos import DBOS

from bot.model.contract import APPLICATION, APPLICATION_VERSION, TIMERS, TURNS
from bot.workflows.gate import Gate
from bot.workflows.rollout import register
from bot.workflows.steps import Steps

log = structlog.get_logger(__name__)

#: Seconds between looks at the queue of turns: bounds how long a confirmed rollback waits.
TURN_POLL = 0.1
#: Seconds between looks, on SQLite, at whether a waiting rollout was told something: bounds how
#: long a rollback waits for what it cancels. Costs a fifth of a core while 200 are waiting.
WAKE_POLL = 0.3
#: One thread per rollout under way; they wait nearly all the time.
MOST_ROLLOUTS = 512
#: Seconds for which a planned stop waits for steps under way: longer than a call to AWS may last.
PATIENCE = 12.0


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything the engine needs. ``replica`` identifies this process for recovery."""

    database: sa.Engine
    replica: str
    steps: Steps
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        """Every step goes through one gate."""
        object.__setattr__(self, "gate", Gate(self.steps.urgent, make_way=self.steps.make_way))

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
                "notification_listener_polling_interval_sec": WAKE_POLL,
                "log_level": "WARNING",
                "run_migrations": False,
            }
        )
        register(self.steps, self.gate)
        DBOS.launch()
        DBOS.register_queue(TURNS, partition_concurrency=1, polling_interval_sec=TURN_POLL)
        DBOS.register_queue(TIMERS, worker_concurrency=4)

    def close(self) -> None:
        """Stop taking turns. What runs is left for the next start, or another replica.

        Steps under way finish first, so that nobody has to find out what became of their calls.
        """
        if not self.gate.close(PATIENCE):
            log.warning("stopped in the middle of a step; it will be read back")
        DBOS.destroy(destroy_registry=True)
