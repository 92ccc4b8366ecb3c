"""How something a person typed is quoted in our sentences: as text, wherever it is shown.

Sentences travel to mrkdwn, to plain text, to the terminal and to the audit trail. Entities would be
shown escaped twice in some of them, so what Slack would interpret is replaced by its look-alikes
instead: the result contains nothing that any of these places gives a meaning to.
"""

from __future__ import annotations

import unicodedata

from bot.model.deployment import Status

#: What starts a mention, a link, bold, italics, strike-through or code in Slack's mrkdwn.
_LOOK_ALIKES = str.maketrans(
    {
        "<": "\u2039",
        ">": "\u203a",
        "&": "\uff06",
        "*": "\u2217",
        "~": "\u223c",
        "`": "'",
        "|": "¦",
        "“": '"',
        "”": '"',
    }
)
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: str, limit: int = 500) -> str:
    """``text`` on one line, at most ``limit`` characters, meaning nothing to Slack."""
    seen = "".join("�" if unicodedata.category(char) in _UNSEEN else char for char in text)
    line = " ".join(seen.translate(_LOOK_ALIKES).split()).replace("://", ":\u2044\u2044")
    return line if len(line) <= limit else line[: limit - 1] + "…"


#: What a deployment did in the end, where its state is no verb of its own: "it failed".
_ENDED = {
    Status.ROLLED_BACK: "was rolled back",
    Status.CANCELLED: "was cancelled",
    Status.SUPERSEDED: "was superseded",
    Status.OUTCOME_UNKNOWN: "ended, and nobody knows how",
    Status.REJECTED: "was rejected",
    Status.REFUSED: "was refused",
}
_GOES_ON = frozenset({Status.AWAITING_APPROVAL, Status.QUEUED, Status.RUNNING})


def ended(status: Status) -> str:
    """The state as the rest of a sentence about the deployment: ``is running``, ``failed``."""
    word = status.value.replace("_", " ")
    return f"is {word}" if status in _GOES_ON else _ENDED.get(status, word)


def quoted(text: str, limit: int = 80) -> str:
    """The same between curly quotation marks, short enough for a sentence."""
    return f"“{plain(text, limit)}”"
