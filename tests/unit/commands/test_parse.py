from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.commands import model
from bot.commands.grammar import COMMANDS
from bot.commands.parse import parse, parse_mention
from bot.model.deployment import Target
from bot.model.errors import UserError
from tests.unit.commands.parse_cases import (
    CATALOG,
    NOW,
    PRODUCTION,
    STAGING,
    deploy,
    roll_back,
)

BACKEND = model.Deploy((STAGING["backend"],))
V12 = model.Deploy((STAGING["backend"],), "v1.2")


@pytest.mark.parametrize(
    "text",
    [
        "backend staging",
        "  Backend   STAGING ",
        "be stg",
        "API Stg latest",
        "backend to staging",
        "backend on staging",
        "backend in staging",
        "latest of backend to staging",
        "to staging backend",
        "backend staging Latest",
        "deploy backend staging",
        "backend\u00a0staging",
        "back\u200bend staging",
        '"backend" staging',
        "`backend` staging",
        "backend\nstaging",
    ],
)
def test_the_newest_of_a_service_to_an_environment(text: str) -> None:
    assert deploy(text) == BACKEND


@pytest.mark.parametrize(
    "text",
    [
        "backend staging v1.2",
        "v1.2 of backend to staging",
        "v1.2 of backend in staging",
        "backend v1.2 to staging",
        "backend to staging v1.2",
        "to staging v1.2 of backend",
        "backend staging to v1.2",
        "of backend staging v1.2",
        "staging v1.2 of backend",
    ],
)
def test_small_words_say_which_word_is_the_version(text: str) -> None:
    assert deploy(text) == V12


@pytest.mark.parametrize(
    "text",
    [
        "backend,analytics staging",
        "backend, analytics staging",
        "backend ,analytics staging",
        "backend , analytics staging",
        "backend,,analytics staging",
        "be,analytics,backend staging",
        "latest of backend, analytics to staging",
    ],
)
def test_a_list_of_services_each_once(text: str) -> None:
    assert deploy(text) == model.Deploy((STAGING["backend"], STAGING["analytics"]))


DIGEST = "sha256:" + "0af1" * 16


@pytest.mark.parametrize(
    "version", ["v1.2", "9fceb02", DIGEST, "release/2026-03", "1.2.3+build.7", "production", "_x"]
)
def test_versions_that_are_taken_as_typed(version: str) -> None:
    assert deploy(f"backend staging {version}") == replace(BACKEND, version=version)


FULL = model.Deploy((PRODUCTION["backend"],), "v2", "fix the checkout", dry_run=True)


@pytest.mark.parametrize(
    "text",
    [
        'backend production v2 --reason "fix the checkout" --dry-run',
        "backend production v2 --dry-run --reason fix the checkout",
        '--dry-run backend --reason "fix the checkout" production v2',
        'backend production v2 --reason="fix the checkout" --dry-run',
        "backend production v2 --reason 'fix the checkout' --dry-run",
        "backend production v2 --reason “fix the checkout” —dry-run",
        "backend production v2 --reason \u2018fix the checkout\u2019 \u2013dry\u2013run",
        "backend production v2 \u2212\u2212reason fix the checkout ——Dry_Run",
        "backend production v2 —reason fix  the\u00a0checkout -\u2013dryrun",
        "backend production v2 --dry-run --because fix the checkout",
        "v2 of backend to prod --reason fix the checkout --dry-run",
    ],
)
def test_options_in_any_order_and_typography(text: str) -> None:
    assert deploy(text) == FULL


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("it can't wait", "it can't wait"),
        ("“it\u2019s broken”", "it's broken"),
        (r'"say \"hi\""', 'say "hi"'),
        ('5" screens - and more', '5" screens - and more'),
        ("broken — see ticket", "broken — see ticket"),
        ("broken —see ticket", "broken —see ticket"),
        ("R&amp;D &lt;!channel&gt; *now*", "R&D <!channel> *now*"),
        ("see <https://x.io/a|x.io/a> now", "see x.io/a now"),
        ("see <https://x.io/a>", "see https://x.io/a"),
        ("asked by <@U123ABC|Ana Lee>", "asked by <@U123ABC|Ana Lee>"),
        ("line one\nline two", "line one line two"),
        ("\U0001f468\u200d\U0001f4bb works", "\U0001f468\u200d\U0001f4bb works"),
        ("x" * 500, "x" * 500),
    ],
)
def test_reasons_are_kept_as_they_were_meant(typed: str, reason: str) -> None:
    assert deploy(f"backend staging --reason {typed}") == replace(BACKEND, reason=reason)


