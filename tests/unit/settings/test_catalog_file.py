"""Every problem of a catalog at once, each at its line; and hostile files."""

from __future__ import annotations

import json
import os
import pickle
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.grammar import RESERVED
from bot.model.deployment import Target
from bot.model.errors import Misconfigured
from bot.settings.catalog_file import SCHEMA_FILE, check, json_schema, load
from bot.settings.document import MAX_BYTES, Unreadable, parse
from bot.settings.problems import CatalogProblems, Problem

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "quarterdeck.yaml"
BROKEN = Path(__file__).with_name("broken.yaml")

WHOLE = """\
version: 1
services:
  app:
    repository: acme/app
    ecr: {registry: 012345678901, region: eu-central-1, repository: app}
environments:
  staging: {policy: open}
  production: {policy: strict}
policies:
  open: {deployers: {everyone: true}}
  strict: {approvals: 1, approvers: {groups: [S0614TZR7]}}
targets:
  - service: app
    environment: staging
    ecs: {region: eu-central-1, cluster: c, service: app, container: app}
"""


def problems(tmp_path: Path, text: str | bytes) -> tuple[Problem, ...]:
    path = tmp_path / "quarterdeck.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(CatalogProblems) as caught:
        load(path)
    return caught.value.problems


def only(tmp_path: Path, text: str | bytes) -> Problem:
    (problem,) = problems(tmp_path, text)
    return problem


# --- the example --------------------------------------------------------------------------------


def test_the_example_is_a_whole_catalog() -> None:
    catalog = load(EXAMPLE)
    assert set(catalog.services) == {"backend", "analytics", "frontend"}
    assert set(catalog.environments) == {"staging", "production"}
    assert {spec.key for spec in catalog.targets} == {
        Target(service, environment)
        for service in catalog.services
        for environment in catalog.environments
    }
    assert catalog.policy_of(Target("backend", "staging")).approvals == 0
    assert catalog.policy_of(Target("backend", "production")).approvals == 1
    assert catalog.policy_of(Target("frontend", "production")).approvals == 2


def test_the_example_tells_editors_its_schema() -> None:
    first = EXAMPLE.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA_FILE}"


def test_the_committed_schema_is_the_current_one() -> None:
    committed = json.loads((ROOT / SCHEMA_FILE).read_text())
    assert committed == json_schema(), (
        "quarterdeck.schema.json is stale; write it anew from bot.settings.catalog_file.json_schema"
    )


def test_the_schema_explains_every_key_and_refuses_unknown_ones() -> None:
    schema = json_schema()
    parts = [schema, *schema["$defs"].values()]
    for part in parts:
        assert part["additionalProperties"] is False, part["title"]
        for key, about in part["properties"].items():
            referred = [about, *about.get("anyOf", [])]
            references = [option["$ref"] for option in referred if "$ref" in option]
            explained = "description" in about or any(
                "description" in schema["$defs"][reference.rsplit("/", 1)[-1]]
                for reference in references
            )
            assert explained, f"{part['title']}.{key}"


def test_the_schema_shows_how_a_duration_is_written() -> None:
    duration = json_schema()["$defs"]["Policy"]["properties"]["hold_after_rollback"]
    assert duration["type"] == "string"
    assert "1d12h" in duration["examples"]
    assert duration["default"] == "1d"


# --- every problem at once ----------------------------------------------------------------------

