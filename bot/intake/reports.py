"""What only asks: status, queue, history, details, reasons, holds, audit, help."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bot.commands.help import help_text
from bot.commands.model import (
    ExplainDeployment,
    ExplainTarget,
    OpenDeployForm,
    ShowAudit,
    ShowDeployment,
    ShowHelp,
    ShowHistory,
    ShowLocks,
    ShowQueue,
    ShowStatus,
    ShowWhoAmI,
)
from bot.intake.ask import Ask, unknown_target
from bot.intake.cards import card_facts
from bot.intake.ids import unknown_deployment
from bot.model.catalog import TargetSpec
from bot.model.deployment import AuditRow, Kind, Target
from bot.model.errors import QuarterdeckError
from bot.model.ports import Transaction
from bot.model.reply import (
    AuditReport,
    DeployForm,
    DeploymentList,
    Details,
    Help,
    HoldsReport,
    Refused,
    StatusReport,
    TargetStatus,
    WhoAmI,
    Why,
)
from bot.model.rollout import Live
from bot.model.wording import ended
from bot.policy.calendar import frozen_by, until
from bot.policy.decide import Denied, NeedsApproval, decide
from bot.policy.reasons import explain
from bot.policy.roles import abilities
from bot.workflows.drift import drifts
from bot.workflows.facts import Asked, gather
from bot.workflows.parts import Parts

#: Targets read at the same time for one status report.
AT_ONCE = 8
#: Deployments in one list.
LISTED = 15


class Reports:
    """Answers that change nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def status(self, command: ShowStatus, _ask: Ask) -> StatusReport:
        """What runs where, read from the providers now, held against what was released."""
        specs = [
            spec
            for spec in self._parts.catalog().targets
            if command.service in {None, spec.service}
            and command.environment in {None, spec.environment}
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            lives = list(pool.map(self._live, specs))
        with self._parts.store.read() as tx:
            lines = tuple(
                self._line(tx, spec, live) for spec, live in zip(specs, lives, strict=True)
            )
            return StatusReport(lines, tx.holds.paused())

    def _live(self, spec: TargetSpec) -> Live | QuarterdeckError:
        try:
            return self._parts.rollouts.live(spec)
        except QuarterdeckError as fault:
            return fault

    def _line(
        self, tx: Transaction, spec: TargetSpec, live: Live | QuarterdeckError
    ) -> TargetStatus:
        now, target = self._parts.clock.now(), spec.key
        good = tx.releases.known_good(target, 1)
        last = good[0] if good else None
        # During a rollout, or after a change from outside, what runs is not what was released last.
        same = last if last and isinstance(live, Live) and live.revision == last.revision else None
        active = tuple(tx.deployments.active(target))
        read = live if isinstance(live, Live) else None
        behind = tx.deployments.get(same.deployment_id) if same and same.deployment_id else None
        return TargetStatus(
            target,
            read.image if read else None,
            read.revision if read else "",
            same.since if same else None,
            behind.requester if behind else None,
            active,
            tuple(lock for lock in tx.holds.locks(now) if lock.covers(target, now)),
            self._frozen(tx, spec.environment, target),
            drifts(tx, target, read),
            live.message if isinstance(live, QuarterdeckError) else "",
            tx.canaries.of(target),
        )

    def _frozen(self, tx: Transaction, environment: str, target: Target) -> str:
        now = self._parts.clock.now()
        window = frozen_by(self._parts.catalog().policy_of(target).freezes, now)
        if window is not None:
            return f"{window.name}, until {until(window, now):%Y-%m-%d %H:%M} UTC"
        declared = [f for f in tx.holds.freezes(now) if f.covers(environment, now)]
        return f"by {declared[0].owner.name}: {declared[0].reason}" if declared else ""

    def queue(self, _command: ShowQueue, _ask: Ask) -> DeploymentList:
        """Everything that has not ended, in the order of turns."""
        with self._parts.store.read() as tx:
            canaries = tuple(tx.canaries.open())
            return DeploymentList("Queue", tuple(tx.deployments.active()), canaries)

    def history(self, command: ShowHistory, _ask: Ask) -> DeploymentList:
        """Newest first."""
        with self._parts.store.read() as tx:
            rows = tx.deployments.history(None, LISTED, command.service, command.environment)
            return DeploymentList("History", tuple(rows))

    def show(self, command: ShowDeployment, _ask: Ask) -> Details | Refused:
        """A deployment's card again, with its audit rows."""
        with self._parts.store.read() as tx:
            facts = card_facts(tx, self._parts.catalog(), command.id, self._parts.clock.now())
            if facts is None:
                return unknown_deployment(tx, self._parts.catalog(), command.id)
            return Details(facts, tuple(tx.audit.search(limit=25, deployment_id=command.id)))

    def why(self, command: ExplainDeployment, _ask: Ask) -> Why | Refused:
        """What was decided about a deployment, and what each reason code means."""
        with self._parts.store.read() as tx:
            deployment = tx.deployments.get(command.id)
            if deployment is None:
                return unknown_deployment(tx, self._parts.catalog(), command.id, "why")
            rows = tx.audit.search(limit=50, deployment_id=command.id)
        lines = [said(row) for row in reversed(rows) if row.entry.reason_code]
        state = ended(deployment.status)
        return Why(f"{deployment.id} {state}. {deployment.explanation}".strip(), tuple(lines))

    def why_target(self, command: ExplainTarget, ask: Ask) -> Why | Refused:
        """What a deployment to this target would meet right now, asked by this person."""
        spec = self._parts.catalog().spec(command.target)
        if spec is None:
            return unknown_target(command.target)
        asked = Asked(Kind.DEPLOY, command.target, ask.requester, "", downtime=self._downtime(spec))
        with self._parts.store.read() as tx:
            decision = decide(gather(tx, self._parts.catalog(), asked, self._parts.clock.now()))
        if isinstance(decision, Denied):
            lines = tuple((str(r.code), r.text, r.what_to_do) for r in decision.reasons)
            return Why(f"{command.target} would refuse a deployment now.", lines)
        if isinstance(decision, NeedsApproval):
            return Why(f"{command.target} would wait for {decision.approvals} approval(s).", ())
        return Why(f"{command.target} would take a deployment now.", ())

    def _downtime(self, spec: TargetSpec) -> tuple[str, ...]:
        """Read only where it decides; what cannot be read is told by a deployment itself."""
        if self._parts.catalog().policy_of(spec.key).zero_downtime != "require":
            return ()
        live = self._live(spec)
        return live.downtime if isinstance(live, Live) else ()

    def locks(self, _command: ShowLocks, _ask: Ask) -> HoldsReport:
        """Everything that is in the way."""
        now, catalog = self._parts.clock.now(), self._parts.catalog()
        windows = {
            (spec.environment, window.name, until(window, now))
            for spec in catalog.targets
            if (window := frozen_by(catalog.policy_of(spec.key).freezes, now)) is not None
        }
        with self._parts.store.read() as tx:
            return HoldsReport(
                tuple(tx.holds.locks(now)),
                tuple(tx.holds.freezes(now)),
                tuple(sorted(windows)),
                tx.holds.paused(),
            )

    def audit(self, command: ShowAudit, _ask: Ask) -> AuditReport:
        """Rows of the trail, newest first."""
        named = command.service or command.environment
        # A service or an environment alone is one side of the slash in a target's name.
        where = f"{command.service or ''}/{command.environment or ''}" if named else ""
        filters = {
            "target": where,
            "actor": command.person_id or "",
            "deployment_id": command.deployment_id or "",
            "action": command.action or "",
        }
        chosen = {name: value for name, value in filters.items() if value}
        with self._parts.store.read() as tx:
            return AuditReport(tuple(tx.audit.search(limit=command.limit, **chosen)), chosen)

    def whoami(self, _command: ShowWhoAmI, ask: Ask) -> WhoAmI:
        """What Quarterdeck knows about who asks."""
        catalog = self._parts.catalog()
        may = {}
        for spec in catalog.targets:
            can = abilities(catalog.policy_of(spec.key), ask.requester)
            may[str(spec.key)] = ", ".join(can) or "look"
        return WhoAmI(
            ask.requester.person, tuple(sorted(ask.requester.groups)), tuple(sorted(may.items()))
        )

    def help(self, command: ShowHelp, _ask: Ask) -> Help:
        """From the grammar alone."""
        return Help(help_text(command.topic))

    def form(self, _command: OpenDeployForm, _ask: Ask) -> DeployForm:
        """What the deploy modal offers."""
        catalog = self._parts.catalog()
        return DeployForm(tuple(catalog.services), tuple(catalog.environments))


def said(row: AuditRow) -> tuple[str, str, str]:
    """An audit row with a reason code, in words."""
    entry = row.entry
    meaning, advice = explain(entry.reason_code)
    text = entry.reason or meaning
    return entry.reason_code, f"{entry.action} by {entry.actor.name}: {text}", advice
