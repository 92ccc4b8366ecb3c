"""Block Kit as HTML: messages, modals and App Homes, with real controls."""

from __future__ import annotations

import json
import re
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
_FILE = re.compile(r"F[A-Z0-9]{1,30}")


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
    def source(image: Piece) -> str:
        """Where an image is loaded from: the web, or this page's own server for what was uploaded.

        Empty where it may not be.
        """
        if "slack_file" in image:
            return file_address(str(image["slack_file"].get("id", "")))
        address: str = image["image_url"]
        return address if may_link(address) and address.lower().startswith("http") else ""


def file_address(identity: str) -> str:
    """The path of an uploaded file on the page's server; empty for what is no file's id."""
    return f"/files/{identity}" if _FILE.fullmatch(identity) else ""


def draw_message(message: Message, names: Names) -> Markup:
    """A message's blocks, or its text where it has none."""
    shared = [
        {"type": "image", "slack_file": {"id": each}, "alt_text": each} for each in message.files
    ]
    scope = f"{message.channel}-{message.ts}"
    if not message.blocks:
        said = Markup('<div class="bk-text">{}</div>').format(mrkdwn(message.text, names))
        return said + _blocks(tuple(shared), names, scope) if shared else said
    return _blocks((*message.blocks, *shared), names, scope)


def draw_view(view: View, names: Names) -> Markup:
    """What a modal or an App Home shows and asks for."""
    return _blocks(view.blocks, names, view.id)


def _blocks(blocks: tuple[Piece, ...], names: Names, scope: str) -> Markup:
    """Ids and names of controls begin with ``scope``: a page shows many messages at once."""
    people = sorted(names.people.items(), key=lambda pair: pair[1])
    return draw(
        "blocks.html", blocks=blocks, scope=scope, pen=Pen(names), people=people, may_link=may_link
    )
