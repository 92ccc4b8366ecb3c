"""A Prometheus whose counters grow steadily, as far as our own queries ask for it.

It understands no PromQL: each part of a query bears a name (``bot.providers.prometheus.promql``),
and is answered with as much as grew over a step. It stands at a path of its own for each service.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bot.providers.prometheus.promql import FAILED, PART, REQUESTS
from tests.fakes.http_answers import http_answers

#: Requests per second of the stable version, and of the canary.
RATES = {"stable": 2000.0, "canary": 200.0}
_NAMED = re.compile(rf'"{PART}", "([^"]+)", "", ""')
_CALL = "query_range"


class SteadyPrometheus:
    """``failing`` is the share of a service's canary's requests that fail, none by default."""

    def __init__(self) -> None:
        self.url = ""
        self.failing: dict[str, float] = defaultdict(float)

    def answer(self, path: str, form: Mapping[str, str]) -> bytes:
        """The body for a call of the HTTP API."""
        service, call = path.removeprefix("/").partition("/")[0], path.rpartition("/")[2]
        names = _NAMED.findall(form["query"]) if call == _CALL else []
        result = [self._series(service, name, form) for name in names]
        data = {"resultType": "matrix" if call == _CALL else "vector", "result": result}
        return json.dumps({"status": "success", "data": data}).encode()

    def _series(self, service: str, name: str, form: Mapping[str, str]) -> Mapping[str, object]:
        arm, part = name.split(maxsplit=1)[0], name.rsplit(maxsplit=1)[-1]
        usual = 0.001 if arm == "stable" else max(0.001, self.failing[service])
        share = {REQUESTS: 1.0, FAILED: usual}[part]
        begins, ends, apart = (float(form[each]) for each in ("start", "end", "step"))
        count = int((ends - begins) / apart + 1e-6) + 1
        grown = RATES[arm] * share * apart  # we ask for increments over the very steps of a range
        values = [(begins + number * apart, f"{grown:g}") for number in range(count)]
        return {"metric": {PART: name}, "values": values}


@contextmanager
def steady_prometheus() -> Iterator[SteadyPrometheus]:
    """It answers until the block ends."""
    made = SteadyPrometheus()
    with http_answers() as server:
        server.reply = made.answer
        made.url = server.url
        yield made
