"""The part of a canary's plan that names a Prometheus server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from bot.model.canary_plan import Prometheus

URL = "http://prometheus.monitoring:9090"


def made(**changes: Any) -> Prometheus:
    return Prometheus.model_validate({"url": URL, "labels": 'app="{{version}}"', **changes})


def test_a_minute_between_scrapes_is_the_default() -> None:
    assert made().scrape_interval == timedelta(minutes=1)
    assert made(scrape_interval="15s").scrape_interval == timedelta(seconds=15)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": 'app="web"'},
        {"labels": ""},
        {"labels": '{app="{{version}}"}'},
        {"scrape_interval": "2m"},
        {"scrape_interval": "0s"},
        {"failed": ""},
        {"url": "http://user:secret@prometheus"},
        {"url": "prometheus:9090"},
    ],
)
def test_what_cannot_be_asked_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        made(**changes)
