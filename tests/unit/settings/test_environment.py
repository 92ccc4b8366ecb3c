"""Settings from the environment and ``.env``: every problem at once, no secret shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from bot.settings.environment import Settings, read_settings
from bot.settings.problems import Problem, SettingsProblems, render
from bot.settings.start import catalog_path, load_settings

ROOT = Path(__file__).parents[3]
EXAMPLE = str(ROOT / "quarterdeck.yaml")
VARIABLES = [name.upper() for name in Settings.model_fields]
GOOD = {"SLACK_BOT_TOKEN": "xoxb-1-abc", "SLACK_SIGNING_SECRET": "s1gn1ng"}
Environment = pytest.MonkeyPatch


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def given(environment: Environment, **variables: str) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)


def settings(environment: Environment, **variables: str) -> Settings:
    given(environment, **{**GOOD, **variables})
    found, problems = read_settings(None)
    assert problems == []
    assert found is not None
    return found


def problem(environment: Environment, **variables: str) -> Problem:
    given(environment, **{**GOOD, **variables})
    found, problems = read_settings(None)
    assert found is None
    (only,) = problems
    return only


def test_two_variables_are_enough(environment: Environment) -> None:
    found = settings(environment)
    assert found.slack_bot_token.get_secret_value() == "xoxb-1-abc"
    assert found.slack_api_url == "https://slack.com/api/"
    assert found.quarterdeck_catalog == Path("quarterdeck.yaml")
    assert found.database_url.get_secret_value() == "sqlite:///quarterdeck.db"
    assert (found.host, found.port) == ("0.0.0.0", 3000)  # noqa: S104 - the documented default
    assert (found.log_level, found.quarterdeck_log_format) == ("INFO", "json")
    assert not found.socket_mode


def test_socket_mode_needs_no_signing_secret(environment: Environment) -> None:
    given(environment, SLACK_BOT_TOKEN="xoxb-1", SLACK_APP_TOKEN="xapp-1-a")
    found, problems = read_settings(None)
    assert problems == []
    assert found is not None
    assert found.socket_mode


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("postgres://u:p@h/db", "postgresql+psycopg://u:p@h/db"),
        ("postgresql://u:p%40@h:5432/db?sslmode=require", None),
        ("postgresql+psycopg://u@h/db", "postgresql+psycopg://u@h/db"),
        ("sqlite:////var/lib/q.db", "sqlite:////var/lib/q.db"),
        (" sqlite:///q.db\n", "sqlite:///q.db"),
    ],
)
def test_database_urls(environment: Environment, written: str, meant: str | None) -> None:
    url = settings(environment, DATABASE_URL=written).database_url.get_secret_value()
    assert url == (meant or "postgresql+psycopg://u:p%40@h:5432/db?sslmode=require")


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hunter2@h/d", "sqlite://", "sqlite:///:memory:", "postgresql+asyncpg://u:hunter2@h/d",
     "hunter2", "postgresql://"],
)  # fmt: skip
def test_databases_that_cannot_be_used(environment: Environment, url: str) -> None:
    wrong = problem(environment, DATABASE_URL=url)
    assert wrong.path == "DATABASE_URL"
    assert "hunter2" not in render([wrong])


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SLACK_BOT_TOKEN", "xoxp-hunter2", "it is no token that begins with xoxb-"),
        ("SLACK_BOT_TOKEN", "xoxb-_", "it is no token that begins with xoxb-"),
        ("SLACK_BOT_TOKEN", "xoxb-1 xoxb-2", "it is no token that begins with xoxb-"),
        ("SLACK_APP_TOKEN", "xoxb-hunter2", "it is no token that begins with xapp-"),
        ("SLACK_SIGNING_SECRET", "xapp-hunter2", "this is a token, not the signing secret"),
        ("SLACK_API_URL", "slack.example/hunter2", "it is no http or https URL"),
        ("SLACK_API_URL", "https://user:hunter2@slack.example/api", "it is no http or https URL"),
        ("PORT", "hunter2", "it is not a number"),
        ("PORT", "65536", "it is too large"),
        ("PORT", "-1", "it is too small"),
        ("QUARTERDECK_LEASE_SECONDS", "4", "it is too small"),
        ("QUARTERDECK_LEASE_SECONDS", "301", "it is too large"),
        ("LOG_LEVEL", "hunter2", "it is none of the words it can be"),
        ("QUARTERDECK_LOG_FORMAT", "hunter2", "it is none of the words it can be"),
    ],
)
def test_each_variable_is_checked_and_its_value_never_shown(
    environment: Environment, variable: str, value: str, message: str
) -> None:
    wrong = problem(environment, **{variable: value})
    assert (wrong.path, wrong.message) == (variable, message)
    assert wrong.suggestion
    assert value not in render([wrong])


def test_small_kindnesses(environment: Environment) -> None:
    found = settings(
        environment,
        SLACK_BOT_TOKEN="xoxb-1\n",
        LOG_LEVEL="debug",
        QUARTERDECK_LOG_FORMAT="Console",
        SLACK_API_URL="http://127.0.0.1:8900/api",
        DATABASE_URL="",
    )
    assert found.slack_bot_token.get_secret_value() == "xoxb-1"
    assert (found.log_level, found.quarterdeck_log_format) == ("DEBUG", "console")
    assert found.slack_api_url == "http://127.0.0.1:8900/api/"
    assert found.database_url.get_secret_value() == "sqlite:///quarterdeck.db"


def test_a_slip_in_a_name_is_pointed_out(environment: Environment) -> None:
    given(environment, SLACK_BOT_TOKN="hunter2", SLACK_SIGNING_SECRET="s")
    _, (missing,) = read_settings(None)
    assert missing.message == "it is not set"
    assert missing.suggestion == "SLACK_BOT_TOKN is set: is that a slip for SLACK_BOT_TOKEN?"


def test_the_environment_goes_before_the_file(environment: Environment, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SLACK_BOT_TOKEN=xoxb-file\nSLACK_SIGNING_SECRET=s\nPORT=4000\nOTHER=x\n")
    given(environment, PORT="5000")
    found, problems = read_settings(file)
    assert problems == []
    assert found is not None
    assert found.slack_bot_token.get_secret_value() == "xoxb-file"
    assert found.port == 5000


def test_a_file_that_is_no_text(environment: Environment, tmp_path: Path) -> None:
    given(environment, **GOOD)
    file = tmp_path / ".env"
    file.write_bytes(b"SLACK_BOT_TOKEN=hunter2\xff\xfe")
    _, (wrong,) = read_settings(file)
    assert wrong.file == str(file)
    assert "hunter2" not in render([wrong])


def test_all_problems_of_environment_and_catalog_are_one_error(
    environment: Environment, tmp_path: Path
) -> None:
    catalog = tmp_path / "broken.yaml"
    catalog.write_text("version: 1\nservces: {}\n")
    given(environment, PORT="x", SLACK_APP_TOKEN="hunter2", QUARTERDECK_CATALOG=str(catalog))
    with pytest.raises(SettingsProblems) as caught:
        load_settings(None)
    places = [p.place for p in caught.value.problems]
    assert places[:3] == ["PORT", "SLACK_APP_TOKEN", "SLACK_BOT_TOKEN"]
    assert f"{catalog}:2:1: servces" in places
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_what_is_loaded_is_ready_to_use(environment: Environment) -> None:
    given(environment, **GOOD, QUARTERDECK_CATALOG=EXAMPLE)
    loaded = load_settings(None)
    assert loaded.settings.port == 3000
    assert "backend" in loaded.catalog.current().services
    assert catalog_path(None) == Path(EXAMPLE)


def test_settings_are_frozen_and_show_no_secret(environment: Environment) -> None:
    found = settings(environment, DATABASE_URL="postgresql://u:hunter2@h/d")
    assert "hunter2" not in repr(found)
    assert "xoxb-1-abc" not in repr(found) + str(found) + found.model_dump_json()
    with pytest.raises(ValidationError):
        found.port = 1  # type: ignore[misc]


@pytest.mark.usefixtures("environment")
def test_settings_can_be_made_without_any_environment() -> None:
    made = Settings(
        _env_file=None,
        slack_bot_token=SecretStr("xoxb-demo"),
        slack_signing_secret=SecretStr("demo"),
        port=0,
    )
    assert made.port == 0


def test_the_example_file_names_every_variable_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))
    assert named == set(VARIABLES)


def test_the_example_s_defaults_are_the_defaults(environment: Environment) -> None:
    text = (ROOT / ".env.example").read_text()
    defaults = dict(re.findall(r"^#([A-Z_]+)=(.+)$", text, re.MULTILINE))
    assert settings(environment, **defaults) == settings(environment)


def test_rendering_counts_and_indents() -> None:
    one = Problem("a.yaml", 3, 7, "x.y", "it is wrong", "Do this.")
    other = Problem("", 0, 0, "PORT", "it is not a number")
    assert render([one]) == "a.yaml:3:7: x.y: it is wrong\n    Do this.\n1 problem."
    assert render([other, one]).endswith("\n2 problems.")
    assert render([other, one]).startswith("PORT: it is not a number\n")