EXPECTED = [
    (1, 10, "version", '"2" is not 1'),
    (2, 1, "servces", 'there is no key "servces" here'),
    (
        7,
        17,
        "services.backend.ecr.registry",
        '"12345" is not an AWS account id: twelve digits, such as "123456789012"',
    ),
    (10, 7, "services.backend.ecr.rgion", 'there is no key "rgion" here'),
    (11, 26, "services.backend.aliases[2]", '"locks" is a word of Quarterdeck\'s own commands'),
    (
        12,
        3,
        "services.Front End",
        '"Front End" is not a name of lower case letters, digits and dashes',
    ),
    (13, 17, "services.Front End.repository", '"front" is not a source repository as owner/name'),
    (14, 43, "services.Front End.ecr.region", '"eu" is not an AWS region, such as eu-central-1'),
    (14, 59, "services.Front End.ecr.repository", "it should have at least 2 characters"),
    (15, 3, "services.backend", '"backend" stands here twice, first in line 4'),
    (19, 13, "environments.staging.policy", 'there is no policy "relaxd" in policies'),
    (
        22,
        15,
        "environments.production.aliases[0]",
        '"prod" is an alias in services.backend already, in line 11',
    ),
    (
        22,
        21,
        "environments.production.aliases[1]",
        '"staging" is an environment already, in line 18',
    ),
    (
        25,
        27,
        "policies.relaxed.deployers.everyone",
        '"true" stands here, but true or false is needed here',
    ),
    (
        28,
        36,
        "policies.guarded.approvers.users[1]",
        '"bob" is not a Slack user id, such as U024BE7LH',
    ),
    (
        29,
        29,
        "policies.guarded.approval_expires_after",
        "a duration is written like 30m, 4h or 1d12h",
    ),
    (
        30,
        21,
        "policies.guarded.required_group",
        '"x" is not a Slack user group id, such as S0614TZR7',
    ),
    (
        33,
        15,
        "policies.guarded.freezes[0].cron",
        "a cron expression has five fields: minute hour day-of-month month day-of-week",
    ),
    (
        34,
        19,
        "policies.guarded.freezes[0].duration",
        "it must be longer than 0 and shorter than 366 days",
    ),
    (35, 9, "policies.guarded.freezes[1]", '"cron" and "from" exclude each other'),
    (
        39,
        20,
        "policies.guarded.freezes[2].time_zone",
        '"Europe/Berln": there is no such IANA time zone',
    ),
    (
        41,
        16,
        "policies.guarded.freezes[2].until",
        "there is no such date: day is out of range for month",
    ),
    (42, 9, "policies.guarded.freezes[3]", '"until" must be later than "from"'),
    (45, 9, "policies.guarded.freezes[4]", '"name" is missing'),
    (45, 15, "policies.guarded.freezes[4].cron", "not a cron expression: bad minute"),
    (50, 16, "policies.one.approvals", "whoever may deploy leaves too few others to approve"),
    (
        52,
        21,
        "policies.none.required_group",
        "a group is required to approve, but no approvals are",
    ),
    (54, 14, "targets[0].service", 'there is no service "bakend" in services'),
    (55, 18, "targets[0].environment", 'there is no environment "stagin" in environments'),
    (56, 13, "targets[0].policy", 'there is no policy "gard" in policies'),
    (
        58,
        5,
        "targets[1]",
        "this container of this ECS service is a target already: targets[0] in line 54",
    ),
    (60, 14, "targets[1].timeout", "it should be greater than or equal to 10 seconds"),
    (62, 5, "targets[2]", "backend/staging is a target already: targets[1] in line 58"),
    (64, 10, "targets[2].ecs", "this is a list, but a mapping is needed here"),
    (65, 5, "targets[3]", '"environment" is missing'),
    (65, 5, "targets[3]", '"service" is missing'),
    (65, 5, "targets[3].ecs", "this is empty, but a mapping is needed here"),
]


def test_every_problem_is_told_at_once_and_at_its_line() -> None:
    with pytest.raises(CatalogProblems) as caught:
        load(BROKEN)
    found = [(p.line, p.column, p.path, p.message) for p in caught.value.problems]
    assert found == EXPECTED
    assert {p.file for p in caught.value.problems} == {str(BROKEN)}


@pytest.mark.parametrize(
    ("path", "suggestion"),
    [
        ("servces", 'Did you mean "services"?'),
        ("services.backend.ecr.rgion", 'Did you mean "region"?'),
        ("environments.staging.policy", 'Did you mean "relaxed"?'),
        ("targets[0].service", 'Did you mean "backend"?'),
        ("targets[0].environment", 'Did you mean "staging"?'),
        ("targets[0].policy", 'Did you mean "guarded"?'),
        ("policies.guarded.freezes[2].time_zone", 'Did you mean "Europe/Berlin"?'),
    ],
)
def test_what_was_probably_meant_is_asked(path: str, suggestion: str) -> None:
    with pytest.raises(CatalogProblems) as caught:
        load(BROKEN)
    assert suggestion in [p.suggestion for p in caught.value.problems if p.path == path]


def test_the_error_is_a_fault_of_the_catalog_that_survives_pickling() -> None:
    with pytest.raises(CatalogProblems) as caught:
        load(BROKEN)
    assert isinstance(caught.value, Misconfigured)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert isinstance(again, CatalogProblems)
    assert again.problems == caught.value.problems
    assert again.reason_code == "CATALOG_BROKEN"
    assert str(again) == str(caught.value)


def test_check_prints_them_all_and_exits_2() -> None:
    code, text = check(BROKEN)
    assert code == 2
    assert text.endswith(f"{len(EXPECTED)} problems.")
    for line, column, path, message in EXPECTED:
        assert f"{BROKEN}:{line}:{column}: {path}: {message}\n" in text


def test_check_sums_up_a_whole_catalog_and_exits_0() -> None:
    code, text = check(EXAMPLE)
    assert code == 0
    assert text.endswith("3 services, 2 environments, 6 targets, 3 policies. No problems.")


# --- single rules -------------------------------------------------------------------------------


