"""The terminal as a Slack window: messages, threads, private replies and modals."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.style import Style
from rich.text import Text

from bot.playground.slack.records import Message, View
from bot.playground.slack.state import State
from bot.playground.terminal.blocks import Numbering, Painter
from bot.playground.terminal.mrkdwn import rich_text

NARROWEST, WIDEST = 80, 100
_QUIET = Style(dim=True)


def console_for_people() -> Console:
    """Standard output, 80 to 100 columns wide; without colour where it is no terminal."""
    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
    width = min(max(console.width, NARROWEST), WIDEST) if console.is_terminal else 96
    return Console(file=sys.stdout, highlight=False, emoji=False, markup=False, width=width)


def names_in(workspace: State) -> Mapping[str, str]:
    """What every id of the workspace reads as."""
    return (
        {each.id: each.name for each in workspace.people.values()}
        | {each.id: each.handle for each in workspace.groups.values()}
        | {each.id: each.name for each in workspace.channels.values()}
    )


@dataclass(frozen=True, slots=True)
class Screen:
    """Draws what people of one workspace see. ``numbering`` may put numbers on buttons."""

    workspace: State
    console: Console = field(default_factory=console_for_people)
    numbering: Numbering = field(default_factory=Numbering)

    def message(self, message: Message, thread: Sequence[Message] = ()) -> None:
        """One message in its frame, with its thread indented below."""
        self.console.print(self.framed(message))
        for each in thread:
            self.reply(each)

    def reply(self, message: Message) -> None:
        """One message of a thread."""
        self.console.print(self._indented(message))

    def framed(self, message: Message) -> RenderableType:
        """A message as a panel: author, place and time on top."""
        names = names_in(self.workspace)
        where = names.get(message.channel) or "direct message"
        app = " APP" if message.by in self._bots() else ""
        title = Text(f" {names.get(message.by, message.by)}{app} ", style=Style(bold=True))
        title.append(f"#{where} · {_clock(message.ts)} ", style=_QUIET)
        if message.seen_by is not None:
            title.append(f"· only visible to {names.get(message.seen_by)} ", style=_QUIET)
        kind = box.ROUNDED if message.seen_by is None else box.SQUARE
        edge = _QUIET if message.seen_by is not None else Style()
        body = self._body(message)
        return Panel(body, title=title, title_align="left", box=kind, border_style=edge)

    def _body(self, message: Message) -> RenderableType:
        names = names_in(self.workspace)
        if not message.blocks:
            return rich_text(message.text, names)
        painter = Painter(names, self.numbering)
        return Group(*painter.draw(message.blocks))

    def _indented(self, reply: Message) -> RenderableType:
        head = Text(f"↳ {_clock(reply.ts)} ", style=_QUIET)
        body = self._body(reply)
        if isinstance(body, Text):
            return Padding(head.append_text(body), (0, 0, 0, 4))
        lines = list(body.renderables) if isinstance(body, Group) else [body]
        if lines and isinstance(lines[0], Text):
            lines[0] = head.append_text(lines[0])
        return Padding(Group(*lines), (0, 0, 0, 4))

    def view(self, view: View) -> None:
        """A modal."""
        painter = Painter(names_in(self.workspace), Numbering())
        submit = view.content.get("submit")
        footer = Text(f" [ {submit['text']} ] ", style=Style(reverse=True)) if submit else None
        self.console.print(
            Panel(
                Group(*painter.draw(view.blocks)),
                title=Text(f" {view.title} ", style=Style(bold=True)),
                subtitle=footer,
                box=box.DOUBLE,
            )
        )

    def said(self, who: str, where: str, what: str) -> None:
        """What a person types or presses."""
        line = Text(f"{who} ", style=Style(bold=True, color="cyan"))
        line.append(f"#{where} ", style=_QUIET)
        self.console.print(line.append(what, style=Style(bold=True)))

    def note(self, sentence: str) -> None:
        """The narrator."""
        self.console.print(Text(sentence, style=_QUIET))

    def good(self, sentence: str) -> None:
        """Something that had to be so, and is."""
        self.console.print(Text("  ✓ ", style=Style(color="green")).append(sentence))

    def bad(self, sentence: str) -> None:
        """Something that had to be so, and is not."""
        self.console.print(Text("  ✗ ", style=Style(color="red", bold=True)).append(sentence))

    def heading(self, words: str) -> None:
        """A new part of the story."""
        self.console.print()
        self.console.print(Rule(Text(words, style=Style(bold=True)), align="left"))

    def _bots(self) -> set[str]:
        return {each.id for each in self.workspace.people.values() if each.bot}


def _clock(ts: str) -> str:
    return f"{datetime.fromtimestamp(float(ts), UTC).astimezone():%H:%M:%S}"
