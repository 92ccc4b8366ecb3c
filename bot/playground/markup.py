"""Slack's mrkdwn and rich text as tokens: what a terminal and a page both draw.

Source: https://docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from bot.playground.emoji import character


class Kind(StrEnum):
    """What a token is. A styled one or a quote has others inside."""

    TEXT = "text"
    BOLD = "bold"
    ITALIC = "italic"
    STRIKE = "strike"
    UNDERLINE = "underline"
    CODE = "code"
    FENCED = "fenced"
    QUOTE = "quote"
    EMOJI = "emoji"
    PERSON = "person"
    GROUP = "group"
    CHANNEL = "channel"
    BROADCAST = "broadcast"
    DATE = "date"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a text. ``shown`` is what is read; ``target`` an id, an address or a time."""

    kind: Kind
    shown: str
    target: str = ""
    inside: tuple[Token, ...] = ()


#: What an id reads as, or nothing where it is unknown.
Named = Callable[[Kind, str], str]

_FENCE = re.compile(r"```(.+?)```", re.DOTALL)
_QUOTED = re.compile(r"(?:>|&gt;) ?")
# Atomic, so that a style neither ends within code or a link nor is searched for twice.
_INSIDE = r"(?=\S)(?P<{0}>(?>`[^`\n]+`|<[^<>\n]+>|[^\n])+?)(?<=\S)"
_EDGE_BEFORE, _EDGE_AFTER = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_TOKENS = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<special>[^<>\n]+)>"
    rf"|{_EDGE_BEFORE}\*{_INSIDE.format('bold')}\*{_EDGE_AFTER}"
    rf"|{_EDGE_BEFORE}_{_INSIDE.format('italic')}_{_EDGE_AFTER}"
    rf"|{_EDGE_BEFORE}~{_INSIDE.format('strike')}~{_EDGE_AFTER}"
    r"|:(?P<emoji>[a-z0-9_+'-]+):"
    r"|\b(?P<bare>https?://(?:[^\s<>&*`|]|&amp;)*(?:[^\s<>&*`|.,:;!?)'\"_~]|&amp;))"
)

#: What rich text calls the kinds of mentions.
_MENTIONED = {"user": Kind.PERSON, "usergroup": Kind.GROUP, "channel": Kind.CHANNEL}


def words(tokens: Iterable[Token]) -> str:
    """What is read, without any style."""
    return "".join(token.shown for token in tokens)


def tokens(source: str, named: Named, *, verbatim: bool = False) -> Iterator[Token]:
    """Read a mrkdwn string. What Slack would not format stays as it was typed.

    ``verbatim`` leaves a bare address alone, which otherwise is a link.
    """
    for at, part in enumerate(_FENCE.split(source)):
        if at % 2:
            yield Token(Kind.FENCED, html.unescape(part).strip("\n"))
        elif part:
            yield from _lines(part, named, verbatim=verbatim)


def _lines(part: str, named: Named, *, verbatim: bool) -> Iterator[Token]:
    """Lines that begin with ``>`` are a quote, together."""
    runs = groupby(part.split("\n"), lambda line: bool(_QUOTED.match(line)))
    for at, (quoted, lines) in enumerate(runs):
        if at:
            yield Token(Kind.TEXT, "\n")
        if not quoted:
            yield from _inline("\n".join(lines), named, verbatim=verbatim)
            continue
        inner = "\n".join(_QUOTED.sub("", line, count=1) for line in lines)
        yield _around(Kind.QUOTE, _inline(inner, named, verbatim=verbatim))


def _around(kind: Kind, inside: Iterable[Token]) -> Token:
    kept = tuple(inside)
    return Token(kind, words(kept), inside=kept)


def _inline(source: str, named: Named, *, verbatim: bool) -> Iterator[Token]:
    at = 0
    for found in _TOKENS.finditer(source):
        if at < found.start():
            yield Token(Kind.TEXT, html.unescape(source[at : found.start()]))
        yield _token(found, named, verbatim=verbatim)
        at = found.end()
    if at < len(source):
        yield Token(Kind.TEXT, html.unescape(source[at:]))


