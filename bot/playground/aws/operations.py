"""The table of operations: which function answers what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.playground.aws.deployments import Deployments
from bot.playground.aws.metrics import Metrics
from bot.playground.aws.records import Estate, Json
from bot.playground.aws.rollout import Scheduler
from bot.playground.aws.tasks import TaskLife


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, as STS tells it."""

    account: str
    arn: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts of the simulation that operations set in motion."""

    deployments: Deployments
    scheduler: Scheduler
    tasks: TaskLife
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation is given besides its request.

    ``now`` is virtual, ``stamp`` the same moment as shown to callers; ``lag`` is how many virtual
    seconds reads are behind writes.
    """

    estate: Estate
    estate_of: Callable[[str], Estate]
    identity: Identity
    engine: Engine
    now: float
    lag: float
    adopt: Callable[[str, Identity], None]
    mint: Callable[[str], str]
    stamp: float


Operation = Callable[[Context, Json], Json]
OPERATIONS: dict[tuple[str, str], Operation] = {}


def operation(service: str, name: str) -> Callable[[Operation], Operation]:
    """Enter a function in the table; a name that is there already is a mistake."""

    def enter(function: Operation) -> Operation:
        if (service, name) in OPERATIONS:
            raise ValueError(f"{service}:{name} is in the table already")
        OPERATIONS[service, name] = function
        return function

    return enter