def test_a_number_keeps_the_zero_it_was_written_with(tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    path.write_text(WHOLE)
    assert load(path).services["app"].ecr.registry == "012345678901"


@pytest.mark.parametrize("word", sorted(word for word in RESERVED if word.isalpha())[:5])
def test_a_command_s_word_is_no_name(tmp_path: Path, word: str) -> None:
    text = WHOLE.replace("  staging:", f"  {word}:").replace(": staging", f": {word}")
    assert "own commands" in " ".join(p.message for p in problems(tmp_path, text))


def test_the_reserved_words_may_be_given(tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    path.write_text(WHOLE)
    with pytest.raises(CatalogProblems, match="own commands"):
        load(path, reserved=frozenset({"app"}))


def test_a_service_may_not_be_called_like_an_environment(tmp_path: Path) -> None:
    text = WHOLE.replace("repository: acme/app", "repository: acme/app\n    aliases: [staging]")
    problem = only(tmp_path, text)
    assert (problem.line, problem.path) == (8, "environments.staging")
    assert problem.message == '"staging" is an alias in services.app already, in line 5'


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("{approvals: 1}", "1 approvals are needed, but nobody may approve"),
        (
            "{approvals: 2, approvers: {users: [U024BE7LH, U024BE7LH]}}",
            "2 approvals are needed, but only 1 may approve",
        ),
        (
            (
                "{approvals: 2, approvers: {users: [U024BE7LH, U024BE7LK]}, "
                "deployers: {users: [U024BE7LK]}}"
            ),
            "whoever may deploy leaves too few others to approve",
        ),
        (
            "{approvals: 0, required_group: S0614TZR7}",
            "a group is required to approve, but no approvals are",
        ),
    ],
)
def test_approvals_that_can_never_be_given(tmp_path: Path, policy: str, message: str) -> None:
    text = WHOLE.replace("{approvals: 1, approvers: {groups: [S0614TZR7]}}", policy)
    assert only(tmp_path, text).message == message


@pytest.mark.parametrize(
    "policy",
    [
        "{approvals: 1, approvers: {everyone: true}}",
        "{approvals: 3, approvers: {users: [U024BE7LH], groups: [S0614TZR7]}}",
        "{approvals: 1, approvers: {users: [U024BE7LH]}}",
        "{approvals: 1, approvers: {users: [U024BE7LH]}, deployers: {users: [U024BE7LH, U9AB]}}",
        (
            "{approvals: 1, self_approval: true, approvers: {users: [U024BE7LH]}, "
            "deployers: {users: [U024BE7LH]}}"
        ),
        "{approvals: 1, approvers: {groups: [S0614TZR7]}, required_group: S0614TZR8}",
    ],
)
def test_approvals_that_somebody_can_give(tmp_path: Path, policy: str) -> None:
    path = tmp_path / "q.yaml"
    path.write_text(WHOLE.replace("{approvals: 1, approvers: {groups: [S0614TZR7]}}", policy))
    assert check(path)[0] == 0


def test_the_same_names_in_another_account_are_another_target(tmp_path: Path) -> None:
    role = "arn:aws:iam::123456789012:role/quarterdeck"
    second = (
        "  - {service: app, environment: production, ecs: {region: eu-central-1, cluster: c, "
        "service: app, container: app%s}}\n"
    )
    path = tmp_path / "q.yaml"
    path.write_text(WHOLE + second % f", role: '{role}'")
    assert check(path)[0] == 0
    assert "this container" in only(tmp_path, WHOLE + second % "").message


def test_an_alias_may_stand_for_a_whole_value(tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    path.write_text(
        WHOLE.replace("groups: [S0614TZR7]", "groups: &g [S0614TZR7]")
        .replace("{everyone: true}", "{groups: [S0614TZR9]}")
        .replace("  strict:", "  other: {deployers: {groups: [S0614TZR7]}}\n  strict:")
        + "announce_in: C024BE91L\n"
    )
    assert load(path).announce_in == "C024BE91L"


# --- files that are no catalog ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "the file is empty"),
        ("# only a comment\n", 1, "the file is empty"),
        ("~\n", 1, "this is empty, but a mapping is needed here"),
        ("just text\n", 1, '"just text" stands here, but a mapping is needed here'),
        ("- version: 1\n", 1, "this is a list, but a mapping is needed here"),
        ("version: 1\n\tservices: {}\n", 2, "not YAML: while scanning"),
        ("version: [1\n", 2, "not YAML: while parsing a flow sequence"),
        ("version: 1\n---\nversion: 1\n", 2, "not YAML: expected a single document"),
        ("version: *nobody\n", 1, "not YAML: found undefined alias"),
        ("a: 1\nb: \x07\n", 2, "not YAML: the character U+0007 is not allowed in text"),
        ('a: "\\UFFFFFFFF"\n', 0, "not YAML: "),
        ("%YAML 9.9\n---\na: 1\n", 1, "not YAML: found incompatible YAML document"),
        ("[" * 100_000, 1, "not YAML: it is nested deeper than 40 levels"),
        ("- " * 100_000, 1, "not YAML: it is nested deeper than 40 levels"),
        (b"version: 1\nname: \xff\xfe\n", 2, "this is not text in UTF-8"),
        (bytes(range(256)), 2, "this is not text in UTF-8"),
    ],
)
def test_a_file_that_is_no_catalog(
    tmp_path: Path, text: str | bytes, line: int, message: str
) -> None:
    problem = only(tmp_path, text)
    assert problem.message.startswith(message)
    assert problem.line == line


