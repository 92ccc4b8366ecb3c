"""The two queries of Prometheus's HTTP API, in the shapes that its documentation shows.

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import numpy as np
from promql_parser import MatrixSelector, StringLiteral, SubqueryExpr, parse_duration

from bot.playground.prometheus.evaluation import Evaluation, parsed
from bot.playground.prometheus.refusals import QueryError, bad_data, invalid
from bot.playground.prometheus.storage import Storage, Times
from bot.playground.prometheus.vectors import Column

#: Points of each series that one answer has at most.
MOST = 11_000
_ZONE = re.compile(r"Z$")

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    content_type: str
    body: bytes


class Api:
    """Answers requests out of one storage. Safe to share between threads.

    ``wall`` tells the time in seconds since 1970; ``look`` is called before each query.
    """

    def __init__(
        self,
        storage: Storage,
        wall: Callable[[], float] = time.time,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._storage = storage
        self._wall = wall
        self._look = look

    def answer(self, path: str, form: Form) -> Answer:
        """One request by its path and its parameters, wherever they stood."""
        match path:
            case "/-/ready":
                return Answer(200, "text/plain; charset=utf-8", b"Prometheus Server is Ready.\n")
            case "/api/v1/query":
                return self._asked(self._at, form)
            case "/api/v1/query_range":
                return self._asked(self._over, form)
            case _:
                return Answer(404, "text/plain; charset=utf-8", b"404 page not found\n")

    def _asked(self, query: Callable[[Form], Any], form: Form) -> Answer:
        try:
            if form.get("timeout"):
                _duration("timeout", form["timeout"])
            self._look()
            content, status = {"status": "success", "data": query(form)}, HTTPStatus.OK
        except QueryError as wrong:
            content = {"status": "error", "errorType": wrong.kind, "error": str(wrong)}
            status = wrong.status
        return Answer(status, "application/json", json.dumps(content).encode())

    def _at(self, form: Form) -> Any:
        moment = _moment("time", form["time"]) if form.get("time") else self._wall()
        moments = np.array([round(moment * 1000)], dtype=np.int64)
        found = Evaluation(self._storage, moments).of(parsed(form.get("query", "")))
        if not isinstance(found, list):
            return {"resultType": "scalar", "result": _points(moments, found)[0]}
        result = [{"metric": each.labels, "value": _told(moments, each)[0]} for each in found]
        return {"resultType": "vector", "result": result}

    def _over(self, form: Form) -> Any:
        moments = _moments(form)
        expression = parsed(form.get("query", ""))
        if isinstance(expression, MatrixSelector | StringLiteral | SubqueryExpr):
            raise bad_data(
                "invalid expression type for range query, must be Scalar or instant Vector"
            )
        found = Evaluation(self._storage, moments).of(expression)
        columns = (
            found
            if isinstance(found, list)
            else [Column({}, found, np.ones_like(moments, np.bool_))]
        )
        result = [{"metric": each.labels, "values": _told(moments, each)} for each in columns]
        return {"resultType": "matrix", "result": result}


def _moments(form: Form) -> Times:
    start, end = (_moment(each, form.get(each, "")) for each in ("start", "end"))
    if end < start:
        raise invalid("end", "end timestamp must not be before start time")
    step = _duration("step", form.get("step", ""))
    if step <= 0:
        raise invalid(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive "
            "integer",
        )
    if (end - start) / step > MOST:
        raise bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the "
            "query resolution (?step=XX)"
        )
    first, last = round(start * 1000), round(end * 1000)
    return np.arange(first, last + 1, max(round(step * 1000), 1), dtype=np.int64)


def _moment(name: str, text: str) -> float:
    """Seconds since 1970, which are written as such or as RFC 3339."""
    try:
        moment = float(text)
    except ValueError:
        try:
            found = datetime.fromisoformat(_ZONE.sub("+00:00", text))
        except ValueError:
            found = None
        moment = math.nan if found is None or found.tzinfo is None else found.timestamp()
    if not math.isfinite(moment):
        raise invalid(name, f'cannot parse "{text}" to a valid timestamp')
    return moment


def _duration(name: str, text: str) -> float:
    """Seconds, which are written as such or as a duration."""
    try:
        length = float(text)
    except ValueError:
        try:
            length = parse_duration(text).total_seconds()
        except ValueError:
            length = math.nan
    if not math.isfinite(length):
        raise invalid(name, f'cannot parse "{text}" to a valid duration')
    return length


def _told(moments: Times, column: Column) -> list[list[Any]]:
    return _points(moments[column.there], column.values[column.there])


def _points(moments: Times, values: Any) -> list[list[Any]]:
    return [
        [at / 1000, _written(value)]
        for at, value in zip(moments.tolist(), values.tolist(), strict=True)
    ]


def _written(value: float) -> str:
    """A sample's value, which is a string: JSON knows no infinity."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.0f}" if value == int(value) else repr(value)
