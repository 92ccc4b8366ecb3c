"""App Home: what waits for the reader, and what is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.model.canary import Canary
from bot.model.deployment import Deployment, Status
from bot.slack.views import buttons
from bot.slack.views.deployments import line
from bot.slack.views.ids import Action, Handle
from bot.slack.views.message import Message, actions, context, header, paragraphs, section
from bot.slack.views.text import moment

#: Longer lists are counted, not shown.
LINES = 20


@dataclass(frozen=True, slots=True)
class Desk:
    """What is on somebody's desk: ``mine`` waits for this reader's approval.

    ``canaries`` are those under way.
    """

    mine: tuple[Deployment, ...]
    active: tuple[Deployment, ...]
    canaries: tuple[Canary, ...] = ()

    def line(self, one: Deployment, now: datetime) -> str:
        """One of them in one line."""
        at = next((each for each in self.canaries if each.deployment_id == one.id), None)
        return line(one, now, at)


def home(desk: Desk, now: datetime) -> View:
    """The Home of one person as of ``now``; Slack shows it until it is opened again."""
    return View(type="home", blocks=list(_blocks(desk, now)))


def home_notice(said: Message) -> View:
    """A Home that can only say why it shows nothing."""
    return View(type="home", blocks=list(said.blocks))


def _blocks(desk: Desk, now: datetime) -> Iterator[Block]:
    yield from actions(
        [
            buttons.opener("Deploy…", Action.OPEN_DEPLOY_FORM, Handle()),
            buttons.opener("Roll back…", Action.OPEN_ROLLBACK_FORM, Handle()),
        ]
    )
    yield from _list("Waiting for me", desk.mine, lambda one: desk.line(one, now))
    for heading, state in (
        ("Running", Status.RUNNING),
        ("Queued", Status.QUEUED),
        ("Waiting for approval", Status.AWAITING_APPROVAL),
    ):
        found = [one for one in desk.active if one.status is state]
        yield from _list(heading, found, lambda one: desk.line(one, now))
    yield context(f"As of {moment(now, '{date_short_pretty} {time_secs}')}.")


def _list(
    heading: str, found: Sequence[Deployment], drawn: Callable[[Deployment], str]
) -> Iterator[Block]:
    yield header(heading)
    yield from paragraphs(map(drawn, found[:LINES])) or [section("Nothing.")]
    if len(found) > LINES:
        yield context(f"… and {len(found) - LINES} more.")
