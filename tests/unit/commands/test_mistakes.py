from __future__ import annotations

import pickle

import pytest

from bot.commands.mistakes import Mistake
from bot.commands.parse import parse
from bot.model.errors import UserError
from tests.unit.commands.parse_cases import CATALOG, NOW, mistake_in

ID = "backend-staging-142"


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("backnd staging", "UNKNOWN_SERVICE", "backnd"),
        ("qqqqqq staging", "UNKNOWN_SERVICE", "qqqqqq"),
        ("statsu", "UNKNOWN_SERVICE", "statsu"),
        ("backend stagng", "UNKNOWN_ENVIRONMENT", "stagng"),
        ("backend v1.2", "UNKNOWN_ENVIRONMENT", "v1.2"),
        ("backend to v1.2", "UNKNOWN_ENVIRONMENT", "v1.2"),
        ("backend,analitics staging", "UNKNOWN_SERVICE", "analitics"),
        ("staging backend", "UNKNOWN_SERVICE", "staging"),
        ("frontend production", "UNKNOWN_TARGET", "frontend"),
        ("backend,frontend production", "UNKNOWN_TARGET", "frontend"),
        ("backend", "MISSING_ARGUMENT", "environment"),
        ("staging", "MISSING_ARGUMENT", "service"),
        ("backend, staging", "MISSING_ARGUMENT", "environment"),
        ("--dry-run", "MISSING_ARGUMENT", "service"),
        ("--reason hot fix backend staging", "MISSING_ARGUMENT", "service"),
        ("backend to", "MISSING_ARGUMENT", "to"),
        ("backend to in staging", "MISSING_ARGUMENT", "to"),
        ("backend staging v1 v2", "TOO_MANY_ARGUMENTS", "v2"),
        ("backend staging v1,v2", "TOO_MANY_ARGUMENTS", "v1,v2"),
        ("backend staging,production", "TOO_MANY_ARGUMENTS", "staging,production"),
        (",".join(f"s{i}" for i in range(21)) + " staging", "TOO_MANY_ARGUMENTS", "21"),
        ("backend staging to production", "AMBIGUOUS", "production"),
        ("backend to staging in production", "AMBIGUOUS", "production"),
        ("backend to staging to production", "AMBIGUOUS", "production"),
        ("v1 of backend of analytics to staging", "AMBIGUOUS", "analytics"),
        ("backend staging --when-green", "UNKNOWN_OPTION", "--when-green"),
        ("backend staging --canary --rolling", "USAGE", "--canary"),
        ("backend staging --raeson x", "UNKNOWN_OPTION", "--raeson"),
        ("backend staging --for 2h", "UNKNOWN_OPTION", "--for"),
        ("backend staging --dry-run=yes", "USAGE", "--dry-run"),
        ("backend staging --dry-run --dry-run", "USAGE", "--dry-run"),
        ("backend staging --reason", "MISSING_ARGUMENT", "--reason"),
        ('backend staging --reason ""', "MISSING_ARGUMENT", "--reason"),
        ("backend staging --reason= --dry-run", "MISSING_ARGUMENT", "--reason"),
        ("backend staging --reason --dry-run", "MISSING_ARGUMENT", "--reason"),
        ('backend staging --reason "x', "UNBALANCED_QUOTE", "x"),
        ("backend staging --reason 'x", "UNBALANCED_QUOTE", "x"),
        ("backend staging “v1", "UNBALANCED_QUOTE", "v1"),
        ("backend staging --reason " + "x" * 501, "TOO_LONG", "501"),
        ("x" * 4001, "TOO_LONG", "4,001"),
        ("x" * 40_000, "TOO_LONG", "40,000"),
        ("backend\x00 staging", "CONTROL_CHARACTER", "NULL"),
        ("backend \x1b[31m staging", "CONTROL_CHARACTER", "ESCAPE"),
        ("backend \u202egnigats", "CONTROL_CHARACTER", "RIGHT-TO-LEFT OVERRIDE"),
        ("backend \ud800 staging", "CONTROL_CHARACTER", "U+D800"),
        ("backend staging -x", "BAD_VERSION", "-x"),
        ("backend staging <!channel>", "BAD_VERSION", "channel"),
        ("backend staging *bold*", "BAD_VERSION", "bold"),
        ("backend staging v1@evil", "BAD_VERSION", "v1@evil"),
        ("backend staging " + "v" * 129, "BAD_VERSION", "vvv"),
        ("backend staging sha256:abc", "BAD_VERSION", "sha256:abc"),
        ("backend staging \u0661\u0662", "BAD_VERSION", "\u0661"),
        ("backend staging previous", "BAD_VERSION", "previous"),
        ("backend production --override-freeze", "OVERRIDE_NEEDS_REASON", "reason"),
        ("rollback backend production", "UNKNOWN_COMMAND", "rollback"),
        ("help lcok", "UNKNOWN_COMMAND", "lcok"),
        ("help flag", "UNKNOWN_COMMAND", "flag"),
        ("queue everything", "TOO_MANY_ARGUMENTS", "everything"),
        ("show", "MISSING_ARGUMENT", "id"),
        ("show 142", "BAD_ID", "142"),
        (f"show {ID} x", "TOO_MANY_ARGUMENTS", "x"),
        ("approve backend", "BAD_ID", "backend"),
        ("approve backend-staging-0", "BAD_ID", "backend-staging-0"),
        (f"approve {ID} --reason x", "UNKNOWN_OPTION", "--reason"),
        ("why", "MISSING_ARGUMENT", "id"),
        ("why backend", "MISSING_ARGUMENT", "environment"),
        ("why frontend production", "UNKNOWN_TARGET", "frontend"),
        ("status backend analytics", "AMBIGUOUS", "analytics"),
        ("status stagin", "UNKNOWN_SERVICE", "stagin"),
        ("status a b c", "TOO_MANY_ARGUMENTS", "c"),
        ("lock backend", "MISSING_ARGUMENT", "environment"),
        ("lock", "MISSING_ARGUMENT", "service"),
        ("lock *", "MISSING_ARGUMENT", "environment"),
        ("lock frontend production", "UNKNOWN_TARGET", "frontend"),
        ("lock backend staging --for 31d", "BAD_DURATION", "31d"),
        ("lock backend staging --for 0m", "BAD_DURATION", "0m"),
        ("lock backend staging --for soon", "BAD_DURATION", "soon"),
        ("lock backend staging --for -2h", "BAD_DURATION", "-2h"),
        ("lock backend staging --for 99999d", "BAD_DURATION", "99999d"),
        ("freeze", "MISSING_ARGUMENT", "environment"),
        ("freeze backend", "UNKNOWN_ENVIRONMENT", "backend"),
        ("freeze production --until 25:00", "BAD_TIME", "25:00"),
        ("freeze production --until whenever", "BAD_TIME", "whenever"),
        ("freeze production --until 2026-03-04T15:00", "BAD_TIME", "2026-03-04"),
        ("freeze production --from 2026-03-04T15:00", "BAD_TIME", "2026-03-04"),
        ("freeze production --until 2030-01-01", "BAD_TIME", "2030"),
        ("freeze production --until 0001-01-01T00:00+23:00", "BAD_TIME", "0001"),
        ("freeze production --from tomorrow 10:00 --until today 18:00", "BAD_TIME", "18:00"),
        ("freeze production --for 2h --until 18:00", "USAGE", "--until"),
        ("audit --by @bob", "UNKNOWN_PERSON", "@bob"),
        ("audit --limit 0", "BAD_NUMBER", "0"),
        ("audit --limit 51", "BAD_NUMBER", "51"),
        ("audit --limit x", "BAD_NUMBER", "x"),
        ("audit --id x", "BAD_ID", "x"),
        ("audit --action <x>", "USAGE", "x"),
    ],
)
def test_each_mistake_is_named_and_has_a_hint(text: str, code: str, named: str) -> None:
    error = mistake_in(text)
    assert error.reason_code == code
    assert named in error.message
    assert error.hint.strip()
    assert error.reason_code in set(Mistake)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("backnd staging", "/deploy backend staging"),
        ("backend stagng --reason a b --dry-run", "/deploy backend staging --reason a b --dry-run"),
        ("backend,analitics staging", "/deploy backend,analytics staging"),
        ("backend prodution", "/deploy backend production"),
        ("v1 of bakend to staging", "/deploy v1 of backend to staging"),
        ('--reason "stagng" backend stagng', '/deploy --reason "stagng" backend staging'),
        ("staging backend v1", "/deploy backend staging v1"),
        ("statsu", "/deploy status"),
        ("quue", "/deploy queue"),
        ("status stagin", "/deploy status staging"),
        ("backend staging --raeson x", "/deploy backend staging --reason x"),
        ("backend staging --raeson=x", "/deploy backend staging --reason=x"),
        ("lock backend stagng --for 2h", "/deploy lock backend staging --for 2h"),
        ("help lcok", "/deploy help lock"),
        ("rollback backend production", "/rollback backend production"),
        ("qqqqqq staging", ""),
        ("backend", ""),
        ("frontend production", ""),
    ],
)  # fmt: skip
def test_what_was_probably_meant_is_offered_as_a_whole(text: str, suggestion: str) -> None:
    assert mistake_in(text).suggestion == suggestion


