"""Emoji by the names that Slack gives them."""

from __future__ import annotations

import re

from rich.emoji import Emoji, NoEmoji

_NAME = re.compile(r":([a-z0-9_+'-]+):")
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
    "octagonal_sign": "🛑",
    "ice_cube": "🧊",
    "large_green_circle": "🟢",
    "large_yellow_circle": "🟡",
    "large_orange_circle": "🟠",
    "shrug": "🤷",
    "face_palm": "🤦",
    "upside_down_face": "🙃",
} | {f"skin-tone-{tone}": chr(0x1F3FB + tone - 2) for tone in range(2, 7)}


def character(name: str) -> str:
    """The character of an emoji's name; nothing where none is known."""
    known = _SLACK_EMOJI.get(name)
    if known is not None:
        return known
    try:
        return str(Emoji(name))
    except NoEmoji:
        return ""


def with_emoji(plain: str) -> str:
    """A plain text, its emoji names as characters and all else as it was typed."""
    return _NAME.sub(lambda found: character(found[1]) or found[0], plain)
