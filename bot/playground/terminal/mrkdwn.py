"""Slack's mrkdwn as rich text: styles, links, mentions, dates and emoji names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.style import Style
from rich.text import Text

from bot.playground.markup import Kind, Named, Token, tokens

#: What an id reads as: people, groups and channels.
Names = Mapping[str, str]

_MENTION = Style(color="cyan", bold=True)
_LINK = Style(color="blue", underline=True)
_CODE = Style(color="red")
_STYLES = {
    Kind.BOLD: Style(bold=True),
    Kind.ITALIC: Style(italic=True),
    Kind.STRIKE: Style(strike=True),
    Kind.UNDERLINE: Style(underline=True),
    Kind.CODE: _CODE,
    Kind.FENCED: _CODE,
    Kind.PERSON: _MENTION,
    Kind.GROUP: _MENTION,
    Kind.CHANNEL: _MENTION,
    Kind.BROADCAST: _MENTION,
}


def named_in(names: Names) -> Named:
    """What the tokens' reader asks for an id's name; ids of different kinds never meet."""
    return lambda _, identity: names.get(identity, "")


def rich_text(source: str, names: Names) -> Text:
    """Draw a mrkdwn string. What Slack would not format stays as it was typed."""
    return drawn(tokens(source, named_in(names)))


def drawn(found: Iterable[Token]) -> Text:
    """Tokens, one after the other."""
    return Text().join(map(_token, found))


def _token(token: Token) -> Text:
    line = drawn(token.inside) if token.inside else Text(token.shown)
    if token.kind is Kind.QUOTE:
        return Text("\n").join(Text("▏ ").append_text(each) for each in line.split("\n"))
    if token.kind is Kind.LINK:
        line.stylize(_LINK + Style(link=token.target))
    line.stylize(_STYLES.get(token.kind, Style()))
    return line
