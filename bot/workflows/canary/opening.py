"""How a canary begins, and what waits until the one before it is out of the way."""

from __future__ import annotations

from datetime import datetime

from bot.model.canary import Act, Canary, Phase, Wish
from bot.model.canary_plan import Strategy, in_percent
from bot.model.catalog import TargetSpec
from bot.model.deployment import SYSTEM, Deployment, Kind, Status, Target
from bot.model.errors import Fenced, Misconfigured, Terminal, UserError
from bot.model.ports import Transaction
from bot.workflows.beginning import held_up
from bot.workflows.deadline import AGAIN, target_of
from bot.workflows.ending import Ending, entry, settle
from bot.workflows.parts import Parts

#: What stands where a provider's name of a rollout is kept: it is conducted, not observed.
HANDLE = "canary"
#: Seconds between looks at whether an earlier canary of the target is out of the way: for a
#: rollback, and for everything else.
SOON, LATER = 0.5, 3.0


#: What shifts the traffic, in the words that the thread says it in.
_BY: dict[Strategy, str] = {
    "weighted": "by the weights of a listener rule",
    "native": "by ECS itself",
    "rollout": "by Argo Rollouts",
    "route": "by the weights of an HTTPRoute",
}


class Opening:
    """From a deployment that has its turn to a canary that is conducted."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def waits(self, deployment: Deployment) -> float:
        """Seconds to wait: while an earlier canary of the target has traffic nothing else starts
        there, and no other canary before it is gone. A rollback waits for the traffic alone."""
        with self._parts.store.read() as tx:
            before = tx.canaries.of(deployment.target)
        if before is None or before.deployment_id == deployment.id:
            return 0.0
        if before.off and not deployment.canary:
            return 0.0
        if deployment.kind is Kind.ROLLBACK and _is_stuck(before):
            self._tell_of(before, deployment)
            return 0.0
        self._parts.conducted.set()
        said = f"{before.deployment_id}'s canary is taken out of the way first."
        if deployment.explanation != said:
            with self._parts.store.begin() as tx:
                if tx.deployments.note(deployment.id, None, explanation=said):
                    tx.outbox.card(deployment.id)
        return SOON if deployment.kind is Kind.ROLLBACK else LATER

    def _tell_of(self, stuck: Canary, rollback: Deployment) -> None:
        """What it becomes is not the only version that serves, for a while."""
        said = (
            f"It begins although {stuck.deployment_id}'s canary still gets "
            f"{in_percent(stuck.traffic)} of the traffic: that goes back as soon as it can."
        )
        with self._parts.store.begin() as tx:
            tx.outbox.thread(rollback.id, f"beside:{stuck.deployment_id}", said)

    def open(self, deployment: Deployment) -> float:
        """Check that it can be, and write it down; nothing outside has been touched by then."""
        spec = target_of(self._parts, deployment)
        refusal = self._impossible(spec)
        with self._parts.store.begin() as tx:
            now = self._parts.clock.now()
            held = held_up(tx, self._parts.catalog(), deployment, now)
            if held is not None:
                refusal = Ending(Status.REFUSED, held.text, held.code)
            if refusal is not None or spec.canary is None:
                settle(tx, deployment, refusal or _without_plan(spec), now)
                return 0.0
            # Also where another replica got here first: then the row is there already.
            if tx.canaries.get(deployment.id) is None:
                canary = Canary(deployment.id, spec.canary, Phase.SHIFTING, now, spec=spec)
                self._begin(tx, deployment, canary)
        self._parts.conducted.set()
        return 0.0

    def _begin(self, tx: Transaction, deployment: Deployment, canary: Canary) -> None:
        fence, attempts = self._parts.replica, deployment.attempts + 1
        begun = tx.deployments.note(
            deployment.id, fence, handle=HANDLE, attempts=attempts, explanation=""
        )
        if not begun:
            raise Fenced("Another replica owns this rollout, or it has been settled.")
        _record(tx, deployment, canary)

    def _impossible(self, spec: TargetSpec) -> Ending | None:
        if self._parts.canaries is None or spec.canary is None:
            return _without_plan(spec)
        try:
            self._parts.canaries.check(spec)
        except (UserError, Terminal) as fault:
            said = f"{fault.message} {fault.hint} Nothing was changed.".strip()
            return Ending(Status.REFUSED, said, fault.reason_code)
        return None


def _is_stuck(canary: Canary) -> bool:
    """Whether its traffic cannot be taken off it now. Mostly the stable version is not healthy,
    which a rollback mends, and would else wait for as it is waited for; or what shifts the traffic
    gives no answer, which need not keep the stable version from being rolled."""
    returns = canary.phase is Phase.RETURNING and bool(canary.trouble)
    return returns or canary.doing.startswith(AGAIN)


def _without_plan(spec: TargetSpec) -> Ending:
    said = f"The catalog has no plan for canaries of {spec.key} any more. Nothing was changed."
    return Ending(Status.REFUSED, said, "CANARY_IMPOSSIBLE")


def _record(tx: Transaction, deployment: Deployment, canary: Canary) -> None:
    tx.canaries.add(canary)
    steps = len(canary.plan.steps)
    said = f"A canary of {steps} step{'s' if steps > 1 else ''}, {_BY[canary.plan.strategy]}."
    tx.audit.append(entry(deployment, "canary.begin", "intent", said))
    tx.outbox.thread(deployment.id, "told", f"{said} What runs now is measured first.")
    tx.outbox.card(deployment.id)


def supersede(tx: Transaction, queued: Deployment, now: datetime) -> None:
    """What is queued takes the place of a canary on trial: that one is taken back at once.

    It was asked for later and by people who could see the card; waiting for an hour of bakes would
    help nobody. One that takes over already is waited for like any rollout.
    """
    if queued.kind is Kind.ROLLBACK:
        return  # it settles what runs by itself
    canary = locked(tx, queued.target)
    if canary is None or canary.phase not in {Phase.SHIFTING, Phase.BAKING, Phase.ASKING}:
        return
    if canary.wish is not None and canary.wish.act is Act.ABORT:
        return  # a person was first
    wish = Wish(Act.ABORT, SYSTEM, now, f"{queued.id} takes its place.")
    tx.canaries.change(canary, wish=wish)


def locked(tx: Transaction, target: Target) -> Canary | None:
    """The target's canary, which nobody changes before this transaction ends: no word gets lost."""
    canary = tx.canaries.of(target)
    return tx.canaries.get_for_update(canary.deployment_id) if canary is not None else None


def plan_of(spec: TargetSpec, *, asked: bool | None) -> bool:
    """Whether a deployment is a canary. Raises ``Misconfigured`` where there is no plan for it."""
    if asked and spec.canary is None:
        raise Misconfigured(
            f"The catalog has no plan for canaries of {spec.key}.",
            reason_code="CANARY_IMPOSSIBLE",
            hint='Give the target a "canary" part in quarterdeck.yaml, or deploy without --canary.',
        )
    return spec.canary is not None and (spec.canary.by_default if asked is None else asked)
