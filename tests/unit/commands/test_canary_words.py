"""``/canary``, and how ``/deploy`` is told to make one."""

from __future__ import annotations

import pytest

from bot.commands import model
from bot.commands.parse import parse, parse_mention
from bot.model.canary import Act
from tests.unit.commands.parse_cases import CATALOG, NOW, PRODUCTION, deploy, mistake_in

TARGET = PRODUCTION["backend"]


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("backend production promote", Act.PROMOTE),
        ("promote backend production", Act.PROMOTE),
        ("promote backend in prod --full", Act.PROMOTE_FULLY),
        ("be prod HOLD", Act.HOLD),
        ("backend production abort", Act.ABORT),
    ],
)
def test_what_can_be_asked_of_a_canary(text: str, act: Act) -> None:
    assert parse("/canary", text, CATALOG, NOW) == model.Conduct(act, TARGET)


def test_with_a_reason_and_as_a_mention() -> None:
    command = parse_mention("canary backend production abort --reason too slow", CATALOG, NOW)
    assert command == model.Conduct(Act.ABORT, TARGET, reason="too slow")


def test_status_shows_it() -> None:
    assert parse("/canary", "backend production status", CATALOG, NOW) == model.ShowCanary(TARGET)


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("", "MISSING_ARGUMENT", "service"),
        ("backend", "MISSING_ARGUMENT", "environment"),
        ("backend production", "MISSING_ARGUMENT", "do with it"),
        ("backend production promot", "UNKNOWN_COMMAND", "promot"),
        ("backend production promote hold", "TOO_MANY_ARGUMENTS", "hold"),
        ("backend production hold --full", "USAGE", "--full"),
        ("backend moon promote", "UNKNOWN_ENVIRONMENT", "moon"),
    ],
)
def test_what_is_wrong_is_named(text: str, code: str, named: str) -> None:
    error = mistake_in(text, "/canary")
    assert (error.reason_code, named in error.message) == (code, True)
    assert error.hint


def test_a_slip_is_mended() -> None:
    suggestion = mistake_in("backend production promot", "/canary").suggestion
    assert suggestion == "/canary backend production promote"


def test_how_a_deployment_is_told() -> None:
    asked = {text: deploy(f"backend production {text}") for text in ("", "--canary", "--rolling")}
    found = {text: getattr(command, "canary", "") for text, command in asked.items()}
    assert found == {"": None, "--canary": True, "--rolling": False}
