"""Slack's mrkdwn as rich text: styles, links, mentions, dates and emoji names.

Source: https://docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rich.emoji import Emoji, NoEmoji
from rich.style import Style
from rich.text import Text

#: What an id reads as: people, groups and channels.
Names = Mapping[str, str]

_MENTION = Style(color="cyan", bold=True)
_LINK = Style(color="blue", underline=True)
_CODE = Style(color="red")
_EDGE_BEFORE, _EDGE_AFTER = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_TOKENS = re.compile(
    r"```(?P<block>.+?)```"
    r"|`(?P<code>[^`\n]+)`"
    r"|<(?P<special>[^<>\n]+)>"
    rf"|{_EDGE_BEFORE}\*(?P<bold>[^*\n]+)\*{_EDGE_AFTER}"
    rf"|{_EDGE_BEFORE}_(?P<italic>[^_\n]+)_{_EDGE_AFTER}"
    rf"|{_EDGE_BEFORE}~(?P<strike>[^~\n]+)~{_EDGE_AFTER}"
    r"|:(?P<emoji>[a-z0-9_+-]+):",
    re.DOTALL,
)
#: Slack's names that differ from those of the CLDR, which rich knows.
_SLACK_EMOJI = {
    "white_check_mark": "✅",
    "x": "❌",
    "warning": "⚠️",
    "rocket": "🚀",
    "leftwards_arrow_with_hook": "↩️",
    "hourglass_flowing_sand": "⏳",
    "lock": "🔒",
    "tada": "🎉",
    "no_entry": "⛔",
    "thumbsup": "👍",
    "+1": "👍",
}
_STYLES = {
    "bold": Style(bold=True),
    "italic": Style(italic=True),
    "strike": Style(strike=True),
}


def emoji(name: str) -> str:
    """The character of an emoji's name; the name in colons where none is known."""
    known = _SLACK_EMOJI.get(name)
    if known is not None:
        return known
    try:
        return str(Emoji(name))
    except NoEmoji:
        return f":{name}:"


def rich_text(source: str, names: Names) -> Text:
    """Draw a mrkdwn string. What Slack would not format stays as it was typed."""
    drawn = Text()
    at = 0
    for found in _TOKENS.finditer(source):
        drawn.append(html.unescape(source[at : found.start()]))
        drawn.append_text(_token(found, names))
        at = found.end()
    drawn.append(html.unescape(source[at:]))
    return drawn


def _token(found: re.Match[str], names: Names) -> Text:
    kind = str(found.lastgroup)
    inside = found.group(kind)
    if kind in _STYLES:
        styled = rich_text(inside, names)
        styled.stylize(_STYLES[kind])
        return styled
    if kind == "special":
        return _special(inside, names)
    if kind == "emoji":
        return Text(emoji(inside))
    return Text(html.unescape(inside).strip("\n"), style=_CODE)


def _special(inside: str, names: Names) -> Text:
    """``<@U1>``, ``<#C1>``, ``<!subteam^S1>``, ``<!date^...>``, ``<!here>`` or a link."""
    target, _, label = inside.partition("|")
    kinds: tuple[tuple[str, Callable[[str, str], Text]], ...] = (
        ("@", lambda rest, _: Text(f"@{names.get(rest, rest)}", style=_MENTION)),
        ("#", lambda rest, shown: Text(f"#{names.get(rest, shown or rest)}", style=_MENTION)),
        ("!subteam^", lambda rest, _: Text(f"@{names.get(rest, rest)}", style=_MENTION)),
        ("!date^", _date),
        ("!", lambda rest, _: Text(f"@{rest}", style=_MENTION)),
    )
    for prefix, draw in kinds:
        if target.startswith(prefix):
            return draw(target.removeprefix(prefix), html.unescape(label))
    return Text(html.unescape(label or target), style=_LINK + Style(link=target))


def _date(rest: str, fallback: str) -> Text:
    """A time, as the reader's clock shows it; the day in words where the format is ``pretty``."""
    stamp, _, form = rest.partition("^")
    if not stamp.isdigit():
        return Text(fallback)
    local = datetime.fromtimestamp(int(stamp), UTC).astimezone()

    def part(token: re.Match[str]) -> str:
        name = token.group().strip("{}")
        if name.startswith("time"):
            return f"{local:%H:%M:%S}" if "secs" in name else f"{local:%H:%M}"
        return _day(local, pretty="pretty" in name)

    return Text(re.sub(r"\{(?:date|time)[a-z_]*\}", part, form))


def _day(local: datetime, *, pretty: bool) -> str:
    away = (local.date() - datetime.now(UTC).astimezone().date()).days
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(away) if pretty else None
    return near or f"{local:%d %b %Y}"