def test_tabs_get_a_hint(tmp_path: Path) -> None:
    assert "spaces" in only(tmp_path, "version: 1\n\tservices: {}\n").suggestion


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE.encode())
    assert check(path)[0] == 0


def test_aliases_that_multiply_are_cut_short(tmp_path: Path) -> None:
    rows = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    rows += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefghijk")]
    assert "more than 200,000 values" in only(tmp_path, "\n".join(rows)).message


def test_an_alias_that_contains_itself(tmp_path: Path) -> None:
    found = problems(tmp_path, WHOLE + "x: &x [*x]\n")
    assert (17, "x[0]", "an alias that contains itself") in [
        (p.line + 1, p.path, p.message) for p in found
    ]


def test_tags_construct_nothing(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    text = WHOLE.replace(
        "version: 1", f"version: !!python/object/apply:os.system ['touch {proof}']", 1
    )
    problem = only(tmp_path, text)
    assert "python/object/apply:os.system" in problem.message
    assert problem.line == 1
    assert not proof.exists()


def test_merge_keys_are_refused_where_they_stand(tmp_path: Path) -> None:
    text = WHOLE.replace("  strict:", "  more:\n    <<: {approvals: 1}\n  strict:")
    problem = only(tmp_path, text)
    assert (problem.line, problem.path, problem.message) == (
        12,
        "policies.more",
        '"<<" is not supported',
    )


def test_every_duplicate_key_is_found(tmp_path: Path) -> None:
    found = problems(tmp_path, WHOLE + "version: 1\nversion: 1\ntargets: []\n")
    assert [(p.line, p.path) for p in found] == [(16, "version"), (17, "version"), (18, "targets")]


def test_what_a_file_says_cannot_play_with_the_terminal(tmp_path: Path) -> None:
    text = WHOLE + '"\\e[31mred\\u202e": 1\n'
    _, shown = check_text(tmp_path, text)
    assert shown.replace("\n", "").isprintable()


def check_text(tmp_path: Path, text: str) -> tuple[int, str]:
    path = tmp_path / "quarterdeck.yaml"
    path.write_text(text)
    return check(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    code, text = check(tmp_path / "nowhere.yaml")
    assert code == 2
    assert "there is no such file" in text
    assert "QUARTERDECK_CATALOG" in text


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, Path("/dev/zero")):
        assert "this is not a file" in check(path)[1]
    assert "cannot be read" in check(tmp_path / "file\0name")[1]


def test_a_file_of_a_hundred_megabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(100 * MAX_BYTES)
    assert "larger than 1 MiB" in check(path)[1]


def test_a_file_that_cannot_be_reached(tmp_path: Path) -> None:
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert "it cannot be read: Too many levels of symbolic links" in check(loop)[1]


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("a1: -[]{}&*!|>'\"%@#\n\t\\?,~<xuU\x00\x85é"), max_size=40))
def test_any_text_is_a_document_or_unreadable(text: str) -> None:
    try:
        found = parse("x.yaml", text).problems
    except Unreadable as unreadable:
        found = [unreadable.problem]
    assert all(problem.file == "x.yaml" and problem.message for problem in found)


SPOILERS = st.sampled_from(["", "~", "[]", "{}", "x", "1", "true", "[x]", "{x: 1}", "2026-01-01"])


@settings(max_examples=200, deadline=None)
@given(line=st.integers(0, len(WHOLE.splitlines()) - 1), value=SPOILERS)
def test_any_value_anywhere_gives_problems_with_a_place_or_a_catalog(
    tmp_path_factory: pytest.TempPathFactory, line: int, value: str
) -> None:
    lines = WHOLE.splitlines()
    lines[line] = f"{lines[line].split(':')[0]}: {value}"
    path = tmp_path_factory.mktemp("spoiled") / "q.yaml"
    path.write_text("\n".join(lines))
    try:
        load(path)
    except CatalogProblems as broken:
        found = broken.problems
    else:
        found = (Problem("", 1, 1, "", "none"),)
    assert found
    assert all(1 <= problem.line <= len(lines) + 1 and problem.message for problem in found)
