"""The modal of known-good versions: first the target where none was named, then the version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    PlainTextObject,
    RadioButtonsElement,
    StaticSelectElement,
)
from slack_sdk.models.views import View

from bot.model.deployment import Release, Target
from bot.model.reply import RollbackForm
from bot.slack.views.ids import INPUT, Action, Field, Form, Handle
from bot.slack.views.inputs import REASON, asked, grouped, line, offered, option, options
from bot.slack.views.message import context, section
from bot.slack.views.notice import words
from bot.slack.views.text import escaped, plain, target

HEADING = "Roll back"


def rollback_form(form: RollbackForm, handle: Handle) -> View:
    """The step that is due. Without a single usable version there is nothing to submit."""
    if form.target is None:
        blocks, ready = list(_ask_target(form)), False
    else:
        handle = Handle(
            service=form.target.service,
            environment=form.target.environment,
            channel=handle.channel,
        )
        blocks, ready = list(_ask_version(form, form.target)), bool(form.choices)
    return View(
        type="modal",
        callback_id=Form.ROLLBACK,
        title=words(HEADING),
        submit=words("Roll back") if ready else None,
        close=words("Cancel"),
        private_metadata=handle.dump(),
        blocks=blocks,
    )


def _ask_target(form: RollbackForm) -> Iterator[Block]:
    if not form.targets:
        yield section("There is no target that you could roll back.")
        return
    choices = options(map(str, form.targets))
    groups = grouped(choices)
    yield section("*What shall be rolled back?*")
    yield ActionsBlock(
        elements=[
            StaticSelectElement(
                action_id=Action.PICK_ROLLBACK_TARGET,
                placeholder=PlainTextObject(text="Service and environment", emoji=False),
                options=None if groups else choices,
                option_groups=groups,
            )
        ]
    )


def _ask_version(form: RollbackForm, of: Target) -> Iterator[Block]:
    yield section(f"*{target(of)}*")
    if form.choices:
        yield asked(Field.RELEASE, "Known-good version", _releases(form.choices))
        yield offered(Field.REASON, "Reason", line(REASON, multiline=True))
    else:
        yield section("There is no known-good version left that could run again.")
    if form.warnings:
        yield context(*(f"⚠️ {escaped(warning)}" for warning in form.warnings))
    if form.unusable:
        left_out = (f"Not offered: {escaped(why)}" for why in form.unusable)
        yield context(*left_out)


def _releases(choices: Sequence[Release]) -> RadioButtonsElement:
    offers = [
        option(release.deployment_id or release.image.digest, _label(release), _since(release))
        for release in choices[:5]
    ]
    return RadioButtonsElement(action_id=INPUT, options=offers, initial_option=offers[0])


def _label(release: Release) -> str:
    digest = release.image.digest.removeprefix("sha256:")[:12]
    ref = plain(release.image.ref, 50)
    return digest if release.image.ref.startswith("sha256:") else f"{ref} ({digest})"


def _since(release: Release) -> str:
    made_by = release.deployment_id or "deployed by somebody else"
    return f"good since {release.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {made_by}"