def _token(found: re.Match[str], named: Named, *, verbatim: bool) -> Token:
    kind = str(found.lastgroup)
    inside = found[kind]
    shown = html.unescape(inside)
    match kind:
        case "code":
            return Token(Kind.CODE, shown)
        case "special":
            return _special(inside, named)
        case "emoji":
            return _emoji(inside)
        case "bare":
            return Token(Kind.TEXT if verbatim else Kind.LINK, shown, shown)
        case _:
            return _around(Kind(kind), _inline(inside, named, verbatim=verbatim))


def _emoji(name: str) -> Token:
    known = character(name)
    return Token(Kind.EMOJI, known, name) if known else Token(Kind.TEXT, f":{name}:")


def _special(inside: str, named: Named) -> Token:
    """``<@U1>``, ``<#C1>``, ``<!subteam^S1>``, ``<!date^...>``, ``<!here>`` or a link."""
    target, _, label = (html.unescape(part) for part in inside.partition("|"))
    for prefix, kind in (("@", Kind.PERSON), ("#", Kind.CHANNEL), ("!subteam^", Kind.GROUP)):
        if target.startswith(prefix):
            return _mention(kind, target.removeprefix(prefix), label, named)
    if target.startswith("!date^"):
        return _date(target.removeprefix("!date^"), label)
    if target.startswith("!"):
        return Token(Kind.BROADCAST, f"@{target[1:]}", target[1:])
    return Token(Kind.LINK, label or target, target)


def _mention(kind: Kind, identity: str, label: str, named: Named) -> Token:
    sign = "#" if kind is Kind.CHANNEL else "@"
    shown = named(kind, identity) or label.removeprefix(sign) or identity
    return Token(kind, f"{sign}{shown}", identity)


def _date(rest: str, fallback: str) -> Token:
    stamp, form, link, *_ = [*rest.split("^", 2), "", ""]
    token = moment(stamp, form, fallback)
    return Token(Kind.LINK, token.shown, link) if link else token


def moment(stamp: str, form: str, fallback: str) -> Token:
    """A time, as the reader's clock shows it; the day in words where the format is ``pretty``."""
    try:
        local = datetime.fromtimestamp(int(stamp), UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return Token(Kind.TEXT, fallback)

    def part(found: re.Match[str]) -> str:
        name = found[0].strip("{}")
        if name.startswith("time"):
            return f"{local:%H:%M:%S}" if "secs" in name else f"{local:%H:%M}"
        return _day(local, pretty="pretty" in name)

    shown = re.sub(r"\{(?:date|time)[a-z_]*\}", part, form)
    return Token(Kind.DATE, shown, local.isoformat())


def _day(local: datetime, *, pretty: bool) -> str:
    away = (local.date() - datetime.now(UTC).astimezone().date()).days
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(away) if pretty else None
    return near or f"{local:%d %b %Y}"


def of_rich_text(element: dict[str, Any], named: Named) -> Token:
    """One inline element of a ``rich_text`` block, in its styles."""
    token = _bare(element, named)
    style = element.get("style", {})
    if style.get("code"):
        token = Token(Kind.CODE, token.shown) if token.kind is Kind.TEXT else token
    for kind in (Kind.BOLD, Kind.ITALIC, Kind.STRIKE, Kind.UNDERLINE):
        if style.get(kind):
            token = _around(kind, [token])
    return token


def _bare(element: dict[str, Any], named: Named) -> Token:
    match element["type"]:
        case "text":
            return Token(Kind.TEXT, element["text"])
        case "link":
            return Token(Kind.LINK, element.get("text") or element["url"], element["url"])
        case "emoji":
            return _emoji(element["name"])
        case "date":
            stamp = str(element["timestamp"])
            return moment(stamp, element["format"], element.get("fallback", stamp))
        case "broadcast":
            return Token(Kind.BROADCAST, f"@{element['range']}", element["range"])
        case kind:
            return _mention(_MENTIONED[kind], element[f"{kind}_id"], "", named)