def test_an_environment_is_never_suggested_out_of_nothing() -> None:
    error = mistake_in("backend")
    assert error.suggestion == ""
    assert "staging, production" in error.hint


def test_other_slash_command_is_pointed_to() -> None:
    assert mistake_in("status", "/rollback").suggestion == "/deploy status"
    assert mistake_in("backend", "/rollback").reason_code == "MISSING_ARGUMENT"
    assert mistake_in("backend,analytics staging", "/rollback").reason_code == "TOO_MANY_ARGUMENTS"
    assert mistake_in("backend staging", "/flag").reason_code == "UNKNOWN_COMMAND"


@pytest.mark.parametrize(
    "typed", ["<!channel>", "*bold*", "~x~", "`x`", "<https://e.io|x.y/z>", "<@U123ABC|x>", "a&b<"]
)
def test_what_was_typed_is_echoed_without_meaning(typed: str) -> None:
    for text in (f"{typed} staging", f"backend {typed}", f"backend staging {typed}&amp;"):
        error = mistake_in(text)
        for said in (error.message, error.hint):
            assert not set("<>*~`&|") & set(said)
            assert "://" not in said


def test_a_long_word_is_echoed_shortened() -> None:
    assert len(mistake_in("x" * 3000 + " staging").message) < 200


def test_a_suggestion_too_long_for_a_button_is_left_out() -> None:
    assert mistake_in("backnd staging v1 " + "x" * 3000).suggestion == ""


def test_alias_of_two_services_is_ambiguous() -> None:
    services = dict(CATALOG.services)
    services["analytics"] = services["analytics"].model_copy(update={"aliases": ("be",)})
    catalog = CATALOG.model_copy(update={"services": services})
    with pytest.raises(UserError) as refused:
        parse("/deploy", "be staging", catalog, NOW)
    assert refused.value.reason_code == "AMBIGUOUS"
    assert "backend or analytics" in refused.value.message


def test_an_empty_catalog_knows_nothing_and_says_so() -> None:
    empty = CATALOG.model_copy(update={"services": {}, "environments": {}, "targets": ()})
    with pytest.raises(UserError) as refused:
        parse("/deploy", "backend staging", empty, NOW)
    assert refused.value.reason_code == "UNKNOWN_SERVICE"


def test_a_mistake_survives_pickling() -> None:
    error = mistake_in("backnd staging")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(again, UserError)
    assert (again.message, again.hint) == (error.message, error.hint)
    assert (again.reason_code, again.suggestion) == (error.reason_code, error.suggestion)
