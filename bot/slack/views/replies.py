"""Which view draws which reply; a new kind of reply does not pass mypy before it has one."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from bot.model.reply import (
    Accepted,
    AuditReport,
    DeployForm,
    DeploymentList,
    Details,
    DryRun,
    Help,
    HoldsReport,
    Refused,
    Reply,
    RollbackForm,
    StatusReport,
    WhoAmI,
    Why,
)
from bot.slack.views.accepted import accepted
from bot.slack.views.audit import audit
from bot.slack.views.deployments import deployments
from bot.slack.views.details import details
from bot.slack.views.dry_run import dry_run
from bot.slack.views.help import help_text
from bot.slack.views.holds import holds
from bot.slack.views.invitation import invite_to_deploy, invite_to_roll_back
from bot.slack.views.message import Message
from bot.slack.views.refusal import refusal
from bot.slack.views.status import status
from bot.slack.views.whoami import whoami
from bot.slack.views.why import why


def draw(reply: Reply, now: datetime) -> Message:
    """The reply as a private message."""
    match reply:
        case Accepted() | Refused() | DryRun():
            return _draw_answer(reply)
        case DeployForm():
            return invite_to_deploy()
        case RollbackForm():
            return invite_to_roll_back(reply)
        case _:
            return _draw_report(reply, now)


def _draw_answer(reply: Accepted | Refused | DryRun) -> Message:
    match reply:
        case Accepted():
            return accepted(reply)
        case Refused():
            return refusal(reply)
        case DryRun():
            return dry_run(reply)
        case _:
            assert_never(reply)


Timed = StatusReport | DeploymentList | Details | HoldsReport
Timeless = Why | AuditReport | WhoAmI | Help


def _draw_report(reply: Timed | Timeless, now: datetime) -> Message:
    match reply:
        case StatusReport():
            return status(reply, now)
        case DeploymentList():
            return deployments(reply, now)
        case Details():
            return details(reply, now)
        case HoldsReport():
            return holds(reply, now)
        case _:
            return _draw_timeless(reply)


def _draw_timeless(reply: Timeless) -> Message:
    match reply:
        case Why():
            return why(reply)
        case AuditReport():
            return audit(reply)
        case WhoAmI():
            return whoami(reply)
        case Help():
            return help_text(reply)
        case _:
            assert_never(reply)
