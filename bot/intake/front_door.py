"""The front door: every command from every path comes through ``Intake.submit``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from bot.commands import model as commands
from bot.intake.ask import Ask, Subject, deny
from bot.intake.ballots import Ballots
from bot.intake.canaries import CanaryDesk
from bot.intake.cards import card_facts, chart_facts
from bot.intake.deploys import Deploys
from bot.intake.holds import HoldsDesk
from bot.intake.reports import Reports
from bot.intake.rollbacks import Rollbacks
from bot.model.deployment import Requester
from bot.model.reply import Accepted, CardFacts, ChartFacts, Refused, Reply
from bot.policy.reasons import ReasonCode, explain
from bot.workflows.parts import Parts

log = structlog.get_logger(__name__)


class Intake:
    """Carries out commands. What changes something is recorded before the answer is given.

    Raises ``Unreachable`` where the database cannot be used: nothing was changed then.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        deploys, rollbacks = Deploys(parts), Rollbacks(parts)
        ballots, holds, reports = Ballots(parts, rollbacks), HoldsDesk(parts), Reports(parts)
        canaries = CanaryDesk(parts, reports)
        self.handlers: dict[type, Callable[[Any, Ask], Reply]] = {
            commands.Deploy: deploys.deploy,
            commands.Retry: deploys.retry,
            commands.Rollback: rollbacks.roll_back,
            commands.Conduct: canaries.conduct,
            commands.ShowCanary: canaries.show,
            commands.OpenRollbackForm: rollbacks.form,
            commands.OpenDeployForm: reports.form,
            commands.Approve: ballots.approve,
            commands.Reject: ballots.reject,
            commands.Cancel: ballots.cancel,
            commands.LockTarget: holds.lock,
            commands.UnlockTarget: holds.unlock,
            commands.DeclareFreeze: holds.freeze,
            commands.LiftFreeze: holds.unfreeze,
            commands.PauseAll: holds.pause,
            commands.ResumeAll: holds.resume,
            commands.ShowLocks: reports.locks,
            commands.ShowStatus: reports.status,
            commands.ShowQueue: reports.queue,
            commands.ShowHistory: reports.history,
            commands.ShowDeployment: reports.show,
            commands.ExplainDeployment: reports.why,
            commands.ExplainTarget: reports.why_target,
            commands.ShowAudit: reports.audit,
            commands.ShowWhoAmI: reports.whoami,
            commands.ShowHelp: reports.help,
        }

    def submit(self, command: commands.Command, requester: Requester, request_id: str) -> Reply:
        """Decide, record, enqueue; the same ``request_id`` again changes nothing more."""
        ask = Ask(requester, request_id)
        bound = structlog.contextvars.bound_contextvars(request_id=request_id)
        with self._parts.courtesy.serving(), bound:
            if requester.outsider:
                reply: Reply = self._turn_away(command, ask)
            else:
                reply = self.handlers[type(command)](command, ask)
            log.info("command", person=ask.actor_id, **summary(command, reply))
            return reply

    def _turn_away(self, command: commands.Command, ask: Ask) -> Refused:
        meaning, advice = explain(ReasonCode.OUTSIDER)
        refused = Refused(str(ReasonCode.OUTSIDER), meaning, advice)
        with self._parts.store.begin() as tx:
            subject = Subject(
                "request.refused",
                deployment_id=str(getattr(command, "id", "")),
                detail={"command": type(command).__name__},
            )
            return deny(tx, ask, subject, refused)

    def card(self, deployment_id: str) -> CardFacts | None:
        """The facts of one card, for the outbox."""
        with self._parts.store.read() as tx:
            return card_facts(tx, self._parts.catalog(), deployment_id, self._parts.clock.now())

    def chart(self, deployment_id: str) -> ChartFacts | None:
        """What a canary's chart is drawn from, for the outbox."""
        with self._parts.store.read() as tx:
            return chart_facts(tx, deployment_id)


def summary(command: commands.Command, reply: Reply) -> dict[str, str]:
    """What the log says of a command: names and ids, never what somebody wrote."""
    said = {"command": type(command).__name__, "reply": type(reply).__name__}
    if isinstance(reply, Refused):
        said["reason_code"] = reply.reason_code
    if isinstance(reply, Accepted) and reply.deployments:
        said["deployment_id"] = ",".join(made.id for made in reply.deployments)
    return said
