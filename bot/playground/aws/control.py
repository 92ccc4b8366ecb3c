"""The control interface under ``/_control/``, for a world that runs as its own process.

``GET /_control/state`` and ``GET /_control/calls?op=UpdateService`` read; ``POST
/_control/<verb>`` with a JSON object of the verb's parameters acts. Unknown verbs are 404, bad
parameters 400 with what is wrong.
"""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.playground.aws import control_traffic, render
from bot.playground.aws.errors import AwsError
from bot.playground.aws.records import Json

if TYPE_CHECKING:
    from bot.playground.aws.world import World

PREFIX = "/_control/"


def answer(world: World, path: str, body: bytes | None) -> tuple[int, Json]:
    """HTTP status and content for one request of the control interface."""
    url = urllib.parse.urlsplit(path)
    verb = url.path.removeprefix(PREFIX)
    if body is None:
        query = {key: value[-1] for key, value in urllib.parse.parse_qs(url.query).items()}
        return _run(READS, verb, world, query)
    try:
        parameters = json.loads(body or b"{}")
    except ValueError as error:
        return 400, {"error": f"The body is no JSON: {error}"}
    if not isinstance(parameters, dict):
        return 400, {"error": "The body is no JSON object."}
    return _run(WRITES, verb, world, parameters)


Verb = Callable[..., Any]


def _run(verbs: dict[str, Verb], verb: str, world: World, parameters: Json) -> tuple[int, Json]:
    if verb not in verbs:
        return 404, {"error": f"No verb {verb!r}; there are {', '.join(sorted(verbs))}."}
    try:
        result = verbs[verb](world, **parameters)
    except (TypeError, ValueError, KeyError, AwsError) as error:
        return 400, {"error": f"{verb}: {error}"}
    return 200, result if isinstance(result, dict) else {"result": result}


def _state(world: World) -> Json:
    with world.lock:
        world.advance(0.0)
        return {
            "now": world.clock.now(),
            "services": [render.service(each) for each in world.services()],
        }


def _calls(world: World, op: str | None = None) -> Json:
    calls = world.calls(op)
    return {"calls": [{**dataclasses.asdict(c), "took_effect": c.took_effect} for c in calls]}


def _create_service(world: World, cluster: str, service: str, **options: Any) -> Json:
    return {"serviceArn": world.create_service(cluster, service, **options).arn}


def _fault(world: World, kind: str, **parameters: Any) -> None:
    kinds: dict[str, Verb] = {
        "throttle": world.faults.throttle,
        "limit": world.faults.limit,
        "deny": world.faults.deny,
        "expire_credentials": world.faults.expire_credentials,
        "fail": world.faults.fail,
        "lose_answer": world.faults.lose_answer,
        "delay": world.faults.delay,
        "delay_answer": world.faults.delay_answer,
        "lag": world.faults.lag,
        "no_service_deployments": world.faults.no_service_deployments,
        "clear": world.faults.clear,
    }
    if kind not in kinds:
        raise ValueError(f"no fault {kind!r}; there are {', '.join(sorted(kinds))}")
    kinds[kind](**parameters)


READS: dict[str, Verb] = {"state": _state, "calls": _calls, **control_traffic.READS}
WRITES: dict[str, Verb] = {
    "advance": lambda world, seconds: world.advance(float(seconds)),
    "create-service": _create_service,
    "push": lambda world, **given: {"digest": world.push(**given)},
    "tag": lambda world, **given: world.tag(**given),
    "delete-image": lambda world, **given: world.delete_image(**given),
    "deploy": lambda world, **given: {"taskDefinition": world.deploy_out_of_band(**given)},
    "scale": lambda world, **given: world.scale(**given),
    "trip-alarm": lambda world, name: world.trip_alarm(name),
    "kill-task": lambda world, **given: world.kill_task(**given),
    "continue": lambda world, **given: {"answered": world.shifts.answer(**given)},
    "stop": lambda world, **given: world.shifts.stop(**given),
    "run-until-paused": lambda world, **given: {"paused": world.shifts.run_until_paused(**given)},
    "timings": lambda world, **given: world.set_timings(**given),
    "fault": _fault,
    **control_traffic.WRITES,
}
