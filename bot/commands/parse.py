"""The one parser, for slash commands, mentions and direct messages."""

from __future__ import annotations

import re
from datetime import datetime

from bot.commands import model
from bot.commands.builders import BUILDERS
from bot.commands.grammar import COMMANDS, DEPLOY, CommandSpec, by_slash, by_verb
from bot.commands.line import MAX_SUGGESTION, nearest, read_line
from bot.commands.mistakes import Mistake, mistake
from bot.commands.tokens import Flag, Token, scan
from bot.commands.typography import tidy
from bot.model.catalog import Catalog
from bot.model.wording import quoted

_FIRST = re.compile(r"(?P<word>/?[A-Za-z?][A-Za-z-]*)(?=\s|$)\s*")


def parse(slash: str, text: str, catalog: Catalog, now: datetime) -> model.Command:
    """What ``slash`` followed by ``text`` asks for. ``now`` is aware.

    Raises ``UserError``: its message names what is wrong, its hint what to type, its suggestion
    may be the whole corrected command. Nothing else is raised, whatever the text.
    """
    text = tidy(text)
    try:
        spec = by_slash(slash)
    except KeyError:
        raise mistake(
            Mistake.UNKNOWN_COMMAND,
            f"There is no command {quoted(slash)}.",
            "/deploy help lists what there is.",
        ) from None
    return _read(*_choose(spec, text), catalog, now)


def parse_mention(text: str, catalog: Catalog, now: datetime) -> model.Command:
    """The same for a message whose leading ``<@U...>`` is gone: ``deploy backend staging``.

    Nothing but the mention asks for help. Raises as ``parse`` does; a message that begins with no
    command is refused rather than taken for a deployment.
    """
    text = tidy(text).lstrip(":, ")
    if text in {"", "--help", "-h"}:
        return model.ShowHelp()
    first = _FIRST.match(text)
    named = by_verb(first["word"].removeprefix("/")) if first else None
    if first is None or named is None:
        raise _not_a_command(text)
    slash = by_slash(named.slash) if not named.verb else by_slash(DEPLOY)
    rest = text if named.verb else text[first.end() :]
    return _read(*_choose(slash, rest), catalog, now)


def _not_a_command(text: str) -> Exception:
    word, _, rest = text.partition(" ")
    guess = nearest(word.removeprefix("/"), [spec.name for spec in COMMANDS])
    spec = by_verb(guess)
    meant = f"{spec.slash} {spec.verb} {rest}" if spec is not None else ""
    return mistake(
        Mistake.UNKNOWN_COMMAND,
        f"{quoted(word)} is not a command.",
        f"{f'Did you mean {guess}? ' if guess else ''}Begin with one, for example: deploy backend"
        " staging. help lists them all.",
        " ".join(meant.split()) if len(meant) <= MAX_SUGGESTION else "",
    )


def _choose(spec: CommandSpec, text: str) -> tuple[CommandSpec, str]:
    """The command that the first word names, and the text behind it."""
    first = _FIRST.match(text)
    if first is None:
        return spec, text
    named = by_verb(first["word"].removeprefix("/"))
    if named is None:
        return spec, text
    if named.slash != spec.slash and named.name != "help":
        _refuse_foreign(spec, named, text)
    return named, text[first.end() :]


def _refuse_foreign(spec: CommandSpec, named: CommandSpec, text: str) -> None:
    suggestion = f"{named.slash} {text[len(named.slash) :] if not named.verb else text}"
    raise mistake(
        Mistake.UNKNOWN_COMMAND,
        f"{named.name} is not part of {spec.slash}.",
        f"It is typed {named.slash} {named.verb}".strip() + ".",
        " ".join(suggestion.split()) if len(suggestion) <= MAX_SUGGESTION else "",
    )


def _read(spec: CommandSpec, text: str, catalog: Catalog, now: datetime) -> model.Command:
    tokens = scan(text)
    if _asks_for_help(tokens):
        return model.ShowHelp(spec.name)
    return BUILDERS[spec.name](read_line(spec, text, tokens, catalog, now))


def _asks_for_help(tokens: tuple[Token | Flag, ...]) -> bool:
    """``--help`` or ``-h`` before any other option: behind one it may belong to a reason."""
    for token in tokens:
        if isinstance(token, Flag):
            return token.name == "--help"
        if token.text == "-h" and not token.is_quoted:
            return True
    return False
