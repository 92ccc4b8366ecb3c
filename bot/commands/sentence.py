"""Which word is the service, which the environment, which the version.

Without small words the order decides: service, environment, version. With them they decide: "v1.2
of backend to staging". What could be read in two ways is refused; no environment is ever guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.commands.grammar import FILLERS
from bot.commands.line import Line
from bot.commands.mistakes import Mistake, mistake
from bot.commands.names import find_service, is_environment, is_service, places_of
from bot.commands.tokens import Phrase, Token
from bot.model.wording import quoted


@dataclass(slots=True)
class Places:
    """The positions found so far; ``goal`` follows "to" and is not known to be an environment."""

    service: Phrase | None = None
    environment: Phrase | None = None
    version: Phrase | None = None
    goal: Phrase | None = None
    is_claimed: bool = False


def without_fillers(phrases: Sequence[Phrase]) -> tuple[Phrase, ...]:
    """For commands whose words cannot be mistaken for each other."""
    return tuple(phrase for phrase in phrases if not is_filler(phrase))


def is_filler(phrase: Phrase) -> bool:
    """Whether the phrase is one of the small words, unquoted."""
    word = phrase.words[0]
    return len(phrase.words) == 1 and not word.is_quoted and word.text.casefold() in FILLERS


def place(line: Line) -> Places:
    """Sort the positions of a deploy or rollback. Raises ``UserError``."""
    places = Places()
    bare: list[Phrase] = []
    rest = list(line.positions)
    while rest:
        phrase = rest.pop(0)
        if not is_filler(phrase):
            bare.append(phrase)
        elif not rest or is_filler(rest[0]):
            raise line.missing(f"What comes after {quoted(phrase.text)}")
        else:
            _claim(line, places, phrase.text.casefold(), rest.pop(0))
    _fill(line, places, bare)
    _refuse_two_meanings(line, places)
    return places


def _claim(line: Line, places: Places, filler: str, phrase: Phrase) -> None:
    """Put the phrase where the small word before it says."""
    slot = {"of": "service", "in": "environment", "on": "environment"}.get(filler)
    if slot is None:
        slot = "environment" if is_environment(line.catalog, phrase.text) else "goal"
    if getattr(places, slot) is not None:
        raise _two(line, getattr(places, slot), phrase)
    setattr(places, slot, phrase)
    places.is_claimed = places.is_claimed or slot == "environment"


def _fill(line: Line, places: Places, bare: list[Phrase]) -> None:
    """The words without a small word, in their order; then what "to" meant is clear."""
    if places.service is None and bare:
        places.service = bare.pop(0)
    if places.goal is not None:
        _settle_goal(line, places, bare)
    if places.environment is None and bare:
        places.environment = bare.pop(0)
    if places.version is None and bare:
        places.version = bare.pop(0)
    if bare:
        raise line.too_many(bare[0])


def _settle_goal(line: Line, places: Places, bare: Sequence[Phrase]) -> None:
    is_placed = places.environment is not None or (
        bool(bare) and is_environment(line.catalog, bare[0].text)
    )
    if is_placed:
        places.version = places.goal
    else:
        places.environment = places.goal


def _refuse_two_meanings(line: Line, places: Places) -> None:
    version = places.version
    if places.is_claimed and version is not None and is_environment(line.catalog, version.text):
        raise _two(line, places.environment or version, version)


def _two(line: Line, one: Phrase, other: Phrase) -> Exception:
    return mistake(
        Mistake.AMBIGUOUS,
        f"{quoted(one.text)} and {quoted(other.text)} both stand where one is wanted.",
        f"Name one service, one environment and one version. {line.example()}",
    )


def environment_of(line: Line, places: Places) -> Token:
    """The word that names the environment. Raises ``UserError`` (``MISSING_ARGUMENT``)."""
    if places.service is None:
        raise line.missing("The service")
    if places.environment is None:
        raise _without_environment(line, places.service)
    environment = line.single(places.environment)
    _refuse_swapped(line, line.single(Phrase(places.service.words[:1])), environment)
    return environment


def _without_environment(line: Line, phrase: Phrase) -> Exception:
    last = phrase.words[-1]
    if is_environment(line.catalog, last.text) and not is_service(line.catalog, last.text):
        comma = " The comma makes it one more service." if phrase.words[1:] else ""
        what = "The environment" if comma else "The service"
        return line.missing(what, f"{quoted(last.text)} is an environment.{comma}")
    service = find_service(line, last)
    places = ", ".join(places_of(line.catalog, service))
    runs = f"{service} runs in {places}." if places else f"{service} runs nowhere yet."
    return line.missing("The environment", f"{runs} None is assumed.")


def _refuse_swapped(line: Line, service: Token, environment: Token) -> None:
    catalog = line.catalog
    is_right = is_service(catalog, service.text) or is_environment(catalog, environment.text)
    if is_right or not is_environment(catalog, service.text):
        return
    if not is_service(catalog, environment.text):
        return
    raise mistake(
        Mistake.UNKNOWN_SERVICE,
        f"{quoted(service.text)} is an environment and {quoted(environment.text)} a service.",
        f"The service comes first. {line.example()}",
        _swapped(line, service, environment),
    )


def _swapped(line: Line, service: Token, environment: Token) -> str:
    first, second = sorted((service, environment), key=lambda word: word.start)
    between = line.text[first.end : second.start]
    both = Token("", first.start, second.end)
    return line.corrected(both, f"{second.text}{between}{first.text}")
