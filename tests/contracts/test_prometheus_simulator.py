"""The playground's Prometheus beside a real one: the same samples, the same queries."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from bot.model.canary_plan import Prometheus
from bot.playground.prometheus import Api, Storage
from bot.providers.prometheus.promql import Version, any_version, selecting, union
from tests.contracts.local_prometheus import LocalPrometheus, local_prometheus
from tests.contracts.real_prometheus import (
    PROGRAM,
    STALE,
    WHY_NOT,
    RealPrometheus,
    Sample,
    running_prometheus,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLAN = Prometheus(
    url="http://127.0.0.1:9090", labels='app="{{version}}"', durations="http_request_duration"
)
NEW, OLD = (Version(PLAN, selecting(PLAN.labels, each)) for each in ("new", "old"))
BOUNDS = ("0.05", "0.1", "0.25", "1", "+Inf")
#: What is asked by the adapter, as it asks it.
ASKED = (
    *NEW.counted("canary 0", 15),
    *OLD.counted("stable 0", 30),
    union([*NEW.counted("canary 0", 15), *OLD.counted("stable 0", 15)]),
    OLD.replicas(3600),
    NEW.replicas(600),
    OLD.there(3600),
    NEW.exposed,
    Version(PLAN, any_version(PLAN.labels)).there(3600),
)
#: The rest of what is understood, and what people would try by hand.
OTHERS = (
    "http_requests_total",
    '{__name__=~"http_requests_.+", app!="old"}',
    'http_requests_total{pod!~"old-[01]", code=""}',
    "http_requests_total offset 3m",
    "http_requests_total offset -90s",
    "sum(http_requests_total)",
    "sum without (pod, instance) (http_requests_total)",
    "max by (app, none) (http_requests_total)",
    "increase(http_requests_total[1m])",
    "increase(http_requests_total[90s] offset 1m)",
    "count_over_time(http_requests_total[100s])",
    "clamp_min(http_requests_total, 30)",
    'sum by (app) (http_requests_total{code="500"}) / sum by (app) (http_requests_total)',
    'sum by (pod) (http_requests_total{code="500"}) > 2 or sum by (pod) (http_requests_total) * 2',
    "http_requests_total and on (pod) http_request_duration_count > 40",
    'http_requests_total{code="404"} - ignoring (code) http_request_duration_count',
    "http_requests_total == http_requests_total",
    "http_requests_total <= on (pod, code) http_requests_total",
    "100 < http_requests_total",
    "7 - sum(http_requests_total)",
    "histogram_quantile(0.95, sum by (le) (increase(http_request_duration_bucket[5m])))",
    "histogram_quantile(0, http_request_duration_bucket)",
    "histogram_quantile(1, http_request_duration_bucket)",
    "histogram_quantile(2, http_request_duration_bucket)",
    'histogram_quantile(0.5, http_request_duration_bucket{le!="+Inf"})',
    'label_replace(http_requests_total, "set", "$1 of ${2}", "pod", "(.*)-(.*)")',
    'label_replace(http_requests_total, "pod", "", "pod", "new-.*")',
    'label_replace(http_requests_total, "pod", "x", "pod", "new")',
    "42",
    "1 / 0",
    "nothing_of_that_name",
)
#: What is refused, and as what.
WRONG = (
    "sum(",
    "",
    "increase(http_requests_total)",
    'http_requests_total{app=~"("}',
    'label_replace(http_requests_total, "not a name", "", "", "")',
    'label_replace(http_requests_total, "code", "", "", "")',
    "http_requests_total - on (pod) http_requests_total",
    "http_requests_total - ignoring (code) http_request_duration_count",
)
#: What a real one answers, and the local one refuses.
BEYOND = (
    "http_requests_total[5m]",
    '"text"',
    "rate(http_requests_total[1m])",
    "http_requests_total @ 1767268740",
    "max_over_time(http_requests_total[5m:1m])",
    "increase(http_requests_total[5m:1m])",
    "avg(http_requests_total)",
    "topk(1, http_requests_total)",
    "-http_requests_total",
    "http_requests_total % 7",
    "http_requests_total unless http_requests_total",
    "http_requests_total > bool 5",
    "http_requests_total - on (pod) group_left sum by (pod) (http_requests_total)",
)


def scrapes(name: str, grown: float, moments: range, chance: random.Random) -> list[Sample]:
    """A counter that is scraped with some jitter, and once restarts."""
    total, found = chance.choice([0.0, 5000.0]), []
    for at in moments:
        total += round(grown * chance.random() * 2)
        if chance.random() < 0.02:
            total = 3.0
        found.append((NOON + timedelta(seconds=at + 0.001 * chance.randrange(900)), total))
    if name.endswith("1"):  # this replica cannot be scraped once, and ends early
        found[len(found) // 2] = (found[len(found) // 2][0], STALE)
        found = [*found[:-8], (found[-8][0], STALE)]
    return found


def series() -> list[tuple[Mapping[str, str], list[Sample]]]:
    """An hour of three old replicas, and some minutes of two new ones."""
    chance = random.Random(7)  # noqa: S311 - chance, no secret
    found: list[tuple[Mapping[str, str], list[Sample]]] = []
    for app, number, moments in (("old", 3, range(-3600, 0, 15)), ("new", 2, range(-400, 0, 10))):
        for pod in (f"{app}-{each}" for each in range(number)):
            here = {"app": app, "pod": pod, "instance": f"{pod}:80"}
            for code, grown in (("200", 10.0), ("500", 0.7), ("404", 1.0)):
                labels = {**here, "__name__": "http_requests_total", "code": code}
                found.append((labels, scrapes(pod, grown, moments, chance)))
            counts = {**here, "__name__": "http_request_duration_count"}
            found.append((counts, scrapes(pod, 10.0, moments, chance)))
            for number_of, bound in enumerate(BOUNDS):
                labels = {**here, "__name__": "http_request_duration_bucket", "le": bound}
                found.append((labels, scrapes(pod, 3.0 * number_of, moments, chance)))
    return found


@dataclass
class Both:
    """Two servers that were told the same."""

    real: RealPrometheus
    local: LocalPrometheus
    pool: urllib3.PoolManager

    def ask(self, url: str, call: str, form: Mapping[str, str], method: str = "POST") -> Any:
        """Status and answer."""
        where = f"{url}/api/v1/{call}"
        if method == "POST":
            response = self.pool.request_encode_body(
                method, where, fields=dict(form), encode_multipart=False
            )
        else:
            response = self.pool.request(method, where, fields=dict(form))
        return response.status, json.loads(response.data)

    def answers(self, call: str, form: Mapping[str, str], method: str = "POST") -> Any:
        return tuple(self.ask(each.url, call, form, method) for each in (self.real, self.local))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    if PROGRAM is None:
        pytest.skip(WHY_NOT)
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(folder) as real, local_prometheus() as local:
        for each in series():
            real.write([each])
            local.write([each])
        pool = urllib3.PoolManager(retries=False)
        yield Both(real, local, pool)
        pool.clear()


def same(real: Any, local: Any) -> None:
    """The same series, at the same moments, with the same values."""
    assert real["status"] == local["status"] == "success"
    assert real["data"]["resultType"] == local["data"]["resultType"]
    if real["data"]["resultType"] == "scalar":
        assert real["data"]["result"] == local["data"]["result"]
        return
    mine, theirs = (by_labels(each["data"]["result"]) for each in (local, real))
    assert list(mine) == list(theirs)
    for labels, found in theirs.items():
        assert [at for at, _ in mine[labels]] == [at for at, _ in found], labels
        for (_, told), (_, wanted) in zip(mine[labels], found, strict=True):
            assert isinstance(told, str)
            assert float(told) == pytest.approx(float(wanted), rel=1e-9, nan_ok=True), labels


def by_labels(result: Any) -> dict[str, Any]:
    found = {json.dumps(each["metric"], sort_keys=True): each for each in result}
    assert len(found) == len(result)
    return {
        labels: found[labels].get("values") or [found[labels]["value"]] for labels in sorted(found)
    }


@pytest.mark.parametrize("query", [*ASKED, *OTHERS])
def test_a_query_at_a_moment(both: Both, query: str) -> None:
    for ago in (1.5, 61.5, 1234.5):
        moment = str(NOON.timestamp() - ago)
        (status, real), (mine, local) = both.answers("query", {"query": query, "time": moment})
        assert status == mine == 200, (real, local)
        same(real, local)


@pytest.mark.parametrize("query", [*ASKED, *OTHERS])
def test_a_query_over_a_range(both: Both, query: str) -> None:
    form = {
        "query": query,
        "start": str(NOON.timestamp() - 900.5),
        "end": str(NOON.timestamp() + 420),
        "step": "15",
        "timeout": "15s",
    }
    (status, real), (mine, local) = both.answers("query_range", form)
    assert status == mine == 200, (real, local)
    same(real, local)


def test_the_comparison_is_of_something(both: Both) -> None:
    """Each part of what is asked has a value somewhere, and some of it breaks off."""
    form = {"start": str(NOON.timestamp() - 900), "end": str(NOON.timestamp()), "step": "15"}
    for query in ASKED:
        _, (_, local) = both.answers("query_range", {**form, "query": query})
        values = [value for each in local["data"]["result"] for _, value in each["values"]]
        assert any(float(each) > 0 for each in values if not math.isnan(float(each))), query


@pytest.mark.parametrize("query", WRONG)
@pytest.mark.parametrize("call", ["query", "query_range"])
def test_a_query_that_is_wrong(both: Both, query: str, call: str) -> None:
    form = {"query": query, "time": str(NOON.timestamp() - 1.5)}
    if call == "query_range":
        form |= {"start": form["time"], "end": form["time"], "step": "15s"}
    (status, real), (mine, local) = both.answers(call, form)
    assert (mine, local["errorType"]) == (status, real["errorType"]), (real, local)
    assert local["status"] == real["status"] == "error"
    assert local["error"]


@pytest.mark.parametrize("query", BEYOND[:2])
def test_a_range_of_what_has_one_already(both: Both, query: str) -> None:
    form = {"query": query, "start": "1767268740", "end": "1767268740", "step": "15s"}
    (status, real), (mine, local) = both.answers("query_range", form)
    assert (mine, local["errorType"]) == (status, real["errorType"]) == (400, "bad_data")


@pytest.mark.parametrize("query", BEYOND)
def test_what_is_not_needed_is_refused_and_not_answered_wrongly(both: Both, query: str) -> None:
    form = {"query": query, "time": str(NOON.timestamp() - 1.5)}
    (status, _), (mine, local) = both.answers("query", form)
    assert (status, mine) == (200, 422)
    assert local["errorType"] == "execution"
    assert "not supported by the local Prometheus" in local["error"]


@pytest.mark.parametrize(
    "changes",
    [
        {"start": "yesterday"},
        {"start": ""},
        {"end": "NaN"},
        {"end": "1767268700"},
        {"step": "0"},
        {"step": "-5s"},
        {"step": "often"},
        {"step": "0.001"},
        {"timeout": "soon"},
        {"start": "2026-01-01T11:58:20Z", "end": "2026-01-01T13:00:00+01:00", "step": "1m"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_parameters_of_a_range(both: Both, changes: Mapping[str, str], method: str) -> None:
    form = {"query": "sum(http_requests_total)", "step": "15s"}
    form |= {"start": "1767268740.5", "end": "1767268790.5"}
    (status, real), (mine, local) = both.answers("query_range", {**form, **changes}, method)
    assert (mine, local.get("errorType")) == (status, real.get("errorType")), (real, local)
    if status == 200:
        same(real, local)


def test_without_a_time_it_is_now(both: Both) -> None:
    (_, real), (_, local) = both.answers("query", {"query": "1"})
    assert float(local["data"]["result"][0]) == pytest.approx(real["data"]["result"][0], abs=30)


@pytest.mark.parametrize(("path", "status"), [("/-/ready", 200), ("/api/v1/nothing", 404)])
def test_other_addresses(both: Both, path: str, status: int) -> None:
    answers = [both.pool.request("GET", each.url + path) for each in (both.real, both.local)]
    assert [each.status for each in answers] == [status, status]
    assert answers[0].data.strip() == answers[1].data.strip() or status == 404


def values(storage: Storage, query: str, at: float) -> dict[str, float]:
    """By pod, where a query has only the local one to be asked."""
    form = {"query": query, "time": str(at)}
    answer = json.loads(Api(storage).answer("/api/v1/query", form).body)
    assert answer["status"] == "success", answer
    result = answer["data"]["result"]
    return {each["metric"].get("pod", ""): float(each["value"][1]) for each in result}


def counted(pod: str, *samples: tuple[float, float | None]) -> Storage:
    storage = Storage()
    for at, value in samples:
        labels = {"__name__": "hits_total", "pod": pod, "zone": ""}
        if value is None:
            storage.end(labels, at)
        else:
            storage.append(labels, at, value)
    return storage


def test_a_sample_stands_for_five_minutes_and_not_at_their_end() -> None:
    storage = counted("a", (1000, 7))
    assert values(storage, "hits_total", 999.999) == {}
    assert values(storage, "hits_total", 1000) == {"a": 7}
    assert values(storage, "hits_total", 1299.999) == {"a": 7}
    assert values(storage, "hits_total", 1300) == {}


def test_what_is_at_the_beginning_of_a_window_is_not_in_it() -> None:
    storage = counted("a", (1000, 7), (1015, 8), (1030, 9))
    assert values(storage, "count_over_time(hits_total[30s])", 1030) == {"a": 2}
    assert values(storage, "count_over_time(hits_total[31s])", 1030) == {"a": 3}


def test_a_marker_ends_a_series_at_once_and_is_no_sample() -> None:
    storage = counted("a", (1000, 7), (1015, None), (1030, 9))
    assert values(storage, "hits_total", 1014) == {"a": 7}
    assert values(storage, "hits_total", 1020) == {}
    assert values(storage, "hits_total", 1030) == {"a": 9}
    assert values(storage, "count_over_time(hits_total[1m])", 1030) == {"a": 2}


def test_samples_come_in_order_of_time() -> None:
    storage = counted("a", (1000, 7))
    for at in (999, 1000):
        with pytest.raises(ValueError, match="out of order"):
            storage.append({"__name__": "hits_total", "pod": "a"}, at, 8)


def test_old_samples_and_series_are_forgotten() -> None:
    storage = Storage()
    for number in range(5000):
        storage.append({"__name__": "hits_total", "pod": "a"}, 5.0 * number, number)
    storage.append({"__name__": "hits_total", "pod": "gone"}, 5.0, 1)
    storage.append({"__name__": "hits_total", "pod": "new"}, 25_000.0, 1)
    found = storage.select("hits_total", lambda _: True)
    assert {each.labels["pod"] for each in found} == {"a", "new"}
    kept = found[0].times
    assert 3 * 3600 * 1000 <= kept[-1] - kept[0] < 4 * 3600 * 1000
