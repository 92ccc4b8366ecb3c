"""The tour, step by step. Each step is asserted on what Slack showed and what ECS was told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.model.deployment import Status
from bot.playground.tour.fleet import BROKEN, NEW, OLD, told
from bot.playground.tour.scene import Scene
from bot.policy.reasons import ReasonCode

#: A pull that outlasts any machine, so that there is a middle of the rollout to die in; it is over
#: when the tour says so. Virtual seconds.
_SLOW_PULL, _USUAL_PULL = 3600.0, 8.0

#: What is tried on a tenth of the visitors.
NEXT = "v1.5.1"


@dataclass(frozen=True, slots=True)
class Step:
    """One chapter: what it shows, and how it is played."""

    title: str
    play: Callable[[Scene], None]


def _staging(scene: Scene) -> None:
    deployment = scene.deploy("alice", "backend staging")
    scene.ends(deployment, Status.SUCCEEDED)
    scene.runs("backend", "staging", NEW)
    scene.told_ecs("backend", "staging", 1)


def _canary(scene: Scene) -> None:
    scene.stage.aws.push("backend", NEXT)
    deployment = scene.deploy("alice", f"backend staging {NEXT} --canary")
    scene.weighs("backend", "staging", (90, 10))
    scene.says(deployment, "10% of the traffic")
    scene.say("bob", "/canary", 'backend staging abort --reason "wrong currency"')
    scene.ends(deployment, Status.ROLLED_BACK)
    scene.weighs("backend", "staging", (100, 0))
    scene.runs("backend", "staging", NEW)
    scene.told_ecs("backend", "staging", 1)


def _approved(scene: Scene, text: str, who: str) -> str:
    """Ask for a deployment to production, and let two others approve it."""
    deployment = scene.deploy(who, text)
    scene.shows(deployment, Status.AWAITING_APPROVAL)
    scene.press("bob", deployment, "Approve")
    scene.press("carol", deployment, "Approve")
    return deployment


def _production(scene: Scene) -> None:
    deployment = scene.deploy("alice", f"backend production {NEW}")
    scene.shows(deployment, Status.AWAITING_APPROVAL)
    scene.refused("sven", deployment, "Approve", ReasonCode.OUTSIDER)
    scene.refused("dave", deployment, "Approve", ReasonCode.NOT_APPROVER)
    scene.refused("alice", deployment, "Approve", ReasonCode.SELF_APPROVAL)
    scene.told_ecs("backend", "production", 0)
    scene.press("bob", deployment, "Approve")
    scene.says(deployment, "Approvals* 1 of 2")
    scene.press("carol", deployment, "Approve")
    scene.ends(deployment, Status.SUCCEEDED)
    scene.runs("backend", "production", NEW)
    scene.told_ecs("backend", "production", 1)


def _breaker(scene: Scene) -> None:
    text = f'frontend production {BROKEN} --reason "summer theme"'
    deployment = _approved(scene, text, "dave")
    scene.ends(deployment, Status.ROLLED_BACK)
    scene.runs("frontend", "production", OLD)
    scene.told_ecs("frontend", "production", 1)


def _rollback(scene: Scene) -> None:
    deployment = _approved(scene, f"analytics production {NEW}", "alice")
    scene.ends(deployment, Status.SUCCEEDED)
    text = 'analytics production --reason "wrong totals"'
    back = scene.command("carol", "/rollback", text)
    scene.ends(back, Status.SUCCEEDED)
    scene.runs("analytics", "production", OLD)
    scene.committed("analytics", "production", 2)
    did = scene.say("alice", "/deploy", f"analytics production {NEW}")
    locked = any(ReasonCode.LOCKED in f"{said.text} {said.blocks}" for said in did.said)
    scene.so(locked, "the target is locked: nothing ships the bad version again")


def _killed(scene: Scene) -> None:
    stage = scene.stage
    stage.aws.set_timings(pull=_SLOW_PULL)
    try:
        deployment = scene.deploy("bob", f"frontend staging {NEW}")
        scene.wait(lambda: told(stage.aws, "frontend", "staging"), "ECS to be told")
        scene.shows(deployment, Status.RUNNING)
        stage.bot.kill()
        scene.screen.note("    kill -9: the bot is gone in the middle of the rollout.")
        seconds = stage.bot.start()
        scene.screen.note(f"    Started again, ready after {seconds:.1f} s.")
        stage.aws.advance(_SLOW_PULL)
        scene.ends(deployment, Status.SUCCEEDED)
    finally:
        stage.aws.set_timings(pull=_USUAL_PULL)
    scene.runs("frontend", "staging", NEW)
    scene.told_ecs("frontend", "staging", 1)
    scene.so(scene.card(deployment), "there is one card, and it tells the truth")


def _audit(scene: Scene) -> None:
    scene.screen.said("you", "terminal", "quarterdeck audit verify")
    verified = scene.stage.bot.ask("audit", "verify")
    for line in f"{verified.stdout}{verified.stderr}".splitlines():
        scene.screen.note(f"    {line}")
    scene.so(verified.returncode == 0, "the audit trail is whole")


TOUR = (
    Step("Deploy to staging", _staging),
    Step("A canary, and a person who takes it back", _canary),
    Step("Production waits for two approvals", _production),
    Step("A bad image: the circuit breaker takes it back", _breaker),
    Step("A rollback by a commit, and the target is held", _rollback),
    Step("kill -9 in the middle of a rollout", _killed),
    Step("The audit trail proves it", _audit),
)
