"""Block Kit blocks as lines in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rich.columns import Columns
from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bot.playground.emoji import with_emoji
from bot.playground.markup import of_rich_text
from bot.playground.terminal.mrkdwn import Names, drawn, named_in, rich_text

Block = dict[str, Any]
_QUIET = Style(dim=True)
_BUTTONS = {
    "primary": Style(color="white", bgcolor="green", bold=True),
    "danger": Style(color="white", bgcolor="red", bold=True),
    "": Style(reverse=True),
}


@dataclass(slots=True)
class Numbering:
    """Counts controls across a message, so that a person can name one by its number."""

    shown: bool = False
    count: int = 0

    def mark(self) -> str:
        """The next control's number, or nothing where none are shown."""
        self.count += 1
        return f"{self.count}:" if self.shown else ""


@dataclass(frozen=True, slots=True)
class Painter:
    """Draws blocks; ``names`` are what ids read as."""

    names: Names
    numbering: Numbering

    def draw(self, blocks: Iterable[Block]) -> Iterator[RenderableType]:
        """Each block's lines, in order."""
        kinds: dict[str, Callable[[Block], Iterator[RenderableType]]] = {
            "header": self._header,
            "section": self._section,
            "context": self._context,
            "divider": lambda _: iter([Rule(style=_QUIET)]),
            "actions": self._actions,
            "input": self._input,
            "image": lambda block: iter([Text(f"[image: {block['alt_text']}]", style=_QUIET)]),
            "rich_text": self._rich_text,
        }
        for block in blocks:
            yield from kinds[block["type"]](block)

    def text(self, element: dict[str, Any]) -> Text:
        """A text object of either kind."""
        if element["type"] == "mrkdwn":
            return rich_text(element["text"], self.names)
        plain: str = element["text"]
        return Text(with_emoji(plain) if element.get("emoji", True) else plain)

    def _header(self, block: Block) -> Iterator[RenderableType]:
        line = self.text(block["text"])
        line.stylize(Style(bold=True))
        yield line

    def _section(self, block: Block) -> Iterator[RenderableType]:
        if "text" in block:
            yield self.text(block["text"])
        if "fields" in block:
            yield self._two_columns([self.text(each) for each in block["fields"]])
        accessory = block.get("accessory")
        if accessory and accessory["type"] != "image":
            yield self._control(accessory)

    @staticmethod
    def _two_columns(cells: list[Text]) -> Table:
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(ratio=1)
        for at in range(0, len(cells), 2):
            grid.add_row(*cells[at : at + 2])
        return grid

    def _context(self, block: Block) -> Iterator[RenderableType]:
        shown = [each for each in block["elements"] if each["type"] != "image"]
        for element in shown:
            line = self.text(element)
            line.stylize(_QUIET)
            yield line

    def _actions(self, block: Block) -> Iterator[RenderableType]:
        yield Padding(Columns([self._control(each) for each in block["elements"]]), (1, 0, 0, 0))

    def _control(self, element: dict[str, Any]) -> Text:
        mark = self.numbering.mark()
        if element["type"] == "button":
            label = self.text(element["text"]).plain
            return Text(f" {mark}[ {label} ] ", style=_BUTTONS[element.get("style", "")])
        asked = element.get("placeholder", {}).get("text", "Choose")
        return Text(f" {mark}[ {asked} ▾ ] ", style=_BUTTONS[""])

    def _input(self, block: Block) -> Iterator[RenderableType]:
        element = block["element"]
        label = self.text(block["label"])
        label.stylize(Style(bold=True))
        if block.get("optional"):
            label.append(" (optional)", style=_QUIET)
        yield label
        chosen = element.get("initial_option")
        options = element.get("options", [])
        for option in options:
            mark = "◉" if option == chosen else "○"
            yield Text(f"  {mark} {option['text']['text']}")
        if not options:
            shown = element.get("initial_value") or element.get("placeholder", {}).get("text", "")
            yield Text(f"  [ {shown:<40} ]", style=_QUIET)

    def _rich_text(self, block: Block) -> Iterator[RenderableType]:
        for part in block["elements"]:
            bullet = "• " if part["type"] == "rich_text_list" else ""
            inner = part["elements"] if bullet else [part]
            for section in inner:
                inline = (of_rich_text(each, named_in(self.names)) for each in section["elements"])
                yield Text(bullet).append_text(drawn(inline))
