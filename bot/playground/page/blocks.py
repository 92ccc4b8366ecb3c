"""Block Kit as HTML: messages, modals and App Homes, with real controls."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bot.playground.emoji import with_emoji
from bot.playground.markup import of_rich_text
from bot.playground.page.mrkdwn import Names, drawn, in_lines, in_words, may_link, mrkdwn
from bot.playground.page.templating import draw
from bot.playground.slack.records import Message, View

Piece = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pen:
    """What the templates call to draw a text, in the names of one workspace."""

    names: Names

    def text(self, piece: Piece) -> Markup:
        """A text object of either kind."""
        if piece["type"] == "mrkdwn":
            return mrkdwn(piece["text"], self.names, verbatim=piece.get("verbatim", False))
        return in_lines(self.label(piece))

    def label(self, piece: Piece) -> str:
        """A text object as it is read out."""
        text: str = piece["text"]
        if piece["type"] == "mrkdwn":
            return in_words(text, self.names)
        return with_emoji(text) if piece.get("emoji", True) else text

    def rich(self, elements: Iterable[Piece]) -> Markup:
        """The inline elements of a rich text's section."""
        return drawn(of_rich_text(each, self.names.named) for each in elements)

    def confirm(self, asked: Piece) -> str:
        """What the page's script asks before it presses the button, as JSON."""
        spoken = {
            key: self.label(asked[key])
            for key in ("title", "text", "confirm", "deny")
            if key in asked
        }
        usual = {"confirm": "Yes", "deny": "Cancel", "style": asked.get("style", "primary")}
        return json.dumps(usual | spoken, ensure_ascii=False)

    @staticmethod
    def picture(address: str) -> bool:
        """Whether an image may be loaded from there."""
        return may_link(address) and address.lower().startswith("http")


def draw_message(message: Message, names: Names) -> Markup:
    """A message's blocks, or its text where it has none."""
    if not message.blocks:
        return Markup('<div class="bk-text">{}</div>').format(mrkdwn(message.text, names))
    return _blocks(message.blocks, names, f"{message.channel}-{message.ts}")


def draw_view(view: View, names: Names) -> Markup:
    """What a modal or an App Home shows and asks for."""
    return _blocks(view.blocks, names, view.id)


def _blocks(blocks: tuple[Piece, ...], names: Names, scope: str) -> Markup:
    """Ids and names of controls begin with ``scope``: a page shows many messages at once."""
    people = sorted(names.people.items(), key=lambda pair: pair[1])
    return draw(
        "blocks.html", blocks=blocks, scope=scope, pen=Pen(names), people=people, may_link=may_link
    )
