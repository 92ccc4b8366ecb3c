"""What a part of the catalog accepts by itself."""

# ruff: noqa: DTZ001 - hypothesis takes naive bounds, and a clock on a wall is naive

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from bot.model.catalog import Catalog, FreezeWindow, Policy, TargetSpec
from bot.model.deployment import Target
from bot.model.moments import format_duration, instant, parse_duration
from bot.model.part import UserId


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("30m", 30),
        ("4h", 240),
        ("62h", 3720),
        ("1d12h", 2160),
        ("1w", 10080),
        ("90s", 1.5),
        ("0h", 0),
        (" 4h ", 240),
        ("PT4H", 240),
        ("P1DT12H", 2160),
        ("P2W", 20160),
        ("366d", 527040),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, minutes: float) -> None:
    assert parse_duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "text",
    [
        *("", "4", "h", "4x", "-4h", "4h30", "1h1d", "4 h", "P", "PT", "P1DT", "4H", "1.5h"),
        *("٤h", "4h\n5m", "9" * 5000 + "h"),
    ],
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="written like 30m, 4h or 1d12h"):
        parse_duration(text)


def test_a_duration_of_more_than_a_year_is_refused() -> None:
    with pytest.raises(ValueError, match="366 days"):
        parse_duration("367d")


@given(st.integers(0, 366 * 86400))
def test_a_duration_is_written_so_that_it_is_read_back(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("value", [4, 4.0, None, True, "soon"])
def test_a_bare_number_is_no_duration(value: object) -> None:
    with pytest.raises(ValidationError, match="written like 30m"):
        Policy.model_validate({"approval_expires_after": value})


def window(**parts: object) -> FreezeWindow:
    return FreezeWindow.model_validate({"name": "x", **parts})


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({}, '"cron" and "duration", or "from" and "until"'),
        ({"cron": "0 0 * * *"}, '"duration" is missing beside "cron"'),
        ({"duration": "4h"}, '"cron" is missing beside "duration"'),
        ({"from": "2026-01-01"}, '"until" is missing beside "from"'),
        ({"until": "2026-01-01"}, '"from" is missing beside "until"'),
        ({"cron": "0 0 * * *", "duration": "4h", "until": "2026-01-01"}, "exclude each other"),
        ({"cron": "0 0 * *", "duration": "4h"}, "five fields"),
        ({"cron": "0 0 0 * * *", "duration": "4h"}, "five fields"),
        ({"cron": "60 0 * * *", "duration": "4h"}, "bad minute"),
        ({"cron": "0 0 30 2 *", "duration": "4h"}, "bad day-of-month"),
        ({"cron": "0 0 * * *" * 30, "duration": "4h"}, "at most 100"),
        ({"cron": "0 0 * * *", "duration": "0h"}, "longer than 0"),
        ({"cron": "0 0 * * *", "duration": "366d"}, "shorter than 366 days"),
        ({"cron": "0 0 * * *", "duration": "4h", "time_zone": "Berlin"}, "no such IANA"),
        ({"cron": "0 0 * * *", "duration": "4h", "time_zone": "../../etc/passwd"}, "no such IANA"),
        ({"cron": "0 0 * * *", "duration": "4h", "time_zone": "Europe"}, "no such IANA"),
        ({"from": "2026-01-02", "until": "2026-01-02"}, "later than"),
        ({"from": "2026-01-02T12:00+01:00", "until": "2026-01-02T11:30"}, None),
        ({"from": "2026-01-02T12:00", "until": "2026-01-02T13:30+02:00"}, "later than"),
        ({"from": "20260102", "until": "2026-01-03"}, "written like"),
        ({"from": 1767312000, "until": "2027-01-03"}, "written like"),
        ({"from": "2026-02-30", "until": "2026-03-03"}, "no such date"),
        ({"from": "0001-01-01", "until": "2026-03-03"}, "written like"),
    ],
)
def test_a_window_repeats_or_has_two_dates(parts: dict[str, object], complaint: str | None) -> None:
    if complaint is None:
        assert window(**parts).ends is not None
        return
    with pytest.raises(ValidationError) as caught:
        window(**parts)
    assert complaint in str(caught.value)


@given(st.text("0123456789*/,-L#W MONFRI", max_size=30))
def test_any_text_is_a_cron_expression_or_refused(cron: str) -> None:
    try:
        made = window(cron=cron, duration="1h")
    except ValidationError:
        return
    assert made.cron == cron


def test_ids_take_ascii_digits_only() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(UserId).validate_python("U02٤BE7LH")


def test_only_true_and_false_are_booleans() -> None:
    with pytest.raises(ValidationError, match="self_approval"):
        Policy.model_validate({"self_approval": "yes"})


def test_the_clock_of_a_zone_and_the_instant() -> None:
    skipped = datetime(2026, 3, 29, 2, 30)
    twice = datetime(2026, 10, 25, 2, 30)
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert instant(skipped, "Europe/Berlin") == jump == instant(skipped, "Europe/Berlin", last=True)
    assert instant(twice, "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant(twice, "Europe/Berlin", last=True) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    aware = twice.replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    assert instant(aware, "Europe/Berlin") == aware


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),
    st.timedeltas(timedelta(0), timedelta(days=2)),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/New_York"]),
)
def test_a_later_clock_is_never_an_earlier_instant(
    clock: datetime, more: timedelta, zone: str
) -> None:
    for last in (False, True):
        assert instant(clock, zone, last=last) <= instant(clock + more, zone, last=last)
    assert instant(clock, zone) <= instant(clock, zone, last=True)


ECS = {"region": "eu-central-1", "cluster": "c", "service": "s", "container": "app"}


def catalog() -> Catalog:
    ecr = {"registry": "012345678901", "region": "eu-central-1", "repository": "app"}
    return Catalog.model_validate(
        {
            "version": 1,
            "services": {"app": {"repository": "acme/app", "ecr": ecr}},
            "environments": {"staging": {"policy": "open"}, "live": {"policy": "strict"}},
            "policies": {"open": {}, "strict": {"approvals": 1}, "own": {"approvals": 3}},
            "targets": [
                {"service": "app", "environment": "staging", "ecs": ECS, "policy": "own"},
                {"service": "app", "environment": "live", "ecs": ECS},
            ],
        }
    )


def test_a_target_s_own_policy_goes_before_its_environment_s() -> None:
    whole = catalog()
    assert whole.policy_of(Target("app", "staging")).approvals == 3
    assert whole.policy_of(Target("app", "live")).approvals == 1
    assert whole.spec(Target("app", "nowhere")) is None
    with pytest.raises(KeyError):
        whole.policy_of(Target("app", "nowhere"))


def test_defaults_refuse_rather_than_allow() -> None:
    policy = Policy()
    assert not policy.deployers.everyone
    assert not policy.self_approval
    spec = TargetSpec.model_validate({"service": "a", "environment": "b", "ecs": ECS})
    assert spec.timeout == timedelta(minutes=30)
    assert spec.key == Target("a", "b")


def test_a_catalog_survives_being_written_and_read() -> None:
    whole = catalog()
    written = whole.model_dump_json(by_alias=True, exclude_none=True)  # null is no way to leave out
    again = Catalog.model_validate_json(written)
    assert again == whole
    assert '"timeout":"30m"' in whole.model_dump_json(by_alias=True)
