"""One line as the builders of commands see it: positions, options, and how to correct a word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from bot.commands.grammar import COMMANDS, CommandSpec, Option, Takes
from bot.commands.mistakes import Mistake, mistake
from bot.commands.tokens import Flag, Phrase, Token, canonical, phrases
from bot.commands.values import continues_duration, continues_time
from bot.model.catalog import Catalog
from bot.model.wording import plain, quoted

#: Similarity below which a guess would only confuse; 1 is equality.
_ALIKE = 0.78
MAX_SUGGESTION = 1500


def nearest(word: str, candidates: Sequence[str]) -> str:
    """The candidate that was probably meant by ``word``, or an empty string."""
    found = process.extractOne(
        word.casefold(), candidates, scorer=JaroWinkler.normalized_similarity, score_cutoff=_ALIKE
    )
    return found[0] if found is not None else ""


@dataclass(frozen=True, slots=True)
class Line:
    """``text`` is tidy and without slash command or verb; ``options`` are keyed by their names."""

    spec: CommandSpec
    text: str
    positions: tuple[Phrase, ...]
    options: Mapping[str, Token]
    catalog: Catalog
    now: datetime

    def has(self, option: str) -> bool:
        """Whether an option that takes nothing was given."""
        return option in self.options

    def corrected(self, word: Token, replacement: str) -> str:
        """The whole command with ``word`` replaced, or nothing where nothing is to be replaced."""
        return corrected(self.spec, self.text, word, replacement)

    def example(self) -> str:
        """One that works with this catalog."""
        return example(self.spec, self.catalog)

    def usage(self) -> str:
        """How the command is written, and one that works."""
        return usage(self.spec, self.catalog)

    def missing(self, what: str, hint: str = "") -> Exception:
        """The ``UserError`` for a position that was not given."""
        return mistake(
            Mistake.MISSING_ARGUMENT, f"{what} is missing.", f"{hint} {self.usage()}".strip()
        )

    def too_many(self, extra: Phrase) -> Exception:
        """The ``UserError`` for a position that the command does not have."""
        return mistake(
            Mistake.TOO_MANY_ARGUMENTS,
            f"I do not know what to do with {quoted(extra.text)}.",
            f"A reason goes behind --reason. {self.usage()}",
        )

    def single(self, phrase: Phrase) -> Token:
        """The phrase's only word. Raises ``UserError`` for a list."""
        if len(phrase.words) == 1:
            return phrase.words[0]
        raise mistake(
            Mistake.TOO_MANY_ARGUMENTS,
            f"{quoted(phrase.text)} is a list, and one is wanted there.",
            f"Give one at a time. {self.example()}",
        )

    def at_most(self, count: int) -> tuple[Token, ...]:
        """The positions, each a single word. Raises ``UserError`` where there are more."""
        if len(self.positions) > count:
            raise self.too_many(self.positions[count])
        return tuple(self.single(phrase) for phrase in self.positions)


def example(spec: CommandSpec, catalog: Catalog) -> str:
    """The command's first example, about a target that is in this catalog."""
    text = spec.examples[0]
    if catalog.targets:
        sample = catalog.targets[0]
        text = re.sub(r"\bbackend\b", sample.service, text)
        text = re.sub(r"\b(staging|production)\b", sample.environment, text)
    return f"For example: {plain(text)}"


def usage(spec: CommandSpec, catalog: Catalog) -> str:
    """How the command is written, with an example; safe to show anywhere."""
    return f"Write: {plain(spec.usage)} {example(spec, catalog)}"


def corrected(spec: CommandSpec, text: str, word: Token, replacement: str) -> str:
    """The whole command with one word replaced; empty without one, or where it grew too long."""
    if not replacement:
        return ""
    rest = f"{text[: word.start]}{replacement}{text[word.end :]}"
    command = " ".join(filter(None, [spec.slash, spec.verb, rest.strip()]))
    return command if len(command) <= MAX_SUGGESTION else ""


