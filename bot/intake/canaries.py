"""What people ask of a running canary: bring it on, hold it, take it back, show how it stands."""

from __future__ import annotations

from bot.commands.model import Conduct, ShowCanary, ShowDeployment
from bot.intake.ask import Ask, Subject, answered, deny, granted
from bot.intake.reports import Reports
from bot.model.canary import Act, Canary, Phase, Wish
from bot.model.canary_plan import in_percent
from bot.model.catalog import People, Policy
from bot.model.deployment import Deployment, Target
from bot.model.ports import Transaction
from bot.model.reply import Accepted, Refused, Reply
from bot.policy.roles import approvers_of, may_promote, may_take_back
from bot.policy.roles import ask as who_can
from bot.workflows.canary.opening import locked
from bot.workflows.canary.turn import ON_TRIAL
from bot.workflows.facts import policy_left
from bot.workflows.parts import Parts

#: The audit row's verb of each act, and what is said about it.
_SAID = {
    Act.PROMOTE: ("canary.promote", "goes on to {share} the traffic"),
    Act.PROMOTE_FULLY: ("canary.promote", "takes over the whole traffic"),
    Act.HOLD: ("canary.hold", "is held where it is"),
    Act.GO_ON: ("canary.hold", "goes on"),
    Act.ABORT: ("canary.abort", "is taken back; all traffic goes to the stable version"),
}


class CanaryDesk:
    """A word is written beside the canary, with its audit row; the conductor does as it says."""

    def __init__(self, parts: Parts, reports: Reports) -> None:
        self._parts = parts
        self._reports = reports

    def show(self, command: ShowCanary, ask: Ask) -> Reply:
        """The card of the target's canary, or that there is none."""
        with self._parts.store.read() as tx:
            canary = tx.canaries.of(command.target)
        if canary is None:
            return none_runs(command.target)
        return self._reports.show(ShowDeployment(canary.deployment_id), ask)

    def conduct(self, command: Conduct, ask: Ask) -> Accepted | Refused:
        """Write down what is wished, or why not."""
        action, _ = _SAID[command.act]
        act = command.act
        with self._parts.store.begin() as tx:
            canary = self._meant(tx, command)
            deployment = tx.deployments.get(canary.deployment_id) if canary else None
            target = deployment.target if deployment is not None else command.target
            subject = Subject(action, str(target or ""), deployment.id if deployment else "")
            if (told := answered(tx, ask, subject)) is not None:
                return told
            if canary is None or deployment is None or canary.over:
                return deny(tx, ask, subject, none_runs(target))
            refused = self._cannot(canary, deployment, command, ask)
            if refused is not None:
                tx.outbox.card(deployment.id)
                return deny(tx, ask, subject, refused)
            if act is Act.HOLD and canary.held_by == ask.requester.person and command.step is None:
                # Typed once more it lets it go on; a button pressed twice must not, nor a second
                # person who means to hold it too.
                act = Act.GO_ON
            wish = Wish(act, ask.requester.person, self._parts.clock.now(), command.reason)
            if not _is_leaving(canary):  # who asked first to take it back stands on its card
                tx.canaries.change(canary, wish=wish)
            tx.outbox.card(deployment.id)
            accepted = granted(tx, ask, subject, _answer(canary, act), command.reason)
        self._parts.conducted.set()
        return Accepted(accepted.text, (deployment,))

    def _meant(self, tx: Transaction, command: Conduct) -> Canary | None:
        if command.id:
            return tx.canaries.get_for_update(command.id)
        return locked(tx, command.target) if command.target is not None else None

    def _cannot(
        self, canary: Canary, deployment: Deployment, command: Conduct, ask: Ask
    ) -> Refused | None:
        policy = policy_left(self._parts.catalog(), deployment.target)
        if (refused := not_allowed(policy, command.act, ask)) is not None:
            return refused
        if canary.phase not in ON_TRIAL:
            return too_late(canary, deployment)
        if _is_leaving(canary) and command.act is not Act.ABORT:
            return leaving(canary)
        stale = command.step is not None and command.step != canary.step
        if stale and command.act is not Act.ABORT:
            return Refused(
                "STALE_BUTTON",
                f"That button belonged to an earlier step: {deployment.id} is at step "
                f"{canary.step + 1} by now.",
                "Its card shows the newest state.",
            )
        return None


def not_allowed(policy: Policy, act: Act, ask: Ask) -> Refused | None:
    """Taking back is for whoever may roll back, everything else for promoters."""
    if act is Act.ABORT:
        allowed = may_take_back(policy, ask.requester)
        helpers: tuple[People, ...] = (
            policy.deployers,
            approvers_of(policy),
            policy.incident_responders,
        )
    else:
        allowed = may_promote(policy, ask.requester)
        helpers = (
            (policy.promoters,) if policy.promoters else (policy.deployers, approvers_of(policy))
        )
    if allowed:
        return None
    what = "take a canary back" if act is Act.ABORT else "promote or hold a canary"
    return Refused("NOT_ALLOWED", f"You may not {what} here.", who_can(*helpers))


def none_runs(target: Target | None) -> Refused:
    """There is nothing to conduct."""
    where = f" on {target}" if target is not None else ""
    hint = (
        f"/deploy {target.service} {target.environment} --canary starts one."
        if target is not None
        else "/deploy queue shows what runs."
    )
    return Refused("NOT_RUNNING", f"No canary runs{where}.", hint)


def _is_leaving(canary: Canary) -> bool:
    """Whether somebody has said that it is taken back."""
    return canary.wish is not None and canary.wish.act is Act.ABORT


def leaving(canary: Canary) -> Refused:
    """Somebody was faster, and careful comes first."""
    by = f", as {canary.wish.by.name} said" if canary.wish is not None else ""
    return Refused(
        "NOT_RUNNING",
        f"{canary.deployment_id} is being taken back already{by}.",
        f"/deploy show {canary.deployment_id} shows how it ends.",
    )


def too_late(canary: Canary, deployment: Deployment) -> Refused:
    """It is past the point where a word could change anything."""
    target = deployment.target
    if canary.phase is Phase.PROMOTING:
        return Refused(
            "NOT_RUNNING",
            f"{deployment.id} takes over the whole traffic already.",
            f"/rollback {target.service} {target.environment} takes it back.",
            f"/rollback {target.service} {target.environment}",
        )
    if canary.phase is Phase.RETURNING:
        why = f" {canary.trouble}" if canary.trouble else ""
        return Refused(
            "NOT_RUNNING",
            f"{deployment.id} is being taken back already.{why}",
            f"/rollback {target.service} {target.environment} mends the stable version, where "
            "that is what is in the way.",
        )
    return Refused(
        "NOT_RUNNING",
        f"{deployment.id} is no canary any more: it has been taken back or has taken over.",
        f"/deploy show {deployment.id} shows how it ended.",
    )


def _answer(canary: Canary, act: Act) -> str:
    _, said = _SAID[act]
    if act is Act.PROMOTE:
        later = canary.plan.steps[canary.step + len(canary.shifts[canary.step :]) :]
        to = f"{in_percent(later[0].share)} of" if later else "all of"
        said = said.format(share=to)
    return f"{canary.deployment_id} {said}; its card follows."
