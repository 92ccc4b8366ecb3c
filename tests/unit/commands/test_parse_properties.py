from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.commands import model
from bot.commands.grammar import COMMANDS, RESERVED
from bot.commands.line import nearest
from bot.commands.parse import parse, parse_mention
from bot.model.deployment import Target
from bot.model.errors import UserError
from tests.unit.commands.parse_cases import CATALOG, NOW

WORDS = [
    *(spec.name for spec in COMMANDS),
    *(option.name for spec in COMMANDS for option in spec.options),
    "backend", "be", "analytics", "staging", "stg", "production", "prod", "prodction", "live",
    "to", "of", "on", "in", "latest", "previous", "v1.2", "*", ",", "—", '"', "“", "'", "=",
    "backend-staging-1", "<@U123ABC|a>", "2h", "14:00", "tomorrow", "&lt;", "\u00a0", "--", "\\",
]  # fmt: skip
SENTENCES = st.lists(
    st.sampled_from(WORDS) | st.text(max_size=4), max_size=8
).flatmap(lambda words: st.sampled_from([" ", ""]).map(lambda glue: glue.join(words)))  # fmt: skip
TEXTS = st.text(max_size=200) | SENTENCES
SLASHES = st.sampled_from(["/deploy", "/rollback", "/other"])


#: What ``typography`` replaces or takes out; texts with it do not arrive letter by letter.
CHANGED = (
    "&<>\u201c\u201d\u201e\u201f«»\uff02\u2018\u2019\u201a\u201b\uff07\u200b\u2060\ufeff\u00ad"
)


def _read(slash: str, text: str) -> model.Command | UserError:
    try:
        return parse(slash, text, CATALOG, NOW)
    except UserError as error:
        return error


def _read_mention(text: str) -> model.Command | UserError:
    try:
        return parse_mention(text, CATALOG, NOW)
    except UserError as error:
        return error


def _targets(command: model.Command | UserError) -> tuple[Target, ...]:
    match command:
        case model.Deploy():
            return command.targets
        case model.Rollback() | model.ExplainTarget():
            return (command.target,)
        case _:
            return ()


@given(SLASHES, TEXTS)
def test_nothing_but_a_usage_error_is_ever_raised(slash: str, text: str) -> None:
    for read in (_read(slash, text), _read_mention(text)):
        if isinstance(read, UserError):
            assert read.message
            assert read.hint


@given(SLASHES, TEXTS)
def test_production_is_only_touched_where_it_was_named(slash: str, text: str) -> None:
    said = text.casefold().translate(dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad")))
    named = any(name in said for name in ("production", "prod", "live"))
    for read in (_read(slash, text), _read_mention(text)):
        touched = {target.environment for target in _targets(read)}
        assert named or "production" not in touched


@given(SENTENCES)
def test_taking_every_suggestion_comes_to_an_end(text: str) -> None:
    slash, steps = "/deploy", 0
    while isinstance(read := _read(slash, text), UserError) and read.suggestion:
        slash, _, text = read.suggestion.partition(" ")
        steps += 1
        assert steps <= 20


@given(
    st.sampled_from(sorted(CATALOG.services)),
    st.integers(min_value=0, max_value=6),
)
def test_a_name_with_one_letter_left_out_is_found_again(name: str, at: int) -> None:
    assert nearest(name[:at] + name[at + 1 :], sorted(CATALOG.services)) == name


@given(st.text(min_size=1, max_size=500))
def test_a_quoted_reason_arrives_whole_or_is_refused(reason: str) -> None:
    typed = reason.replace("\\", "\\\\").replace('"', '\\"')
    read = _read("/deploy", f'backend staging --reason "{typed}"')
    if not isinstance(read, UserError) and not set(reason) & set(CHANGED):
        assert isinstance(read, model.Deploy)
        assert read.reason == " ".join(reason.split())


def test_reserved_words_are_no_names_of_the_example() -> None:
    names = {*CATALOG.services, *CATALOG.environments}
    assert not names & RESERVED
