"""Cutting one tidy line into words and options. Knows quotes and dashes, but no command."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.commands.mistakes import Mistake, mistake
from bot.model.wording import quoted

#: Hyphens, dashes and minus signs: what keyboards and phones make of ``--``.
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_LONG = "\u2012\u2013\u2014\u2015\u2212"
_OPTION = re.compile(
    rf"(?:[{_DASHES}]{{2,4}}|(?P<long>[{_LONG}]))"
    rf"(?P<name>[A-Za-z][{_DASHES}A-Za-z0-9_]*)(?:=(?P<value>.*))?",
    re.DOTALL,
)
# A quotation begins where a word does (or after ``--option=``) and ends before a space: so the
# apostrophe in "can't" and the inch in 5" are no quotation marks.
_TOKEN = re.compile(
    rf"""
    (?P<head>[{_DASHES}]+[A-Za-z][{_DASHES}\w]*=)?
    (?:
        "(?P<double>(?:[^"\\]|\\.|"(?!\s|$))*)"(?=\s|$)
      | '(?P<single>(?:[^'\\]|\\.|'(?!\s|$))*)'(?=\s|$)
      | (?P<open>["'])
      | (?P<bare>(?:<@[^<>\s|]+(?:\|[^<>|]{{0,80}})?>|\S)+)
      | (?<==)
    )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, where it stands in the line, and whether it was quoted."""

    text: str
    start: int
    end: int
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """An option as typed: its name in ``--dashed-lower-case``; ``value`` where ``=`` gave one.

    ``is_phone`` says that a single long dash began it, which in a text may be just a dash.
    """

    token: Token
    name: str
    value: Token | None
    is_phone: bool


def scan(line: str) -> tuple[Token | Flag, ...]:
    """The words and options of ``line`` in order. Raises ``UserError`` (``UNBALANCED_QUOTE``)."""
    return tuple(_read(match, line) for match in _TOKEN.finditer(line) if match[0])


def _read(match: re.Match[str], line: str) -> Token | Flag:
    if match["open"]:
        raise mistake(
            Mistake.UNBALANCED_QUOTE,
            f"A quotation begins at {quoted(line[match.start() :], 30)} and does not end.",
            "Put the same quotation mark at its end, followed by a space, or leave both out.",
        )
    body, is_quoted = _body(match)
    value = Token(body, match.start("head") + len(match["head"] or ""), match.end(), is_quoted)
    if match["head"] is None and is_quoted:
        return Token(body, match.start(), match.end(), is_quoted=True)
    whole = Token(match[0], match.start(), match.end())
    option = _OPTION.fullmatch(match["head"] or match[0])
    if option is None:
        return whole
    has_value = match["head"] is not None or option["value"] is not None
    return Flag(
        whole, canonical(option["name"]), value if has_value else None, bool(option["long"])
    )


def _body(match: re.Match[str]) -> tuple[str, bool]:
    for group in ("double", "single"):
        if match[group] is not None:
            return re.sub(r"\\([\"'\\])", r"\1", match[group]), True
    return match["bare"] or "", False


def canonical(name: str) -> str:
    """``Dry_Run`` -> ``--dry-run``."""
    return "--" + re.sub(rf"[{_DASHES}_]+", "-", name).strip("-").casefold()


@dataclass(frozen=True, slots=True)
class Phrase:
    """One position of a command: usually one word, or several with commas between them."""

    words: tuple[Token, ...]

    @property
    def text(self) -> str:
        """The words as one, with commas."""
        return ",".join(word.text for word in self.words)


def phrases(tokens: Iterable[Token]) -> tuple[Phrase, ...]:
    """Words joined by commas, with or without spaces around them, become one phrase."""
    found: list[list[Token]] = []
    continues = False
    for token in tokens:
        pieces = _pieces(token)
        joins = continues or (not token.is_quoted and token.text.startswith(","))
        if joins and found:
            found[-1].extend(pieces)
        elif pieces:
            found.append(pieces)
        continues = not token.is_quoted and token.text.endswith(",")
    return tuple(Phrase(tuple(words)) for words in found)


def _pieces(token: Token) -> list[Token]:
    if token.is_quoted:
        return [token]
    return [
        Token(piece[0].strip("`"), token.start + piece.start(), token.start + piece.end())
        for piece in re.finditer(r"[^,]+", token.text)
        if piece[0].strip("`")
    ]
