"""The queue and the history: one line per deployment."""

from __future__ import annotations

from datetime import datetime

from bot.model.canary import Canary
from bot.model.deployment import Deployment
from bot.model.reply import DeploymentList
from bot.slack.views.canary_card import brief
from bot.slack.views.message import Message, header, message, paragraphs, section
from bot.slack.views.states import mark, words
from bot.slack.views.text import change, escaped, lasting, person, plain


def deployments(report: DeploymentList, now: datetime) -> Message:
    """The list under its title; an empty one says so."""
    count = len(report.deployments)
    said = f"{escaped(report.title, 100)}: {count} deployment{'' if count == 1 else 's'}."
    lines = [line(one, now, report.canary_of(one.id)) for one in report.deployments]
    body = paragraphs(lines) or [section("Nothing here.")]
    return message(said, [header(plain(report.title, 100) or "Deployments"), *body])


def line(one: Deployment, now: datetime, canary: Canary | None = None) -> str:
    """One deployment in one line of mrkdwn."""
    at = f", {brief(canary)}" if canary else ""
    return (
        f"{mark(one.status)} *{escaped(one.id)}* {change(one.previous, one.image)}, "
        f"{words(one.status)}{at}, {person(one.requester)}, {lasting(now - one.created_at)} ago"
    )
