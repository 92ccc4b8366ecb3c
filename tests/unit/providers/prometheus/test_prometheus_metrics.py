"""How servers are asked: few queries, side by side, and none again and again in vain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.model.canary import Arms, Readings, Wanted
from bot.model.canary_plan import CanaryPlan, Native, Prometheus
from bot.model.counts import Arm
from bot.model.errors import AccessDenied, Misconfigured, Transient, Unreachable
from bot.providers.prometheus import PrometheusMetrics
from bot.providers.prometheus.api import PrometheusApi
from tests.contracts.metric_stages import spec_of
from tests.fakes.http_answers import HttpAnswers, http_answers

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=90)
ARMS = Arms("old", "new")
EMPTY = b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'


@pytest.fixture
def server() -> Iterator[HttpAnswers]:
    with http_answers() as server:
        server.body = EMPTY
        yield server


@pytest.fixture
def metrics() -> Iterator[PrometheusMetrics]:
    metrics = PrometheusMetrics(PrometheusApi())
    yield metrics
    metrics.close()


def wish(name: str, url: str, since: datetime = NOON) -> Wanted:
    plan = Prometheus(url=url, labels='app="{{version}}"')
    spec = spec_of(CanaryPlan(native=Native(), prometheus=plan))
    return Wanted(name, spec, ARMS, since, None, None)


def ask(metrics: PrometheusMetrics, url: str, count: int) -> Readings:
    return metrics.readings([wish(f"{each}", url) for each in range(count)], LATER)


def test_several_canaries_share_a_query(metrics: PrometheusMetrics, server: HttpAnswers) -> None:
    found = ask(metrics, server.url, 12)
    assert (len(found.seen), len(server.asked)) == (12, 3)


def test_who_is_far_behind_is_asked_about_apart(
    metrics: PrometheusMetrics, server: HttpAnswers
) -> None:
    old = wish("old", server.url, NOON - timedelta(days=1))
    metrics.readings([wish("one", server.url), old], LATER)
    spans = [float(form["end"]) - float(form["start"]) for _, _, form in server.asked]
    assert spans == [45, 180 * 60 - 15]


def test_nothing_is_asked_before_a_tick_is_closed(
    metrics: PrometheusMetrics, server: HttpAnswers
) -> None:
    early = metrics.readings([wish("one", server.url)], LATER - timedelta(seconds=1))
    assert (early.seen, server.asked) == ({"one": ()}, [])


def test_a_server_that_is_lost_is_asked_once(
    metrics: PrometheusMetrics, server: HttpAnswers
) -> None:
    server.body = b"<html>a proxy's page</html>"
    found = ask(metrics, server.url, 12)
    assert len(found.faults) == 12
    assert all(isinstance(fault, Unreachable) for fault in found.faults.values())
    assert len(server.asked) == 1


def test_a_server_that_denies_is_not_asked_by_halves(
    metrics: PrometheusMetrics, server: HttpAnswers
) -> None:
    server.status = 403
    found = ask(metrics, server.url, 5)
    assert all(isinstance(fault, AccessDenied) for fault in found.faults.values())
    assert len(server.asked) == 1


def test_what_was_too_much_at_once_is_asked_in_parts(
    metrics: PrometheusMetrics, server: HttpAnswers
) -> None:
    server.status, server.body = 503, b'{"status": "error", "error": "query timed out"}'
    found = ask(metrics, server.url, 4)
    assert all(type(fault) is Transient for fault in found.faults.values())
    assert len(server.asked) == 4 + 2 + 1


def test_one_server_is_not_the_other_s_fault(
    metrics: PrometheusMetrics, server: HttpAnswers
) -> None:
    wanted = [wish("lost", "http://127.0.0.1:1"), wish("one", server.url)]
    found = metrics.readings(wanted, NOON + timedelta(minutes=9))
    assert (set(found.seen), set(found.faults)) == ({"one"}, {"lost"})
    assert [each.canary for each in found.seen["one"]] == [Arm(0)] * 5


def test_who_names_no_prometheus_is_not_judged_by_one(metrics: PrometheusMetrics) -> None:
    spec = spec_of(CanaryPlan(native=Native()))
    found = metrics.readings([Wanted("one", spec, ARMS, NOON, None, None)], LATER)
    assert isinstance(found.faults["one"], Misconfigured)
    with pytest.raises(Misconfigured):
        metrics.past(spec, ARMS, NOON)
