"""What a deployment would do, with the task definition's diff."""

from __future__ import annotations

from collections.abc import Iterator

from slack_sdk.models.blocks import Block

from bot.model.reply import DryRun
from bot.slack.views.message import Message, context, message, quoted, section
from bot.slack.views.text import change, escaped, preformatted, target


def dry_run(reply: DryRun) -> Message:
    """The change, the decision, the diff; nothing was written."""
    said = f"Dry run: {target(reply.target)} would go {change(reply.previous, reply.image)}."
    return message(said, _blocks(reply, said))


def _blocks(reply: DryRun, said: str) -> Iterator[Block]:
    yield section(f"🔍 {said}")
    yield from quoted("Decision", reply.decision)
    yield section(preformatted(reply.diff) if reply.diff.strip() else "_No difference._")
    if reply.warnings:
        yield context(*(f"⚠️ {escaped(warning)}" for warning in reply.warnings))
    yield context("Nothing was changed or recorded.")
