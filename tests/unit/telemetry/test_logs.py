from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from bot.telemetry.logs import HIDDEN, adopt_engine_logs, configure, redact

#: Made up, in the shape that their issuers give them.
SECRETS = {
    "xoxb": "xoxb-1111-2222-abcDEF",
    "xapp": "xapp-1-A111-222-abcdef",
    "xoxe": "xoxe.xoxp-1-Mi0yLTEyMzQ",
    "access key": "AKIAIOSFODNN7EXAMPLE",
    "session key": "ASIAIOSFODNN7EXAMPLE",
    "bearer": "Bearer abc.def-ghi",
    "password": "postgresql://deck:hunter2@db.internal/deck",
    "awkward password": "postgresql://deck:hun@ter2@db.internal/deck",
    "nobody's password": "redis://:hunter2@cache.internal/0",
    "signature": "https://s3/x?X-Amz-Signature=0123abcd",
}
TELLTALES = ("abcDEF", "abcdef", "Mi0y", "EXAMPLE", "def-ghi", "hunter2", "ter2", "0123abcd")


@pytest.fixture(autouse=True)
def _untouched() -> Iterator[None]:
    """Logging is the process's: what a test configures does not outlive it."""
    root, engine = logging.getLogger(), logging.getLogger("dbos")
    kept = (root.handlers[:], root.level, engine.handlers[:], engine.propagate)
    yield
    root.handlers[:], level, engine.handlers[:], engine.propagate = kept
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_hidden_by_its_shape(text: str) -> None:
    hidden = redact(f"cannot use {text} today")
    assert HIDDEN in hidden
    assert not any(telltale in hidden for telltale in TELLTALES)
    assert hidden.startswith("cannot use ")
    assert hidden.endswith(" today")


@pytest.mark.parametrize(
    "text",
    [
        "backend-staging-142 to http://127.0.0.1:8080/slack/events at 12:00",
        "sha256:0123456789abcdef",
        "arn:aws:ecs:eu-west-1:123456789012:service/main/backend",
        "alice@example.com asks for v2",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_log_line_is_one_json_object_with_its_context(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("INFO", "json")
    with structlog.contextvars.bound_contextvars(request_id="request-1"):
        structlog.get_logger("bot.test").info("took over", deployment_id="backend-staging-1")
    (line,) = lines(capsys)
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "took over",
        "level": "info",
        "logger": "bot.test",
        "request_id": "request-1",
        "deployment_id": "backend-staging-1",
    }


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_secret_is_logged_in_any_style(capsys: pytest.CaptureFixture[str], style: str) -> None:
    configure("INFO", style)
    log = structlog.get_logger("bot.test")
    log.warning("cannot use it", url=SECRETS["password"], bot_token="anything", Password="x y z")
    logging.getLogger("library").warning("sent %s", SECRETS["bearer"])
    try:
        int(SECRETS["xoxb"])
    except ValueError:
        log.exception("broke")
        logging.getLogger("library").exception("broke too")
    said = "\n".join(lines(capsys))
    assert said.count(HIDDEN) >= 6
    assert said.count("ValueError") >= 2
    assert not any(telltale in said for telltale in (*TELLTALES, "anything", "x y z"))


def test_a_nested_secret_is_hidden_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO", "json")
    structlog.get_logger("bot.test").info(
        "asked",
        urls=[SECRETS["password"]],
        settings={"token": "anything", "port": 3000},
        fault=ValueError(SECRETS["xapp"]),
    )
    event = json.loads(lines(capsys)[0])
    assert event["settings"] == {"token": HIDDEN, "port": 3000}
    assert event["fault"] == f"ValueError('{HIDDEN}')"
    assert event["urls"] == [f"postgresql://{HIDDEN}@db.internal/deck"]


def test_libraries_are_heard_only_when_they_warn(capsys: pytest.CaptureFixture[str]) -> None:
    configure("DEBUG", "json")
    logging.getLogger("botocore.hooks").debug("chatter")
    logging.getLogger("urllib3").warning("retrying")
    structlog.get_logger("bot.test").debug("ours")
    assert [json.loads(line)["event"] for line in lines(capsys)] == ["retrying", "ours"]


def test_a_level_hides_what_is_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure("ERROR", "json")
    structlog.get_logger("bot.test").warning("not this")
    logging.getLogger("waitress").warning("nor this")
    structlog.get_logger("bot.test").error("this")
    assert [json.loads(line)["event"] for line in lines(capsys)] == ["this"]


def test_the_engines_logs_go_our_way(capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO", "json")
    engine = logging.getLogger("dbos")
    engine.addHandler(logging.StreamHandler())
    engine.propagate = False
    adopt_engine_logs()
    engine.warning("recovered %s", SECRETS["password"])
    (line,) = lines(capsys)
    assert json.loads(line)["event"] == f"recovered postgresql://{HIDDEN}@db.internal/deck"
