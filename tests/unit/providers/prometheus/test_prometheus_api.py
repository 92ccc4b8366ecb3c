"""What comes back over HTTP: typed faults, a bound, and no secret where it does not belong."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    QuarterdeckError,
    Throttled,
    Transient,
    Unreachable,
)
from bot.providers.prometheus.api import PrometheusApi, Span
from tests.fakes.http_answers import HttpAnswers, http_answers

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TOKEN = "secret-token"
SPAN = Span(NOON, NOON + timedelta(minutes=1), 15)
FOUND = {"metric": {"le": "0.5"}, "values": [[1772452800, "3"], [1772452815.5, "4.5"]]}


@pytest.fixture
def server() -> Iterator[HttpAnswers]:
    with http_answers() as server:
        yield server


@pytest.fixture
def api() -> Iterator[PrometheusApi]:
    api = PrometheusApi(TOKEN)
    yield api
    api.close()


def success(*found: dict[str, Any], kind: str = "matrix", **more: Any) -> bytes:
    answer = {"status": "success", "data": {"resultType": kind, "result": found}, **more}
    return json.dumps(answer).encode()


def failure(said: str) -> bytes:
    return json.dumps({"status": "error", "errorType": "x", "error": said}).encode()


def fault_of(api: PrometheusApi, url: str) -> QuarterdeckError:
    with pytest.raises(QuarterdeckError) as raised:
        api.over(url, "up", SPAN)
    assert TOKEN not in f"{raised.value.message}{raised.value.hint}"
    return raised.value


def test_a_range_is_asked_for_by_a_form(api: PrometheusApi, server: HttpAnswers) -> None:
    server.body = success(FOUND, infos=["PromQL info: not a counter"])
    (series,) = api.over(f"{server.url}/", 'up{a="ä"}', SPAN)
    assert series.values == [(1772452800.0, 3.0), (1772452815.5, 4.5)]
    ((path, headers, form),) = server.asked
    assert path == "/api/v1/query_range"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert form == {
        "query": 'up{a="ä"}',
        "start": str(NOON.timestamp()),
        "end": str(NOON.timestamp() + 60),
        "step": "15",
        "timeout": "15s",
    }


def test_a_moment_is_asked_for_below_a_prefix(api: PrometheusApi, server: HttpAnswers) -> None:
    server.body = success({"metric": {}, "value": [1, "2"]}, kind="vector")
    (series,) = api.at(f"{server.url}/prometheus", "up", NOON)
    assert series.value == (1.0, 2.0)
    assert server.asked[0][0] == "/prometheus/api/v1/query"


def test_without_a_token_none_is_sent(server: HttpAnswers) -> None:
    server.body = success()
    api = PrometheusApi()
    api.over(server.url, "up", SPAN)
    api.close()
    assert "Authorization" not in server.asked[0][1]


@pytest.mark.parametrize("status", [401, 403])
def test_a_denial_names_the_variable(api: PrometheusApi, server: HttpAnswers, status: int) -> None:
    server.status, server.body = status, b"<html>log in</html>"
    fault = fault_of(api, server.url)
    assert isinstance(fault, AccessDenied)
    assert "PROMETHEUS_TOKEN" in fault.hint


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Misconfigured),
        (422, Misconfigured),
        (404, Misconfigured),
        (302, Misconfigured),
        (500, Transient),
        (502, Transient),
        (503, Transient),
    ],
)
def test_what_was_refused_says_why(
    api: PrometheusApi, server: HttpAnswers, status: int, kind: type[QuarterdeckError]
) -> None:
    server.status, server.body = status, failure("1:5: parse\n error:  too much.")
    server.headers["Location"] = "http://127.0.0.1:1/elsewhere"
    fault = fault_of(api, server.url)
    assert type(fault) is kind
    assert "1:5: parse error: too much." in fault.message
    assert len(server.asked) == 1


def test_a_rate_limit_says_how_long_to_wait(api: PrometheusApi, server: HttpAnswers) -> None:
    server.status, server.headers["Retry-After"] = 429, "7"
    fault = fault_of(api, server.url)
    assert isinstance(fault, Throttled)
    assert fault.retry_after == 7
    server.headers["Retry-After"] = "Mon, 02 Mar 2026 12:00:00 GMT"
    assert getattr(fault_of(api, server.url), "retry_after", None) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b"[]",
        b'{"status": "success"}',
        b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}}',
        b'{"status": "success", "data": {"resultType": "matrix", "result": [{"metric": 1}]}}',
        json.dumps(
            {
                "status": "success",
                "data": {
                    "resultType": "matrix",
                    "result": [{"metric": {}, "values": [[1, "many"]]}],
                },
            }
        ).encode(),
    ],
)
def test_what_is_not_prometheus_s_is_no_answer(
    api: PrometheusApi, server: HttpAnswers, body: bytes
) -> None:
    server.body = body
    assert isinstance(fault_of(api, server.url), Unreachable)


def test_a_partial_answer_is_no_answer(api: PrometheusApi, server: HttpAnswers) -> None:
    server.body = success(FOUND, warnings=["no StoreAPIs matched for this query"])
    fault = fault_of(api, server.url)
    assert type(fault) is Transient
    assert "no StoreAPIs matched" in fault.message


def test_an_answer_that_is_too_large_is_given_up(server: HttpAnswers) -> None:
    server.body = success(FOUND, FOUND, FOUND)
    modest = PrometheusApi(TOKEN, most=len(server.body) - 1)
    fault = fault_of(modest, server.url)
    modest.close()
    assert isinstance(fault, Misconfigured)
    assert "labels" in fault.hint


def test_nobody_there_is_unreachable(api: PrometheusApi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert isinstance(fault_of(api, f"http://127.0.0.1:{port}"), Unreachable)


def test_an_address_that_is_none_is_misconfigured(api: PrometheusApi) -> None:
    assert isinstance(fault_of(api, "http://"), Misconfigured)
