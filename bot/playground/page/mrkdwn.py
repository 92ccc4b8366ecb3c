"""Slack's mrkdwn as HTML. Every foreign word is escaped, every link's scheme is one of four."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from bot.playground.markup import Kind, Token, tokens, words

_LINK: Final = re.compile(r"(?:https?://|mailto:|slack://)[^\s\x00-\x1f]+", re.IGNORECASE)
_BREAK: Final = Markup("<br>")
#: They stand on lines of their own, so the line ends next to them are not drawn.
_PARAGRAPHS: Final = frozenset({Kind.FENCED, Kind.QUOTE})
_MENTION: Final = Markup('<span class="bk-mention">{shown}</span>')
_FORMS: Final = {
    Kind.BOLD: Markup("<strong>{inside}</strong>"),
    Kind.ITALIC: Markup("<em>{inside}</em>"),
    Kind.STRIKE: Markup("<s>{inside}</s>"),
    Kind.UNDERLINE: Markup("<u>{inside}</u>"),
    Kind.CODE: Markup('<code class="bk-code">{shown}</code>'),
    Kind.FENCED: Markup('<pre class="bk-pre"><code>{shown}</code></pre>'),
    Kind.QUOTE: Markup('<blockquote class="bk-quote">{inside}</blockquote>'),
    Kind.EMOJI: Markup(
        '<span class="bk-emoji" role="img" aria-label="{target}" title=":{target}:">{shown}</span>'
    ),
    Kind.PERSON: _MENTION,
    Kind.GROUP: _MENTION,
    Kind.CHANNEL: Markup(
        '<span class="bk-mention bk-channel" data-channel="{target}">{shown}</span>'
    ),
    Kind.BROADCAST: Markup('<span class="bk-mention bk-broadcast">{shown}</span>'),
    Kind.DATE: Markup('<time datetime="{target}" title="{target}">{shown}</time>'),
    Kind.LINK: Markup(
        '<a class="bk-link" href="{target}" target="_blank" rel="noopener noreferrer">{shown}</a>'
    ),
}


@dataclass(frozen=True, slots=True)
class Names:
    """What ids read as."""

    people: Mapping[str, str]
    groups: Mapping[str, str]
    channels: Mapping[str, str]

    def named(self, kind: Kind, identity: str) -> str:
        """The name of that person, group or channel, or nothing where there is none."""
        known = {Kind.PERSON: self.people, Kind.GROUP: self.groups, Kind.CHANNEL: self.channels}
        return known[kind].get(identity, "")


def mrkdwn(text: str, names: Names, *, verbatim: bool = False) -> Markup:
    """Draw a mrkdwn string; ``verbatim`` leaves bare addresses alone."""
    return drawn(tokens(text, names.named, verbatim=verbatim))


def in_words(text: str, names: Names) -> str:
    """A mrkdwn string as it is read out: for names of controls, which hold no markup."""
    return words(tokens(text, names.named))


def in_lines(text: str) -> Markup:
    """A plain text, its line ends kept."""
    return _BREAK.join(text.split("\n"))


def may_link(address: str) -> bool:
    """Whether a click on it cannot run anything in the page."""
    return bool(_LINK.fullmatch(address))


def drawn(found: Iterable[Token]) -> Markup:
    """Tokens, one after the other."""
    row = list(found)
    pieces = []
    for at, token in enumerate(row):
        after = at > 0 and row[at - 1].kind in _PARAGRAPHS
        before = at + 1 < len(row) and row[at + 1].kind in _PARAGRAPHS
        pieces.append(_one(token, after=after, before=before))
    return Markup().join(pieces)


def _one(token: Token, *, after: bool, before: bool) -> Markup:
    if token.kind is Kind.LINK and not may_link(token.target):
        return in_lines(_as_typed(token))
    form = _FORMS.get(token.kind)
    if form is not None:
        return form.format(shown=token.shown, target=token.target, inside=drawn(token.inside))
    shown = token.shown.removeprefix("\n") if after else token.shown
    return in_lines(shown.removesuffix("\n") if before else shown)


def _as_typed(token: Token) -> str:
    label = "" if token.shown == token.target else f"|{token.shown}"
    return f"<{token.target}{label}>"
