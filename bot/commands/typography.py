"""From what Slack delivers to what the person meant to type: entities, links, phone typography.

Slack escapes ``&``, ``<`` and ``>`` in a command's text and turns what looks like a link into
``<url|label>`` (https://docs.slack.dev/messaging/formatting-message-text). Phones turn two dashes
into one long one and straight quotation marks into curly ones.
"""

from __future__ import annotations

import re
import unicodedata

from bot.commands.mistakes import Mistake, mistake

MAX_TEXT = 4000

_LINK = re.compile(r"<(?P<url>(?:https?://|mailto:|tel:)[^<>|]*)(?:\|(?P<label>[^<>|]*))?>")
_SPACES = "\t\n\r\u00a0\u1680\u202f\u205f\u2028\u2029\u3000" + "".join(
    chr(code) for code in range(0x2000, 0x200B)
)
_TYPOGRAPHY = str.maketrans(
    dict.fromkeys(_SPACES, " ")
    | dict.fromkeys("“”\u201e\u201f«»\uff02", '"')
    | dict.fromkeys("\u2018\u2019\u201a\u201b\uff07", "'")
    # Invisible, pasted by accident: zero-width space, word joiner, byte order mark, soft hyphen.
    | dict.fromkeys("\u200b\u2060\ufeff\u00ad", "")
)
#: Emoji and several scripts are written with these two.
_JOINERS = "\u200c\u200d"
_REFUSED = {"Cc", "Cf", "Cs"}
_CONTROLS = {0: "NULL", 7: "BELL", 8: "BACKSPACE", 11: "VERTICAL TAB", 12: "FORM FEED",
             27: "ESCAPE", 127: "DELETE"}  # fmt: skip


def tidy(text: str) -> str:
    """One line of plain typography, at most ``MAX_TEXT`` characters, without control characters.

    Raises ``UserError`` (``TOO_LONG``, ``CONTROL_CHARACTER``).
    """
    if len(text) > MAX_TEXT:
        raise mistake(
            Mistake.TOO_LONG,
            f"That is {len(text):,} characters; a command has at most {MAX_TEXT:,}.",
            "Shorten the reason, or link to where the rest is written.",
        )
    text = _LINK.sub(_typed, text)
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = text.translate(_TYPOGRAPHY)
    _refuse_controls(text)
    return text.strip()


def _typed(link: re.Match[str]) -> str:
    """What the person typed before Slack made a link of it."""
    url, label = link["url"], link["label"]
    return label if label and url.endswith(label) else url.removeprefix("mailto:")


def _refuse_controls(text: str) -> None:
    for char in text:
        if char not in _JOINERS and unicodedata.category(char) in _REFUSED:
            raise mistake(
                Mistake.CONTROL_CHARACTER,
                f"The text has a control character in it: {_named(char)}.",
                "Type the command by hand instead of pasting it.",
            )


def _named(char: str) -> str:
    code = ord(char)
    return f"{unicodedata.name(char, _CONTROLS.get(code, 'unnamed'))} (U+{code:04X})"
