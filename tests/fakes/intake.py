"""A front door that remembers what came in and answers what it was told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

from bot.commands.model import Command
from bot.model.deployment import Requester
from bot.model.reply import Accepted, Reply


@dataclass
class Submission:
    command: Command
    requester: Requester
    request_id: str


@dataclass
class FakeIntake:
    """``open`` can be cleared to keep callers waiting; ``fault`` is raised instead of answering."""

    reply: Reply = field(default_factory=lambda: Accepted("Done."))
    replies: dict[type, Reply] = field(default_factory=dict)
    fault: Exception | None = None
    submissions: list[Submission] = field(default_factory=list)
    open: Event = field(default_factory=Event)
    recorded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.open.set()

    def submit(self, command: Command, requester: Requester, request_id: str) -> Reply:
        self.submissions.append(Submission(command, requester, request_id))
        assert self.open.wait(30)
        if self.fault is not None:
            raise self.fault
        self.recorded.add(request_id)
        return self.replies.get(type(command), self.reply)
