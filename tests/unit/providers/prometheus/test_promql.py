"""How a version is selected, and what is made of answers that are no numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.model.canary import Arms
from bot.model.canary_plan import Prometheus
from bot.model.errors import Misconfigured, Transient
from bot.providers.prometheus.api import Series
from bot.providers.prometheus.counts import Counted, replicas_of
from bot.providers.prometheus.promql import selecting, versions

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("labels", "version", "selected"),
    [
        ('app="{{version}}"', "web", 'app="web"'),
        (' app = "{{version}}" , ', "web", 'app = "web"'),
        ('app="web",hash="{{version}}",', "6d4f", 'app="web",hash="6d4f"'),
        ('app="{{version}}"', 'a"b\\c\nd', 'app="a\\"b\\\\c\\nd"'),
        ("app='{{version}}'", "it's", "app='it\\'s'"),
        ("app=`{{version}}`", "a\\b", "app=`a\\b`"),
        ('pod=~"{{version}}-.+"', "web.1", 'pod=~"web\\\\.1-.+"'),
        ("pod=~`{{version}}-.+`", "web.1", "pod=~`web\\.1-.+`"),
        ('pod!~"{{version}}-.+"', "a+b", 'pod!~"a\\\\+b-.+"'),
        ('a="{{version}}",b!="{{version}}"', "x", 'a="x",b!="x"'),
    ],
)
def test_a_version_is_quoted_as_its_matcher_needs(labels: str, version: str, selected: str) -> None:
    assert selecting(labels, version) == selected


@pytest.mark.parametrize(
    ("labels", "version"),
    [
        ('app="web"', "web"),
        ("app={{version}}", "web"),
        ('{{version}}="web"', "web"),
        ('app="{{version}}",pod={{version}}', "web"),
        ('app="{{version}}"', ""),
        ("app=`{{version}}`", "a`b"),
    ],
)
def test_what_does_not_select_a_version_is_refused(labels: str, version: str) -> None:
    with pytest.raises(Misconfigured):
        selecting(labels, version)


def test_two_versions_have_two_names() -> None:
    plan = Prometheus(url="http://prometheus", labels='app="{{version}}"')
    with pytest.raises(Misconfigured, match="same name, web"):
        versions(plan, Arms("web", "web"))


def test_a_target_group_stands_in_labels_by_its_name() -> None:
    plan = Prometheus(url="http://prometheus", labels='group="{{version}}"')
    arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup"
    canary, stable = versions(plan, Arms(f"{arn}/web/1", f"{arn}/web-canary/2"))
    assert (canary.labels, stable.labels) == ('group="web-canary"', 'group="web"')


def series(part: str, *values: float, **labels: str) -> Series:
    samples = [(15.0 * number, value) for number, value in enumerate(values, 1)]
    return Series(metric={"quarterdeck": part, **labels}, values=samples)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_zero(value: float) -> None:
    with pytest.raises(Transient, match="no number"):
        Counted([series("canary requests", 1, value)], "canary", lambda _: NOON)


def test_a_bucket_without_a_bound_is_no_bucket() -> None:
    with pytest.raises(Transient, match="no number"):
        Counted([series("canary within", 1, le="fast")], "canary", lambda _: NOON)


def test_bounds_are_numbers_however_they_are_written() -> None:
    found = Counted(
        [
            series("canary within", 1, le="1"),
            series("canary within", 2, le="1.0"),
            series("canary within", 2, le="1e-1"),
            series("canary within", 5, le="+Inf"),
            series("stable within", 5, le="7"),
        ],
        "canary",
        lambda _: NOON,
    )
    assert found.bounds == (0.1, 1.0)


def test_errors_and_slow_ones_are_never_more_than_requests() -> None:
    found = Counted(
        [series("x requests", 3), series("x failed", 5), series("x timed", 9)], "x", lambda _: NOON
    )
    bounds = found.chosen(None, canary=True)
    assert found.arm(NOON, bounds).counts == (3, 3, 0, 0, 0, 0, 0)


def moment(part: str, value: float, **labels: str) -> Series:
    return Series(metric={"quarterdeck": part, **labels}, value=(0.0, value))


def test_replicas_without_their_label_are_not_known() -> None:
    assert replicas_of([moment("timed", 900), moment("median", 0.1)], "pod") == (0.0, 0)


def test_one_replica_does_not_differ() -> None:
    one = [moment("timed", 900, pod="a"), moment("median", 0.1, pod="a")]
    assert replicas_of(one, "pod") == (0.0, 1)
    idle = [moment("timed", 0, pod="b"), moment("median", float("nan"), pod="b")]
    assert replicas_of([*one, *idle], "pod") == (0.0, 1)
