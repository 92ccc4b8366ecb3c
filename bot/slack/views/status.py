"""What runs where."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from slack_sdk.models.blocks import Block

from bot.model.deployment import Pause
from bot.model.reply import StatusReport, TargetStatus
from bot.slack.views.canary_card import brief
from bot.slack.views.message import Message, message, paragraphs, section
from bot.slack.views.states import mark, words
from bot.slack.views.text import escaped, image, lasting, moment, person, target


def status(report: StatusReport, now: datetime) -> Message:
    """One paragraph per target: version, age, what is under way, and what is in the way."""
    count = len(report.targets)
    said = f"Status of {count} target{'' if count == 1 else 's'}."
    return message(said, _blocks(report, now))


def _blocks(report: StatusReport, now: datetime) -> Iterator[Block]:
    if report.paused:
        yield section(paused(report.paused))
    if not report.targets:
        yield section("No target matches.")
    yield from paragraphs("\n".join(_target(one, now)) for one in report.targets)


def paused(pause: Pause) -> str:
    """The pause, as status and locks show it."""
    why = escaped(pause.reason, 200) or "no reason given"
    return f"⏸️ *Everything is paused* by {person(pause.owner)}, {moment(pause.since)}: {why}"


def _target(one: TargetStatus, now: datetime) -> Iterator[str]:
    since = f", for {lasting(now - one.since)}" if one.since else ""
    by = f", by {person(one.by)}" if one.by else ""
    yield f"*{target(one.target)}* {image(one.running)}{since}{by}"
    if one.unreadable:
        yield f"❓ cannot be read: {escaped(one.unreadable, 200)}"
    for clause in one.drift:
        yield f"⚠️ drift: {escaped(clause, 300)}"
    for active in one.active:
        yield f"{mark(active.status)} {escaped(active.id)}: {words(active.status)}"
    if one.canary:
        yield f"🐤 {escaped(one.canary.deployment_id)}: {brief(one.canary)}"
    for lock in one.locks:
        yield f"🔒 locked by {person(lock.owner)}: {escaped(lock.reason, 150)}"
    if one.frozen:
        yield f"🧊 frozen: {escaped(one.frozen, 150)}"
