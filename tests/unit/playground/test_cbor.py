"""CBOR by the examples of RFC 8949, appendix A."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.playground.aws import cbor

BOTH_WAYS: list[tuple[Any, str]] = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    (-1, "20"),
    (-1000, "3903e7"),
    (1.1, "fb3ff199999999999a"),
    (-4.1, "fbc010666666666666"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    ("", "60"),
    ("IETF", "6449455446"),
    ("ü", "62c3bc"),
    ([], "80"),
    ([1, [2, 3], [4, 5]], "8301820203820405"),
    ({}, "a0"),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
]
READ_ONLY: list[tuple[Any, str]] = [
    (1.5, "f93e00"),
    (100000.0, "fa47c35000"),
    (1363896240, "c11a514b67b0"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("streaming", "7f657374726561646d696e67ff"),
    ([1, [2, 3], [4, 5]], "9f018202039f0405ffff"),
    ({"a": 1, "b": [2, 3]}, "bf61610161629f0203ffff"),
]
NONE: list[str] = ["", "18", "1903", "6449", "8301", "a1", "ff", "1f", "0000", "5f6161"]


@pytest.mark.parametrize(("value", "form"), BOTH_WAYS, ids=[form for _, form in BOTH_WAYS])
def test_what_is_written_and_read(value: Any, form: str) -> None:
    assert cbor.encode(value).hex() == form
    assert cbor.decode(bytes.fromhex(form)) == value


@pytest.mark.parametrize(("value", "form"), READ_ONLY, ids=[form for _, form in READ_ONLY])
def test_what_is_only_read(value: Any, form: str) -> None:
    assert cbor.decode(bytes.fromhex(form)) == value


def test_a_date_is_seconds_with_a_tag() -> None:
    encoded = cbor.encode(datetime(2013, 3, 21, 20, 4, 0, 500_000, tzinfo=UTC))

    assert encoded.hex() == "c1fb41d452d9ec200000"
    assert cbor.decode(encoded) == 1363896240.5


@pytest.mark.parametrize("form", NONE)
def test_what_is_no_cbor(form: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        cbor.decode(bytes.fromhex(form))


def test_what_has_no_form() -> None:
    with pytest.raises(TypeError, match="object"):
        cbor.encode(object())
