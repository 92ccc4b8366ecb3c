"""What the Slack edge is made of: the front door it hands commands to, and what it asks itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bot.commands.model import Command
from bot.model.catalog import Catalog
from bot.model.deployment import Requester
from bot.model.ports import Clock
from bot.model.reply import Reply
from bot.slack.execution import Bench
from bot.slack.messenger import Desk
from bot.slack.people import Home


class FrontDoor(Protocol):
    """Intake, as the edge sees it."""

    def submit(self, command: Command, requester: Requester, request_id: str) -> Reply:
        """Decide, record, answer; the same ``request_id`` again answers again and does nothing.

        Raises ``UserError``, and ``Unreachable`` where nothing can be recorded.
        """
        ...


class Directory(Protocol):
    """Who is asking; ``people.People`` is the one."""

    def requester(self, user_id: str, channel: str, team_id: str = "") -> Requester:
        """Raises ``Unreachable``, ``Throttled`` or ``AccessDenied``."""
        ...

    def forget(self, user_id: str) -> None:
        """Slack said that the user was changed."""
        ...

    def forget_groups(self) -> None:
        """Slack said that a group was changed."""
        ...


@dataclass(frozen=True)
class SlackSettings:
    """``patience`` is how long, in seconds, Slack waits for an answer; it gives up at 3."""

    signing_secret: str = field(repr=False)
    home: Home
    patience: float = 2.5
    workers: int = 24


@dataclass(frozen=True, slots=True)
class Edge:
    """Everything that the listeners use. ``catalog`` gives the one in force at that moment."""

    intake: FrontDoor
    people: Directory
    desk: Desk
    catalog: Callable[[], Catalog]
    clock: Clock
    settings: SlackSettings
    bench: Bench
