"""The local CloudWatch against what AWS documents on metrics, statistics and their delay."""

from __future__ import annotations

import functools
import http.client
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore import parsers, serialize
from botocore.awsrequest import HeadersDict
from botocore.exceptions import ClientError

from bot.playground.aws import World
from bot.playground.aws.balancers import Front
from bot.playground.aws.metrics import Publication
from tests.contracts.stages import virtual_world
from tests.fakes.aws_world import Clients, clients_of

AT_ONCE = Publication(least=0, most=0, revised=0)
RATE = 50.0


class Shop:
    """A service behind a load balancer, a canary with a tenth of its traffic, and CloudWatch."""

    def __init__(self, world: World, aws: Clients) -> None:
        self.world, self.aws = world, aws
        self.v1 = world.push("backend", "v1")
        self.v2 = world.push("backend", "v2")
        self.front: Front = world.balancers.create_service(
            "prod", "backend", image="v1", per_second=RATE, weights=(9, 1), history=0
        )
        world.create_service(
            "prod",
            "backend-canary",
            image="v2",
            repository="backend",
            container="backend",
            desired=1,
            target_group=self.front.canary,
        )

    def query(self, metric: str, stat: str, group: str | None, **given: Any) -> dict[str, Any]:
        names = {"LoadBalancer": self.front.load_balancer.partition("loadbalancer/")[2]}
        if group is not None:
            names["TargetGroup"] = group.rpartition(":")[2]
        return {
            "Id": "m",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/ApplicationELB",
                    "MetricName": metric,
                    "Dimensions": [{"Name": k, "Value": v} for k, v in names.items()],
                },
                "Period": 60,
                "Stat": stat,
                **given,
            },
        }

    def ask(self, *queries: dict[str, Any], minutes: float = 10, **given: Any) -> Any:
        now = self.world.moment()
        numbered = [{**each, "Id": f"m{number}"} for number, each in enumerate(queries)]
        times = {"StartTime": now - 60 * minutes, "EndTime": now, **given}
        return self.aws.cloudwatch.get_metric_data(MetricDataQueries=numbered, **times)

    def points(
        self, metric: str, stat: str, group: str | None, *, minutes: float = 10, **given: Any
    ) -> dict[int, float]:
        """Values by how many minutes ago their period began."""
        found = self.ask(self.query(metric, stat, group, **given), minutes=minutes)
        (result,) = found["MetricDataResults"]
        now = self.world.moment()
        ago = [round((now - at.timestamp()) // 60) for at in result["Timestamps"]]
        return dict(zip(ago, result["Values"], strict=True))

    def total(self, metric: str, stat: str, group: str | None) -> float:
        return sum(self.points(metric, stat, group).values())


@pytest.fixture
def world() -> Iterator[World]:
    with virtual_world() as started:
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


@pytest.fixture
def shop(world: World, aws: Clients) -> Shop:
    return Shop(world, aws)


@pytest.fixture
def prompt(world: World, shop: Shop) -> Shop:
    """One whose metrics are all there at once, ten minutes after it began."""
    world.metrics.publication = AT_ONCE
    world.advance(600)
    return shop


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


def test_counts_by_minute_for_each_target_group(prompt: Shop) -> None:
    stable = prompt.points("RequestCount", "Sum", prompt.front.stable)
    canary = prompt.points("RequestCount", "Sum", prompt.front.canary)

    assert list(stable) == list(range(1, 11))
    for values, rate in ((stable, 0.9 * RATE), (canary, 0.1 * RATE)):
        assert all(abs(each - rate * 60) < 6 * (rate * 60) ** 0.5 for each in values.values())
    assert prompt.total("RequestCount", "Sum", None) == sum([*stable.values(), *canary.values()])


def test_errors_of_targets_are_counted_for_their_group(prompt: Shop) -> None:
    prompt.world.traffic.version(prompt.v2).errors = 0.5
    prompt.world.advance(600)

    errors = prompt.total("HTTPCode_Target_5XX_Count", "Sum", prompt.front.canary)
    served = prompt.total("RequestCount", "Sum", prompt.front.canary)
    good = prompt.total("HTTPCode_Target_2XX_Count", "Sum", prompt.front.canary)
    assert errors == pytest.approx(served / 2, rel=0.1)
    assert errors + good == served


def test_a_metric_without_occurrences_has_no_data_points(prompt: Shop) -> None:
    for digest in (prompt.v1, prompt.v2):
        prompt.world.traffic.version(digest).errors = 0.0
    prompt.world.advance(660)

    assert prompt.points("HTTPCode_Target_5XX_Count", "Sum", prompt.front.stable) == {}
    assert prompt.points("HTTPCode_ELB_5XX_Count", "Sum", None) == {}
    assert len(prompt.points("RequestCount", "Sum", prompt.front.stable)) == 10
    prompt.world.traffic.set(prompt.front.rule, per_second=0)
    prompt.world.advance(660)
    assert prompt.points("RequestCount", "Sum", prompt.front.stable) == {}
    assert prompt.points("TargetResponseTime", "p95", prompt.front.stable) == {}


def test_the_load_balancer_s_own_errors_belong_to_no_target_group(prompt: Shop) -> None:
    prompt.world.scale("prod", "backend-canary", 0)
    prompt.world.advance(660)

    own = prompt.total("HTTPCode_ELB_5XX_Count", "Sum", None)
    assert own == pytest.approx(0.1 * RATE * 600, rel=0.1)
    assert prompt.total("HTTPCode_ELB_503_Count", "Sum", None) == own
    assert prompt.points("HTTPCode_ELB_5XX_Count", "Sum", prompt.front.canary) == {}
    # Only requests for which a target was chosen are counted.
    assert prompt.points("RequestCount", "Sum", prompt.front.canary) == {}


def test_refused_connections_count_as_requests_and_as_502(prompt: Shop) -> None:
    prompt.world.traffic.version(prompt.v2).unreachable = 1.0
    prompt.world.advance(660)

    served = prompt.total("RequestCount", "Sum", prompt.front.canary)
    assert prompt.total("TargetConnectionErrorCount", "Sum", prompt.front.canary) == served
    assert prompt.total("HTTPCode_ELB_502_Count", "Sum", None) == served
    assert prompt.total("HTTPCode_Target_5XX_Count", "Sum", prompt.front.canary) == 0
    assert prompt.points("TargetResponseTime", "Average", prompt.front.canary) == {}


def test_statistics_of_response_times(prompt: Shop) -> None:
    def value(stat: str) -> float:
        (found,) = prompt.points(
            "TargetResponseTime", stat, prompt.front.stable, Period=600, minutes=9
        ).values()
        return found

    prompt.world.traffic.version(prompt.v1).pod_deviation = 0.0
    prompt.world.advance(1200 - prompt.world.moment() % 600)

    # Log-normal with a median of 40 ms and sigma .5.
    assert value("p50") == pytest.approx(0.04, rel=0.03)
    assert value("p95") == pytest.approx(0.04 * 2.276, rel=0.03)
    assert value("p99.9") == pytest.approx(0.04 * 4.69, rel=0.1)
    assert value("Average") == pytest.approx(0.04 * 1.133, rel=0.03)
    count = value("SampleCount")
    assert value("Sum") == pytest.approx(count * value("Average"))
    assert value("Minimum") < value("p50") < value("Maximum")
    assert value("TC(0.04:)") + value("TC(:0.04)") == count
    assert value("TC(0.04:0.0912)") == pytest.approx(0.45 * count, rel=0.03)
    assert value("PR(:0.0912)") == pytest.approx(95, abs=0.5)
    assert value("PR(0.04:0.0912)") == pytest.approx(45, abs=1)


def test_statistics_of_counts(prompt: Shop) -> None:
    def value(stat: str) -> float:
        return prompt.points("RequestCount", stat, prompt.front.stable)[5]

    assert value("Sum") == value("SampleCount") > 1000
    assert value("Average") == value("Minimum") == value("Maximum") == 1
    assert value("TC(0:1)") == value("Sum")
    assert value("PR(1:)") == 0


def test_longer_periods_are_told_at_their_start(prompt: Shop) -> None:
    end = prompt.world.moment() // 300 * 300
    by_minute = prompt.query("RequestCount", "Sum", prompt.front.stable)
    by_five = prompt.query("RequestCount", "Sum", prompt.front.stable, Period=300)

    found = prompt.ask(by_minute, by_five, StartTime=end - 300, EndTime=end)
    minutes, five = found["MetricDataResults"]

    assert [each.timestamp() for each in five["Timestamps"]] == [end - 300]
    assert len(minutes["Values"]) == 5
    assert five["Values"] == [sum(minutes["Values"])]


def test_the_start_is_inclusive_the_end_exclusive(prompt: Shop) -> None:
    mark = prompt.world.moment() // 60 * 60
    query = prompt.query("RequestCount", "Sum", prompt.front.stable)

    def seen(start: float, end: float) -> list[float]:
        (result,) = prompt.ask(query, StartTime=start, EndTime=end)["MetricDataResults"]
        return [mark - at.timestamp() for at in result["Timestamps"]]

    assert seen(mark - 120, mark - 60) == [120]
    # A start within a minute is rounded down to it.
    assert seen(mark - 90, mark - 60) == [120]
    assert seen(mark - 120, mark - 59) == [60, 120]


def test_newest_first_unless_told(prompt: Shop) -> None:
    query = prompt.query("RequestCount", "Sum", prompt.front.stable)

    def times(**given: Any) -> list[datetime]:
        (result,) = prompt.ask(query, **given)["MetricDataResults"]
        return list(result["Timestamps"])

    assert times() == sorted(times(), reverse=True)
    assert times(ScanBy="TimestampAscending") == sorted(times())


def test_data_points_page_by_time(prompt: Shop) -> None:
    queries = [
        prompt.query("RequestCount", "Sum", group)
        for group in (prompt.front.stable, prompt.front.canary)
    ]
    whole = prompt.ask(*queries)
    assert "NextToken" not in whole
    assert {each["StatusCode"] for each in whole["MetricDataResults"]} == {"Complete"}

    joined: list[list[float]] = [[], []]
    pages, token = 0, dict[str, Any]()
    while True:
        page = prompt.ask(*queries, MaxDatapoints=6, **token)
        pages += 1
        for into, result in zip(joined, page["MetricDataResults"], strict=True):
            into.extend(result["Values"])
        if "NextToken" not in page:
            break
        assert {each["StatusCode"] for each in page["MetricDataResults"]} == {"PartialData"}
        token = {"NextToken": page["NextToken"]}
    assert pages == 4
    assert joined == [each["Values"] for each in whole["MetricDataResults"]]
    assert code_of(lambda: prompt.ask(*queries, NextToken="nonsense")) == "InvalidNextToken"


def test_up_to_500_queries_in_a_call(prompt: Shop) -> None:
    query = prompt.query("RequestCount", "Sum", prompt.front.stable)

    assert len(prompt.ask(*[query] * 500)["MetricDataResults"]) == 500
    assert code_of(lambda: prompt.ask(*[query] * 501)) == "ValidationError"


def test_what_is_not_to_be_returned_is_not(prompt: Shop) -> None:
    query = prompt.query("RequestCount", "Sum", prompt.front.stable)

    found = prompt.ask({**query, "ReturnData": False}, {**query, "Label": "ours"})

    (result,) = found["MetricDataResults"]
    assert (result["Id"], result["Label"]) == ("m1", "ours")


def test_a_series_that_there_is_not_is_empty(prompt: Shop) -> None:
    query = prompt.query("RequestCount", "Sum", prompt.front.stable)
    other = prompt.query("RequestCount", "Sum", prompt.front.stable + "x")
    strange = prompt.query("NoSuchMetric", "Sum", prompt.front.stable)
    nothing = prompt.query("RequestCount", "Sum", prompt.front.stable)
    nothing["MetricStat"]["Metric"]["Namespace"] = "AWS/EC2"
    unit = prompt.query("RequestCount", "Sum", prompt.front.stable, Unit="Seconds")
    part = prompt.query("RequestCount", "Sum", prompt.front.stable)
    del part["MetricStat"]["Metric"]["Dimensions"][0]

    results = prompt.ask(query, other, strange, nothing, unit, part)["MetricDataResults"]

    assert [bool(each["Values"]) for each in results] == [True, *[False] * 5]
    assert {each["StatusCode"] for each in results} == {"Complete"}


REFUSED: dict[str, Callable[[Shop], Any]] = {
    "no query": lambda shop: shop.ask(),
    "a statistic that there is not": lambda shop: shop.points("RequestCount", "p950", None),
    "a range without bounds": lambda shop: shop.points("RequestCount", "TC(:)", None),
    "a period of half a minute": lambda shop: shop.points("RequestCount", "Sum", None, Period=30),
    "a period that is no minutes": lambda shop: shop.points("RequestCount", "Sum", None, Period=90),
    "an end before the start": lambda shop: shop.ask(
        shop.query("RequestCount", "Sum", None), StartTime=600, EndTime=600
    ),
    "an expression": lambda shop: shop.ask({"Id": "m", "Expression": "1 + 1"}),
    "too many data points": lambda shop: shop.ask(
        shop.query("RequestCount", "Sum", None), MaxDatapoints=100_801
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cloudwatch_refuses(shop: Shop, what: str) -> None:
    assert code_of(lambda: REFUSED[what](shop)) == "ValidationError"


def test_ids_are_unique_and_begin_with_a_small_letter(shop: Shop) -> None:
    query = shop.query("RequestCount", "Sum", None)
    times = {"StartTime": 0, "EndTime": 60}

    for queries in ([query, query], [{**query, "Id": "M"}], [{**query, "Id": "1m"}]):
        ask = functools.partial(
            shop.aws.cloudwatch.get_metric_data, MetricDataQueries=queries, **times
        )
        assert code_of(ask) == "ValidationError"


def test_a_minute_appears_one_to_two_minutes_after_its_end(world: World, shop: Shop) -> None:
    world.advance(600 - world.moment() % 60)
    ended = world.moment() - 60
    query = shop.query("RequestCount", "Sum", shop.front.stable)

    def there(minute: float) -> bool:
        (result,) = shop.ask(query, StartTime=minute, EndTime=minute + 60)["MetricDataResults"]
        return bool(result["Values"])

    delays = []
    for minute in [ended + 60 * each for each in range(6)]:
        while not there(minute):
            world.advance(5)
        delays.append(world.moment() - minute - 60)
    assert all(60 <= each <= 125 for each in delays)
    assert len(set(delays)) > 1


def test_each_metric_of_a_minute_appears_for_itself(world: World, shop: Shop) -> None:
    world.traffic.version(shop.v1).errors = 0.5
    world.advance(600)
    different = 0
    for _ in range(24):
        world.advance(5)
        requests = shop.points("RequestCount", "Sum", shop.front.stable)
        errors = shop.points("HTTPCode_Target_5XX_Count", "Sum", shop.front.stable)
        different += set(requests) != set(errors)
        assert set(range(4, 9)) <= set(requests) & set(errors)
    assert different


def test_young_minutes_are_revised_and_older_ones_are_not(world: World, shop: Shop) -> None:
    world.metrics.publication = Publication(revised=1.0, missing=0.3)
    world.advance(600 - world.moment() % 60)
    query = shop.query("RequestCount", "Sum", shop.front.stable)
    seen: dict[float, list[tuple[float, float]]] = {}
    for _ in range(60):
        world.advance(10)
        (result,) = shop.ask(query)["MetricDataResults"]
        for at, value in zip(result["Timestamps"], result["Values"], strict=True):
            age = world.moment() - at.timestamp() - 60
            seen.setdefault(at.timestamp(), []).append((age, value))

    revised = 0
    for values in seen.values():
        early = [value for age, value in values if age < 180]
        late = {value for age, value in values if age >= 180}
        assert len(late) <= 1
        if early and late:
            assert max(early) <= max(late)
            revised += max(early) < max(late)
    assert revised > 3


def test_history_that_was_filled_in_is_published(world: World, shop: Shop) -> None:
    world.traffic.backfill(shop.front.rule, minutes=60)

    seen = shop.points("RequestCount", "Sum", shop.front.stable, minutes=61)

    assert set(range(4, 60)) <= set(seen)
    assert not {0, 1} & set(seen)


def test_faults(world: World, shop: Shop) -> None:
    def ask() -> Any:
        return shop.points("RequestCount", "Sum", None)

    world.faults.throttle("GetMetricData")
    assert code_of(ask) == "Throttling"
    world.faults.fail("GetMetricData")
    assert code_of(ask) == "ServiceUnavailable"
    world.faults.deny("GetMetricData", n=1)
    with pytest.raises(ClientError) as raised:
        ask()
    error = raised.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    assert "not authorized to perform: cloudwatch:GetMetricData" in error["Message"]
    world.faults.throttle("*", n=None)
    assert code_of(ask) == "Throttling"
    world.faults.clear()
    ask()


def test_alarms_and_their_states(world: World, aws: Clients) -> None:
    world.push("backend", "v1")
    world.create_service("prod", "backend", image="v1", alarms=["backend-5xx", "backend-slow"])
    world.metrics.set_alarm("other", "INSUFFICIENT_DATA")

    def shown(**given: Any) -> dict[str, str]:
        alarms = aws.cloudwatch.describe_alarms(**given)["MetricAlarms"]
        return {each["AlarmName"]: each["StateValue"] for each in alarms}

    assert shown() == {"backend-5xx": "OK", "backend-slow": "OK", "other": "INSUFFICIENT_DATA"}
    world.trip_alarm("backend-5xx")
    assert shown(AlarmNames=["backend-5xx", "nothing"]) == {"backend-5xx": "ALARM"}
    assert shown(StateValue="ALARM") == {"backend-5xx": "ALARM"}
    assert shown(AlarmNamePrefix="backend-s") == {"backend-slow": "OK"}
    world.metrics.set_alarm("backend-5xx", "OK")
    assert shown(StateValue="ALARM") == {}
    first = aws.cloudwatch.describe_alarms(MaxRecords=2)
    rest = aws.cloudwatch.describe_alarms(NextToken=first["NextToken"])
    assert [len(each["MetricAlarms"]) for each in (first, rest)] == [2, 1]


class Wire:
    """A caller that speaks one of CloudWatch's protocols, by botocore's own serializers."""

    def __init__(self, world: World, protocol: str) -> None:
        self._address = urllib.parse.urlsplit(world.serve()).netloc
        self._serializer = serialize.create_serializer(protocol)
        self._parser = parsers.create_parser(protocol)
        self._model = botocore.session.Session().get_service_model("cloudwatch")

    def call(self, operation: str, parameters: dict[str, Any]) -> Any:
        model = self._model.operation_model(operation)
        request = self._serializer.serialize_to_request(parameters, model)
        body = request["body"]
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
        scope = "Credential=AKIATEST/20260101/eu-west-1/monitoring/aws4_request"
        headers = {**request["headers"], "Authorization": f"AWS4-HMAC-SHA256 {scope}"}
        connection = http.client.HTTPConnection(self._address, timeout=20)
        try:
            connection.request("POST", request["url_path"], body, headers)
            answer = connection.getresponse()
            found = {
                "body": answer.read(),
                "headers": HeadersDict(answer.headers.items()),
                "status_code": answer.status,
            }
        finally:
            connection.close()
        assert model.output_shape is not None
        return self._parser.parse(found, model.output_shape)


@pytest.mark.parametrize("protocol", ["smithy-rpc-v2-cbor", "json", "query"])
def test_all_three_protocols_say_the_same(prompt: Shop, protocol: str) -> None:
    wire = Wire(prompt.world, protocol)
    end = datetime.fromtimestamp(prompt.world.moment() // 60 * 60, UTC)
    query = prompt.query("RequestCount", "Sum", prompt.front.stable)
    asked = {
        "MetricDataQueries": [{**query, "ReturnData": True}],
        "StartTime": datetime.fromtimestamp(end.timestamp() - 600, UTC),
        "EndTime": end,
        "ScanBy": "TimestampAscending",
        "MaxDatapoints": 5,
    }

    answer = wire.call("GetMetricData", asked)
    expected = prompt.aws.cloudwatch.get_metric_data(**asked)
    for each in (answer, expected):
        del each["ResponseMetadata"]

    assert len(expected["MetricDataResults"][0]["Values"]) == 5
    assert answer == expected


@pytest.mark.parametrize("protocol", ["smithy-rpc-v2-cbor", "json", "query"])
def test_all_three_protocols_refuse_alike(world: World, shop: Shop, protocol: str) -> None:
    wire = Wire(world, protocol)
    asked = {"MetricDataQueries": [], "StartTime": 0, "EndTime": 60}

    def code() -> str:
        return str(wire.call("GetMetricData", asked)["Error"]["Code"])

    assert shop
    assert code() == "ValidationError"
    world.faults.throttle("GetMetricData")
    assert code() == "Throttling"
    world.faults.deny("GetMetricData", n=1)
    assert code() == "AccessDenied"