def test_an_override_carries_its_reason() -> None:
    assert deploy("backend prod --override-freeze --reason outage") == model.Deploy(
        (PRODUCTION["backend"],), reason="outage", override_freeze=True
    )


ID = "backend-staging-142"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", model.OpenDeployForm()),
        ("   ", model.OpenDeployForm()),
        ("deploy", model.OpenDeployForm()),
        ("status", model.ShowStatus()),
        ("STATUS prod", model.ShowStatus(None, "production")),
        ("status be", model.ShowStatus("backend")),
        ("status backend in staging", model.ShowStatus("backend", "staging")),
        ("status staging backend", model.ShowStatus("backend", "staging")),
        ("queue", model.ShowQueue()),
        ("history", model.ShowHistory()),
        ("log web", model.ShowHistory("frontend")),
        (f"show {ID}", model.ShowDeployment(ID)),
        (f"show `{ID.upper()}`", model.ShowDeployment(ID)),
        (f"why {ID}", model.ExplainDeployment(ID)),
        ("why be prod", model.ExplainTarget(PRODUCTION["backend"])),
        ("why backend on staging", model.ExplainTarget(STAGING["backend"])),
        (f"cancel {ID}", model.Cancel(ID)),
        (f"cancel {ID} --roll-back", model.Cancel(ID, roll_back=True)),
        (
            f"cancel --rollback {ID} --reason bad one",
            model.Cancel(ID, roll_back=True, reason="bad one"),
        ),
        (f"retry {ID} --reason flaky", model.Retry(ID, "flaky")),
        (f"approve {ID}", model.Approve(ID)),
        (f"reject {ID} --reason not now", model.Reject(ID, "not now")),
        ("lock backend prod", model.LockTarget("backend", "production")),
        (
            "lock * stg --for 2h --reason upgrade",
            model.LockTarget("*", "staging", timedelta(hours=2), "upgrade"),
        ),
        (
            "lock all in staging --for 1h30m",
            model.LockTarget("*", "staging", timedelta(minutes=90)),
        ),
        ("lock be prod --for 2 days", model.LockTarget("backend", "production", timedelta(2))),
        ("lock be prod --for=30d", model.LockTarget("backend", "production", timedelta(30))),
        ("unlock backend production", model.UnlockTarget("backend", "production")),
        ("unlock * prod --reason done", model.UnlockTarget("*", "production", "done")),
        ("locks", model.ShowLocks()),
        ("freeze prod", model.DeclareFreeze("production")),
        ("unfreeze prod --reason over", model.LiftFreeze("production", "over")),
        ("pause-all --reason incident 42", model.PauseAll("incident 42")),
        ("pause", model.PauseAll()),
        ("resume-all", model.ResumeAll()),
        ("whoami", model.ShowWhoAmI()),
        ("audit", model.ShowAudit()),
        (
            "audit be prod --by <@U123ABC|ana> --limit 50",
            model.ShowAudit("backend", "production", person_id="U123ABC", limit=50),
        ),
        ("audit --by U123ABC --action Vote.", model.ShowAudit(person_id="U123ABC", action="vote.")),
        (f"audit --id {ID}", model.ShowAudit(deployment_id=ID)),
        ("help", model.ShowHelp()),
        ("?", model.ShowHelp()),
        ("help Pause", model.ShowHelp("pause-all")),
        ("help /rollback", model.ShowHelp("rollback")),
        ("--help", model.ShowHelp("deploy")),
        ("lock --help", model.ShowHelp("lock")),
        ("backend staging -h", model.ShowHelp("deploy")),
    ],
)
def test_every_verb(text: str, command: model.Command) -> None:
    assert deploy(text) == command


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("--for 4h", None, datetime(2026, 3, 4, 19, 30, tzinfo=UTC)),
        ("--until 18:00", None, datetime(2026, 3, 4, 18, tzinfo=UTC)),
        ("--until 8:00", None, datetime(2026, 3, 5, 8, tzinfo=UTC)),
        ("--until tomorrow 18:00", None, datetime(2026, 3, 5, 18, tzinfo=UTC)),
        ("--until 18:00 tomorrow", None, datetime(2026, 3, 5, 18, tzinfo=UTC)),
        ("--until=18:00", None, datetime(2026, 3, 4, 18, tzinfo=UTC)),
        (
            "--from 22:00 --until 06:00",
            datetime(2026, 3, 4, 22, tzinfo=UTC),
            datetime(2026, 3, 5, 6, tzinfo=UTC),
        ),
        (
            "--from 22:00 --for 8h --reason sale",
            datetime(2026, 3, 4, 22, tzinfo=UTC),
            datetime(2026, 3, 5, 6, tzinfo=UTC),
        ),
        ("--from 2026-12-24", datetime(2026, 12, 24, tzinfo=UTC), None),
        ("--from 2026-12-24 18:00", datetime(2026, 12, 24, 18, tzinfo=UTC), None),
        ("--from 2026-12-24T18:00", datetime(2026, 12, 24, 18, tzinfo=UTC), None),
        ("--from 2026-12-24t18:00z", datetime(2026, 12, 24, 18, tzinfo=UTC), None),
        ("--since 2026-12-24T18:00+01:00", datetime(2026, 12, 24, 17, tzinfo=UTC), None),
        ('--from "2026-12-24 18:00"', datetime(2026, 12, 24, 18, tzinfo=UTC), None),
        ("--from today 18:00", datetime(2026, 3, 4, 18, tzinfo=UTC), None),
    ],
)
def test_freeze_times(text: str, since: datetime | None, until: datetime | None) -> None:
    command = deploy(f"freeze production {text}")
    assert isinstance(command, model.DeclareFreeze)
    assert (command.since, command.until) == (since, until)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", model.OpenRollbackForm()),
        ("backend production", model.Rollback(PRODUCTION["backend"])),
        ("be prod previous", model.Rollback(PRODUCTION["backend"])),
        ("backend production v1.1", model.Rollback(PRODUCTION["backend"], "v1.1")),
        ("backend to v1.1 in production", model.Rollback(PRODUCTION["backend"], "v1.1")),
        ("backend in production to previous", model.Rollback(PRODUCTION["backend"])),
        ("backend to production", model.Rollback(PRODUCTION["backend"])),
        (f"backend staging {ID}", model.Rollback(STAGING["backend"], ID)),
        (
            "backend staging --reason errors rise",
            model.Rollback(STAGING["backend"], reason="errors rise"),
        ),
        ("help", model.ShowHelp()),
        ("--help", model.ShowHelp("rollback")),
    ],
)
def test_rollbacks(text: str, command: model.Command) -> None:
    assert roll_back(text) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", model.ShowHelp()),
        (" : ", model.ShowHelp()),
        ("deploy backend staging", BACKEND),
        ("/deploy backend staging", BACKEND),
        ("Deploy v1.2 of backend to staging", V12),
        ("deploy", model.OpenDeployForm()),
        ("deploy status", model.ShowStatus()),
        ("status prod", model.ShowStatus(None, "production")),
        ("rollback backend production", model.Rollback(PRODUCTION["backend"])),
        ("/rollback backend production to v1", model.Rollback(PRODUCTION["backend"], "v1")),
        ("rollback", model.OpenRollbackForm()),
        (f"approve {ID}", model.Approve(ID)),
        ("help lock", model.ShowHelp("lock")),
        ("--help", model.ShowHelp()),
        ("?", model.ShowHelp()),
    ],
)
def test_mentions_and_direct_messages(text: str, command: model.Command) -> None:
    assert parse_mention(text, CATALOG, NOW) == command


@pytest.mark.parametrize("text", ["hello", "backend staging", "thanks!", "v1.2", "<@U1> deploy"])
def test_a_mention_that_begins_with_no_command_deploys_nothing(text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_mention(text, CATALOG, NOW)
    assert refused.value.reason_code == "UNKNOWN_COMMAND"


def test_a_mistyped_mention_is_corrected() -> None:
    with pytest.raises(UserError) as refused:
        parse_mention("stauts production", CATALOG, NOW)
    assert refused.value.suggestion == "/deploy status production"


@pytest.mark.parametrize(
    ("slash", "example"), [(spec.slash, example) for spec in COMMANDS for example in spec.examples]
)
def test_every_example_of_the_grammar_works(slash: str, example: str) -> None:
    text = example.removeprefix(slash)
    assert parse(slash, text, CATALOG, NOW) is not None
    assert parse_mention(example, CATALOG, NOW) == parse(slash, text, CATALOG, NOW)


def test_a_target_needs_both_its_names() -> None:
    assert deploy("web stg") == model.Deploy((Target("frontend", "staging"),))
