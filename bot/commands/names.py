"""Finding what the catalog calls a thing, by its name or an alias, and saying so if it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.commands.grammar import verbs
from bot.commands.line import Line, nearest
from bot.commands.mistakes import Mistake, mistake
from bot.commands.tokens import Phrase, Token
from bot.model.catalog import Catalog, Environment, Service
from bot.model.deployment import Target
from bot.model.wording import quoted

MAX_SERVICES = 20
_SHOWN = 10


def _claims(
    word: str, entries: Mapping[str, Service] | Mapping[str, Environment]
) -> tuple[str, ...]:
    """The names that ``word`` stands for; a name itself goes before anybody's alias."""
    wanted = word.casefold()
    if wanted in entries:
        return (wanted,)
    return tuple(name for name, entry in entries.items() if wanted in entry.aliases)


def is_service(catalog: Catalog, word: str) -> bool:
    """Whether ``word`` is a service's name or alias."""
    return bool(_claims(word, catalog.services))


def is_environment(catalog: Catalog, word: str) -> bool:
    """Whether ``word`` is an environment's name or alias."""
    return bool(_claims(word, catalog.environments))


def find_service(line: Line, word: Token) -> str:
    """The service's name. Raises ``UserError`` (``UNKNOWN_SERVICE``, ``AMBIGUOUS``)."""
    found = _claims(word.text, line.catalog.services)
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(word, found)
    words = _spellings(line.catalog.services)
    if not line.spec.verb and word.start == 0 and line.text[word.end :][:1] in {"", " "}:
        words += verbs(line.spec.slash)  # the first word may be a verb with a slip in it
    guess = nearest(word.text, words)
    also = is_environment(line.catalog, word.text)
    raise mistake(
        Mistake.UNKNOWN_SERVICE,
        f"{quoted(word.text)} is an environment, not a service."
        if also
        else f"There is no service {quoted(word.text)}.",
        _hint(line, "" if also else guess, "Services", line.catalog.services),
        "" if also else line.corrected(word, guess),
    )


def find_environment(line: Line, word: Token) -> str:
    """The environment's name. Raises ``UserError`` (``UNKNOWN_ENVIRONMENT``, ``AMBIGUOUS``)."""
    found = _claims(word.text, line.catalog.environments)
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(word, found)
    guess = nearest(word.text, _spellings(line.catalog.environments))
    raise mistake(
        Mistake.UNKNOWN_ENVIRONMENT,
        f"There is no environment {quoted(word.text)}.",
        _hint(line, guess, "Environments", line.catalog.environments),
        line.corrected(word, guess),
    )


def find_services(line: Line, phrase: Phrase) -> tuple[str, ...]:
    """The services of a list, each once, in their order. Raises ``UserError``."""
    if len(phrase.words) > MAX_SERVICES:
        raise mistake(
            Mistake.TOO_MANY_ARGUMENTS,
            f"That is a list of {len(phrase.words)} services; at most {MAX_SERVICES} go at once.",
            "Deploy them in several commands.",
        )
    return tuple(dict.fromkeys(find_service(line, word) for word in phrase.words))


def find_target(line: Line, service: str, environment: str) -> Target:
    """The target of two known names. Raises ``UserError`` (``UNKNOWN_TARGET``)."""
    target = Target(service, environment)
    if line.catalog.spec(target) is not None:
        return target
    places = places_of(line.catalog, service)
    runs = f"It runs in {', '.join(places)}." if places else "It runs nowhere yet."
    raise mistake(
        Mistake.UNKNOWN_TARGET,
        f"{service} does not run in {environment}.",
        f"{runs} Targets are listed in the catalog, quarterdeck.yaml.",
    )


def find_either(line: Line, words: Sequence[Token]) -> tuple[str | None, str | None]:
    """Service and environment from up to two words in any order; either may be left out."""
    service: str | None = None
    environment: str | None = None
    for word in words:
        as_service = is_service(line.catalog, word.text)
        as_environment = is_environment(line.catalog, word.text)
        if as_service and as_environment and len(words) == 1:
            raise _ambiguous(word, (f"service {word.text}", f"environment {word.text}"))
        if as_environment and environment is None and (not as_service or service is not None):
            environment = find_environment(line, word)
        elif as_service and service is None:
            service = find_service(line, word)
        else:
            raise _neither(line, word)
    if service is not None and environment is not None:
        find_target(line, service, environment)
    return service, environment


def places_of(catalog: Catalog, service: str) -> tuple[str, ...]:
    """The environments a service runs in, in the catalog's order."""
    return tuple(spec.environment for spec in catalog.targets if spec.service == service)


def _neither(line: Line, word: Token) -> Exception:
    catalog = line.catalog
    if is_service(catalog, word.text) or is_environment(catalog, word.text):
        return mistake(
            Mistake.AMBIGUOUS,
            f"{quoted(word.text)} is one too many of its kind.",
            f"Name at most one service and one environment. {line.example()}",
        )
    guess = nearest(word.text, [*_spellings(catalog.services), *_spellings(catalog.environments)])
    return mistake(
        Mistake.UNKNOWN_SERVICE,
        f"{quoted(word.text)} is neither a service nor an environment.",
        f"{_hint(line, guess, 'Services', catalog.services)} Environments:"
        f" {', '.join(catalog.environments)}.",
        line.corrected(word, guess),
    )


def _ambiguous(word: Token, meanings: Sequence[str]) -> Exception:
    return mistake(
        Mistake.AMBIGUOUS,
        f"{quoted(word.text)} may mean {' or '.join(meanings)}.",
        "Write the full name.",
    )


def _spellings(entries: Mapping[str, Service] | Mapping[str, Environment]) -> list[str]:
    return [word for name, entry in entries.items() for word in (name, *entry.aliases)]


def _hint(
    line: Line,
    guess: str,
    title: str,
    entries: Mapping[str, Service] | Mapping[str, Environment],
) -> str:
    shown, more = list(entries)[:_SHOWN], len(entries) - _SHOWN
    listed = ", ".join(shown) + (f" and {more} more" if more > 0 else "")
    parts = [f"Did you mean {guess}?" if guess else "", f"{title}: {listed}.", line.example()]
    return " ".join(filter(None, parts))
