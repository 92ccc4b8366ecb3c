"""One rollout, from its turn to its end, across crashes.

The body reads top to bottom and only calls steps; each step is idempotent, because it may run
again after a crash between its outside call and its checkpoint. State moves by compare-and-set in
the database, so a step that comes too late changes nothing.

While the provider works, the workflow only holds its target's turn: the observer settles the
deployment and wakes it, a cancellation does the same, and the deadline is its own.

The names below and the order of steps are a persisted contract: change them with ``DBOS.patch``.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from dbos import DBOS

from bot.model.contract import CONTROL, EXPIRY, ROLLOUT
from bot.workflows.gate import Gate
from bot.workflows.steps import Steps

#: Seconds between two looks at whether the turn is still needed, should a wake-up get lost.
LOOK_AGAIN = 60.0


def register(steps: Steps, gate: Gate) -> None:
    """Register the workflows with the engine. Call once, before the engine is launched."""
    adopt = gate.passing(steps.adopt)
    begin, prepare, start = map(gate.passing, (steps.begin, steps.prepare, steps.start))
    time_out, expire = map(gate.passing, (steps.time_out, steps.expire))

    @DBOS.workflow(name=ROLLOUT)
    def rollout(deployment_id: str) -> None:
        while (away := adopt(deployment_id)) > 0:
            Event().wait(away)
        persist("begin", begin, deployment_id)
        persist("prepare", prepare, deployment_id)
        persist("start", start, deployment_id)
        while (seconds := once("remaining", steps.remaining, deployment_id)) > 0:
            DBOS.recv(CONTROL, timeout_seconds=min(seconds, LOOK_AGAIN))
        persist("time_out", time_out, deployment_id)

    @DBOS.workflow(name=EXPIRY)
    def expiry(deployment_id: str) -> None:
        persist("expire", expire, deployment_id)


def once(name: str, step: Callable[[str], float], deployment_id: str) -> float:
    """Run a step and checkpoint its result under a name that never changes."""
    return DBOS.run_step({"name": name}, step, deployment_id)


def persist(name: str, step: Callable[[str], float], deployment_id: str) -> None:
    """Run a step until it needs no further try; it returns the seconds to wait before one.

    The pause ends early when the deployment does: a rollback must not wait for it.
    """
    while (wait := once(name, step, deployment_id)) > 0:
        DBOS.recv(CONTROL, timeout_seconds=wait)
