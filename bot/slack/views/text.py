"""How foreign words are put into Slack messages: as text, never as markup, never as a mention.

Slack reads ``<!channel>``, ``<@U1>``, ``*bold*``, ``:emoji:`` and links in every mrkdwn text. What
people, providers and registries wrote goes through ``plain`` (for ``plain_text`` elements) or
``escaped`` (for mrkdwn); nothing else may put foreign words into a message. The rules follow
https://docs.slack.dev/messaging/formatting-message-text/ .
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta

from bot.model.deployment import Image, Person, Target

#: Slack's limits, in characters.
HEADER, SECTION, FIELD, TEXT, BUTTON, OPTION, TITLE, ALT = 150, 3000, 2000, 4000, 75, 75, 24, 1000

MINUTE, HOUR, DAY = 60, 3600, 86400

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LOOKALIKES = {
    "*": "\N{ASTERISK OPERATOR}",
    "~": "\N{TILDE OPERATOR}",
    "`": "\N{MODIFIER LETTER GRAVE ACCENT}",
}
# An underscore inside a word is harmless, and branch names are full of them.
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# No emoji begins after a digit, as in a time of day.
_EMOJI = re.compile(r"(?<![0-9]):(?=[a-z0-9_+'-]+:)", re.IGNORECASE)
_SLACK_USER = re.compile(r"[UW][A-Z0-9]{1,20}")
_SLACK_GROUP = re.compile(r"S[A-Z0-9]{1,20}")
_SLACK_CHANNEL = re.compile(r"[CG][A-Z0-9]{1,20}")
_MENTION = re.compile(
    r"&lt;(@[UW][A-Z0-9]{1,20}|!subteam\^S[A-Z0-9]{1,20}|#[CG][A-Z0-9]{1,20})&gt;"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def plain(value: str, limit: int, *, lines: bool = False) -> str:
    """Without control, zero-width and direction-changing characters, and at most ``limit`` long.

    Line ends become spaces unless ``lines``.
    """
    kept = "".join(_visible(char, lines=lines) for char in value[: 4 * limit])
    kept = kept.strip() if lines else " ".join(kept.split())
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def _visible(char: str, *, lines: bool) -> str:
    if char == "\n" and lines:
        return char
    if char.isspace():
        return " "
    # Cc control, Cf zero-width and bidirectional, Cs surrogates, Co private use, Cn unassigned.
    return "" if unicodedata.category(char).startswith("C") else char


def escaped(value: str, limit: int = 300) -> str:
    """``value`` for mrkdwn, shown as it was written; the answer is at most ``limit`` long."""
    text = _EMOJI.sub("\N{MODIFIER LETTER COLON}", plain(value, limit))
    text = _UNDERSCORE.sub("\N{MODIFIER LETTER LOW MACRON}", text)
    safe = [_ENTITIES.get(char) or _LOOKALIKES.get(char) or char for char in text]
    if sum(map(len, safe)) <= limit:
        return "".join(safe)
    shown, room = "", limit - 1
    for char in safe:
        if len(char) > room:
            break
        shown += char
        room -= len(char)
    return shown + "…"


def advice(value: str, limit: int = 2900) -> str:
    """``escaped``, but the mentions with which a policy says who can help are mentions."""
    return _MENTION.sub(r"<\1>", escaped(value.replace("`", ""), limit))


def preformatted(value: str, limit: int = SECTION) -> str:
    """``value`` as a mrkdwn code block of at most ``limit`` characters, cut at a line end."""
    note = "\n… (shortened)"
    room = limit - len("```\n\n```") - len(note)
    lines: list[str] = []
    for line in plain(value, 10 * limit, lines=True).split("\n"):
        safe = "".join(_ENTITIES.get(char, char) for char in line).replace("`", _LOOKALIKES["`"])
        if room < len(safe) + 1:
            return "```\n" + "\n".join(lines) + note + "\n```"
        lines.append(safe)
        room -= len(safe) + 1
    return "```\n" + "\n".join(lines) + "\n```"


def bounded(text: str, limit: int) -> str:
    """Our own mrkdwn, cut at a line end so that no entity or token is cut in two."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    cut = head.rfind("\n")
    return (head[:cut] if cut > 0 else re.sub(r"[&<][^;>]*$", "", head)) + "…"


def person(who: Person) -> str:
    """A mention of a Slack user, else the name."""
    if _SLACK_USER.fullmatch(who.id):
        return f"<@{who.id}>"
    return escaped(who.name or who.id, 80)


def group(group_id: str) -> str:
    """A mention of a user group."""
    if _SLACK_GROUP.fullmatch(group_id):
        return f"<!subteam^{group_id}>"
    return escaped(group_id, 80)


def channel(channel_id: str) -> str:
    """A link to a channel; direct messages have none."""
    if _SLACK_CHANNEL.fullmatch(channel_id):
        return f"<#{channel_id}>"
    return "the direct message"


def target(of: Target) -> str:
    """``backend on staging`` would be ambiguous for odd names; the audit trail's form is not."""
    return escaped(str(of), 90)


def moment(at: datetime, form: str = "{date_short_pretty} {time}") -> str:
    """A time that Slack shows in the reader's own zone; the fallback is UTC."""
    utc = at.astimezone(UTC)
    return f"<!date^{int(utc.timestamp())}^{form}|{utc:%Y-%m-%d %H:%M} UTC>"


def lasting(span: timedelta) -> str:
    """``42s``, ``3m 05s``, ``2h 10m``, ``3d 4h``."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < MINUTE:
        return f"{seconds}s"
    if seconds < HOUR:
        return f"{seconds // MINUTE}m {seconds % MINUTE:02}s"
    if seconds < DAY:
        return f"{seconds // HOUR}h {seconds % HOUR // MINUTE:02}m"
    return f"{seconds // DAY}d {seconds % DAY // HOUR}h"


def short_digest(digest: str) -> str:
    """The first twelve hex digits, which is what ``docker images`` shows."""
    return escaped(digest.removeprefix("sha256:")[:12], 12)


def short_ref(ref: str) -> str:
    """What was typed; a full commit sha in its usual seven digits, a digest in twelve."""
    if _COMMIT.fullmatch(ref):
        return ref[:7]
    if ref.startswith("sha256:"):
        return short_digest(ref)
    return escaped(ref, 80)


def image(of: Image | None) -> str:
    """``v1.2.3 (0123456789ab)``, or a word for nothing that can be named."""
    if of is None:
        return "unknown"
    ref, digest = short_ref(of.ref), short_digest(of.digest)
    return digest if ref in {"", digest} else f"{ref} ({digest})"


def change(before: Image | None, after: Image) -> str:
    """``from → to``."""
    return f"{image(before)} → {image(after)}"
