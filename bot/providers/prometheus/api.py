"""The two calls of Prometheus's HTTP API that are needed, each made once, with a deadline.

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Literal, NoReturn
from urllib.parse import urlencode

import urllib3
from pydantic import BaseModel, ValidationError
from urllib3 import exceptions as wire

from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    QuarterdeckError,
    Throttled,
    Transient,
    Unreachable,
)

#: Seconds for a connection to be made, for the server to give a query up, and for an answer:
#: a server that says what was too much for it is not taken for one that is lost.
CONNECT, QUERY, ANSWER = 3.0, 15.0, 20.0
#: Bytes of an answer that are read at most.
MOST = 16 << 20
_QUOTED = 300
_TOKEN_HINT = "Set PROMETHEUS_TOKEN to a token that may read there."  # noqa: S105 - its name


class Series(BaseModel):
    """Labels and samples: ``values`` of a range, ``value`` of a moment."""

    metric: dict[str, str]
    values: list[tuple[float, float]] = []
    value: tuple[float, float] | None = None

    @property
    def samples(self) -> Sequence[tuple[float, float]]:
        """All there are, by their times in seconds since 1970."""
        return self.values if self.value is None else [self.value]


class _Data(BaseModel):
    resultType: Literal["matrix", "vector"]  # noqa: N815 - as Prometheus spells it
    result: list[Series]


class _Answer(BaseModel):
    status: Literal["success", "error"]
    data: _Data | None = None
    error: str = ""
    warnings: list[str] = []


@dataclass(frozen=True, slots=True)
class Span:
    """A range of time: from ``begins`` to ``ends``, both inclusive, by ``step`` seconds."""

    begins: datetime
    ends: datetime
    step: int


class PrometheusApi:
    """Any number of servers. Safe to share between threads. ``most`` is of bytes per answer."""

    def __init__(self, token: str | None = None, most: int = MOST) -> None:
        self._most = most
        self._headers = {"Accept": "application/json", "User-Agent": "quarterdeck"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        # Retries belong to the workflow engine; redirects would carry the token elsewhere.
        self._pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=CONNECT, read=ANSWER), maxsize=8
        )

    def over(self, url: str, query: str, span: Span) -> Sequence[Series]:
        """The series of an expression over a range of time."""
        times = {
            "start": str(span.begins.timestamp()),
            "end": str(span.ends.timestamp()),
            "step": str(span.step),
        }
        return self._ask(url, "query_range", {"query": query, **times})

    def at(self, url: str, query: str, moment: datetime) -> Sequence[Series]:
        """The series of an expression at a moment."""
        return self._ask(url, "query", {"query": query, "time": str(moment.timestamp())})

    def close(self) -> None:
        """Close connections that are kept."""
        self._pool.clear()

    def _ask(self, url: str, call: str, form: Mapping[str, str]) -> Sequence[Series]:
        status, headers, body = self._send(url, call, form)
        try:
            answer = _Answer.model_validate_json(body)
        except ValidationError:
            answer = None
        if status != HTTPStatus.OK or (answer is not None and answer.status == "error"):
            raise refused(url, status, answer.error if answer else "", headers)
        if answer is None or answer.data is None:
            raise Unreachable(f"What {url} answered is not Prometheus's.")
        if answer.warnings:
            # What is missing from a partial answer must not be taken for zeros.
            raise Transient(f"Prometheus at {url} answered in part: {_cut(answer.warnings[0])}.")
        return answer.data.result

    def _send(
        self, url: str, call: str, form: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        body = urlencode({**form, "timeout": f"{QUERY:g}s"})
        headers = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            response = self._pool.request(
                "POST",
                f"{url.rstrip('/')}/api/v1/{call}",
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
            )
            try:
                text = response.read(self._most + 1)
            finally:
                response.release_conn()
        except (wire.HTTPError, OSError) as error:
            _lost(url, error)
        if len(text) > self._most:
            raise Misconfigured(
                f"Prometheus at {url} answered with more than {self._most} bytes.",
                hint='Select fewer series by "labels".',
            )
        return response.status, response.headers, text


def refused(url: str, status: int, said: str, headers: Mapping[str, str]) -> QuarterdeckError:
    """What an answer other than success means. Its text is quoted: the query holds no secret."""
    named = f"Prometheus at {url}"
    because = f": {_cut(said)}" if said else ""
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return AccessDenied(f"{named} denied the query ({status}).", hint=_TOKEN_HINT)
        case HTTPStatus.TOO_MANY_REQUESTS:
            fault = Throttled(f"{named} limits the rate of queries.")
            fault.retry_after = _seconds(headers.get("Retry-After", ""))
            return fault
        case HTTPStatus.BAD_REQUEST | HTTPStatus.UNPROCESSABLE_ENTITY:
            return Misconfigured(
                f"{named} cannot carry out the query{because}.",
                hint='Correct the canary\'s "prometheus" in the catalog.',
            )
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Transient(f"{named} failed to answer ({status}){because}.")
        case _:
            return Misconfigured(
                f"There is no Prometheus API at {url} ({status}){because}.",
                hint='Correct "url" of the canary\'s "prometheus" in the catalog.',
            )


def _lost(url: str, error: Exception) -> NoReturn:
    kind = type(error).__name__
    if isinstance(error, wire.LocationValueError):
        raise Misconfigured(f"{url} is no address that can be asked ({kind}).") from None
    raise Unreachable(f"Prometheus at {url} did not answer ({kind}).") from None


def _seconds(header: str) -> float:
    try:
        return max(0.0, float(header))
    except ValueError:  # an HTTP date, or none; the engine's own backoff will do
        return 0.0


def _cut(text: str) -> str:
    return " ".join(text.split())[:_QUOTED].rstrip(".")
