from __future__ import annotations

import pytest

from bot.commands.grammar import (
    COMMANDS,
    DEPLOY,
    RESERVED,
    ROLLBACK,
    CommandSpec,
    Takes,
    by_slash,
    by_verb,
    usage_hint,
    verbs,
)
from bot.commands.help import completions, help_text

ISSUE = {
    "status", "queue", "history", "show", "why", "cancel", "retry", "approve", "reject", "lock",
    "unlock", "locks", "freeze", "unfreeze", "pause-all", "resume-all", "whoami", "audit", "help",
}  # fmt: skip


def test_grammar_has_what_is_built_and_no_more() -> None:
    assert set(verbs(DEPLOY)) == ISSUE
    assert verbs(ROLLBACK) == ()
    options = {option.name for spec in COMMANDS for option in spec.options}
    assert not options & {"--when-green", "--at"}


def test_names_and_aliases_are_unique() -> None:
    words = [word for spec in COMMANDS for word in (spec.name, *spec.aliases)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("spec", COMMANDS, ids=lambda spec: spec.name)
def test_options_of_a_command_are_unique_and_say_what_they_take(spec: CommandSpec) -> None:
    names = [name for option in spec.options for name in (option.name, *option.aliases)]
    assert len(names) == len(set(names))
    assert all(name.startswith("--") for name in names)
    assert all(bool(o.metavar) == (o.takes is not Takes.NOTHING) for o in spec.options)


def test_reserved_words_are_all_that_the_parser_gives_a_meaning_to() -> None:
    assert ISSUE <= RESERVED
    assert {"deploy", "rollback", "to", "of", "on", "in", "latest", "previous", "all"} <= RESERVED
    assert not RESERVED & {"backend", "analytics", "frontend", "staging", "production"}


def test_verbs_are_found_in_any_case_and_by_alias() -> None:
    assert by_verb("STATUS") is by_verb("status")
    assert by_verb("pause") is by_verb("pause-all")
    assert by_verb("deploy") is by_slash(DEPLOY)
    assert by_verb("flag") is None


def test_usage_hint_shows_arguments_then_verbs() -> None:
    assert usage_hint(DEPLOY).startswith("<service>[,<service>] <environment> [version] | status")
    assert usage_hint(ROLLBACK) == "<service> <environment> [<id>|<version>|previous]"


def test_help_of_an_unknown_topic_is_the_list() -> None:
    assert help_text("nothing") == help_text("")
    assert help_text("/rollback") == help_text("rollback") != help_text("")


def test_help_has_no_bare_angle_bracket() -> None:
    for topic in ("", *(spec.name for spec in COMMANDS)):
        assert "<" not in help_text(topic)


def test_completion_of_nonsense_is_empty() -> None:
    assert completions("/flag") == ()