def read_line(
    spec: CommandSpec,
    text: str,
    tokens: Sequence[Token | Flag],
    catalog: Catalog,
    now: datetime,
) -> Line:
    """Sort ``tokens`` into positions and options. Raises ``UserError``."""
    words: list[Token] = []
    options: dict[str, Token] = {}
    rest = list(tokens)
    while rest:
        token = rest.pop(0)
        if isinstance(token, Token):
            words.append(token)
            continue
        option = _option(spec, text, token)
        if option.name in options:
            raise mistake(Mistake.USAGE, f"{option.name} is given twice.", "Give it once.")
        options[option.name] = _value(spec, option, token, rest, text)
    return Line(spec, text, phrases(words), options, catalog, now)


def _named(spec: CommandSpec, name: str) -> Option | None:
    return next((one for one in spec.options if name in (one.name, *one.aliases)), None)


def _option(spec: CommandSpec, text: str, flag: Flag) -> Option:
    option = _named(spec, flag.name)
    if option is not None:
        return option
    guess = nearest(flag.name, [one.name for one in spec.options])
    word = flag.token
    if flag.value is not None:
        word = Token(flag.name, word.start, flag.value.start - 1)
    raise mistake(
        Mistake.UNKNOWN_OPTION,
        f"{spec.slash} {spec.verb}".strip() + f" has no option {quoted(flag.name)}.",
        " ".join(filter(None, [_guess(guess), _elsewhere(flag.name), _options(spec)])),
        corrected(spec, text, word, guess),
    )


def _guess(guess: str) -> str:
    return f"Did you mean {guess}?" if guess else ""


def _elsewhere(name: str) -> str:
    owners = [spec.name for spec in COMMANDS if _named(spec, name) is not None]
    return f"{name} belongs to {', '.join(owners)}." if owners else ""


def _options(spec: CommandSpec) -> str:
    names = ", ".join(option.name for option in spec.options)
    command = f"{spec.slash} {spec.verb}".strip()
    if not names:
        return f"{command} takes no options."
    return f"{command} has {names}. A reason with dashes in it needs quotation marks."


def _value(
    spec: CommandSpec, option: Option, flag: Flag, rest: list[Token | Flag], text: str
) -> Token:
    if option.takes is Takes.NOTHING:
        if flag.value is not None:
            raise mistake(
                Mistake.USAGE, f"{option.name} takes no value.", f"Write it alone: {option.name}"
            )
        return flag.token
    first = flag.value
    if first is None and rest and isinstance(following := rest[0], Token):
        first = following
        rest.pop(0)
    if first is None or not first.text.strip():
        raise mistake(
            Mistake.MISSING_ARGUMENT,
            f"{option.name} needs a value.",
            f"{option.name} {plain(option.metavar)}: {option.summary}.",
        )
    return _whole(spec, option.takes, first, rest, text)


def _whole(
    spec: CommandSpec, takes: Takes, first: Token, rest: list[Token | Flag], text: str
) -> Token:
    """The value with the words that follow it and belong to it."""
    if first.is_quoted or takes is Takes.WORD:
        return first
    last = first
    while rest and _belongs(spec, takes, last, rest[0]):
        following = rest.pop(0)
        last = following if isinstance(following, Token) else following.token
        if takes is not Takes.TEXT:
            break
    return Token(text[first.start : last.end], first.start, last.end)


def _belongs(spec: CommandSpec, takes: Takes, last: Token, following: Token | Flag) -> bool:
    if isinstance(following, Flag):
        # In a text a long dash is a dash, unless it begins an option of this very command.
        unknown = _named(spec, canonical(following.name)) is None
        return takes is Takes.TEXT and following.is_phone and unknown
    if takes is Takes.DURATION:
        return continues_duration(last.text, following.text)
    return takes is Takes.TEXT or continues_time(last.text, following.text)
