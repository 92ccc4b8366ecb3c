"""What Prometheus is asked: pure.

**Increments.** ``increase()`` is not what is counted by. It extrapolates to the ends of its
window, so that its counts are not whole and claim more evidence than there is, it never sees what
fell between two windows, and it takes the first failed request of a replica, with which a new
series begins, for nothing. Instead each replica's counters are compared with their own values of
one step before, and then summed over the replicas. Steps follow each other without a gap, so
nothing is counted twice or lost. A replica that

- has counted on counts by how much, in series that are new to it from 0;
- is new counts from its second scrape on: nobody knows when what it had counted by its first one
  happened. So does one whose counters went back, as it was restarted;
- could not be scraped a step before (that ends its series) counts nothing: a gap is a gap, for
  requests and errors alike, and what fell into it is lost.

Replicas are told apart by the plan's label and by ``instance``, which Prometheus sets itself.
All of it is summed by the server, whose answers stay small however many series there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.model.canary import Arms
from bot.model.canary_plan import Prometheus
from bot.model.errors import Misconfigured

VERSION = "{{version}}"
#: The label that tells the parts of one answer apart.
PART = "quarterdeck"
REQUESTS, FAILED = "requests", "failed"
TIMED, WITHIN, MEDIAN, SCRAPES = "timed", "within", "median", "scrapes"

#: Seconds over which scrapes are counted.
LATELY = 600

_MATCHER = re.compile(
    r"(=~|!~|!=|=)(\s*)(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`)", re.DOTALL
)
_TARGET_GROUP = re.compile(r"arn:[^:]+:elasticloadbalancing:[^:]*:[^:]*:targetgroup/([^/]+)/.+")


def selecting(labels: str, version: str) -> str:
    """The plan's labels for one version, whose name is quoted as each matcher needs it.

    Raises ``Misconfigured`` where that cannot be.
    """

    def put(found: re.Match[str]) -> str:
        operator, space, text = found[1], found[2], found[3]
        value = re.escape(version) if operator in {"=~", "!~"} else version
        return operator + space + text.replace(VERSION, _quoted(value, text[0]))

    done = _MATCHER.sub(put, labels)
    if not version or VERSION not in labels or VERSION in _MATCHER.sub("", labels):
        raise Misconfigured(
            f"The labels {labels} do not select the version {version or 'without a name'}.",
            hint=f'Write {VERSION} within a quoted value, such as app="{VERSION}".',
        )
    return done.rstrip(", \n\t").strip()


def any_version(labels: str) -> str:
    """The plan's labels for whatever versions there are, or more: to look what is there at all."""

    def put(found: re.Match[str]) -> str:
        operator, space, text = found[1], found[2], found[3]
        if VERSION not in text:
            return found[0]
        anything = text.replace(VERSION, ".+") if operator == "=~" else '".*"'
        return f"=~{space}{anything}"

    return _MATCHER.sub(put, labels)


def _quoted(value: str, quote: str) -> str:
    if quote != "`":
        value = value.replace("\\", "\\\\").replace(quote, f"\\{quote}").replace("\n", "\\n")
    elif quote in value:
        raise Misconfigured(f"The version {value} cannot be written within backticks.")
    return value


@dataclass(frozen=True, slots=True)
class Version:
    """One version's series, and what to ask about them. ``labels`` select it."""

    plan: Prometheus
    labels: str

    def counted(self, name: str, step: int) -> Iterator[str]:
        """Increments over ``step`` seconds: of requests, of failed ones, of those that took no
        longer than each bound (cumulative, by ``le``) and of all of which the time is known."""
        requests = self._grown(self._select(self.plan.requests), step)
        yield _part(name, REQUESTS, f"sum ({requests} >= 0)")
        # A replica's first failed request begins a series that was not there before.
        failed = self._grown(self._select(self.plan.requests, self.plan.failed), step, new=True)
        yield _part(name, FAILED, self._where(failed, requests))
        if self.plan.durations is not None:
            timed = self._grown(self._select(f"{self.plan.durations}_count"), step)
            within = self._grown(self._select(f"{self.plan.durations}_bucket"), step, ", le")
            yield _part(name, TIMED, f"sum ({timed} >= 0)")
            yield _part(name, WITHIN, self._where(within, timed, " by (le)"))

    @property
    def exposed(self) -> str:
        """What its counters of requests say, all in all; nothing where it has none."""
        return f"sum({self._select(self.plan.requests)})"

    def replicas(self, seconds: int) -> str:
        """Each replica's median response time, and of how many requests it is.

        Extrapolation does no harm here: it is the same for all buckets of a replica.
        """
        by, span = self.plan.pod, f"[{seconds}s]"
        timed = self._select(f"{self.plan.durations}_count")
        within = self._select(f"{self.plan.durations}_bucket")
        medians = f"histogram_quantile(0.5, sum by ({by}, le) (increase({within}{span})))"
        return union(
            (
                _part("", MEDIAN, medians),
                _part("", TIMED, f"sum by ({by}) (increase({timed}{span}))"),
            )
        )

    def there(self, seconds: int) -> str:
        """How much there was lately: requests, their times, and scrapes of one series."""
        by, span = self.plan.pod, f"[{seconds}s]"
        requests = self._select(self.plan.requests)
        parts = [
            _part("", REQUESTS, f"sum by ({by}) (increase({requests}{span}))"),
            _part("", SCRAPES, f"max(count_over_time({requests}[{LATELY}s]))"),
        ]
        if self.plan.durations is not None:
            timed = self._select(f"{self.plan.durations}_count")
            within = self._select(f"{self.plan.durations}_bucket")
            parts += [
                _part("", TIMED, f"sum(increase({timed}{span}))"),
                _part("", WITHIN, f"sum by (le) (increase({within}{span}))"),
            ]
        return union(parts)

    def _select(self, metric: str, more: str = "") -> str:
        labels = f"{self.labels},{more.strip().rstrip(',')}" if more.strip() else self.labels
        return f"{metric}{{{labels}}}"

    @property
    def _replica(self) -> str:
        return ", ".join(dict.fromkeys((self.plan.pod, "instance")))

    def _where(self, part: str, whole: str, by: str = "") -> str:
        """The part's sum over the replicas whose whole has counted on. A part may have shrunk all
        the same, where an exporter drops series that were idle for long."""
        same = f"on ({self._replica})"
        return f"sum{by} (clamp_min({part}, 0) and {same} ({whole} >= 0))"

    def _grown(self, series: str, step: int, by: str = "", *, new: bool = False) -> str:
        """By how much each replica's sum is more than ``step`` seconds ago; less is negative."""
        now = f"sum by ({self._replica}{by}) ({series})"
        grown = f"{now} - sum by ({self._replica}{by}) ({series} offset {step}s)"
        return f"({grown} or {now})" if new else f"({grown})"


def versions(plan: Prometheus, arms: Arms) -> tuple[Version, Version]:
    """Canary and stable. Raises ``Misconfigured`` where they cannot be told apart."""
    if arms.canary == arms.stable:
        raise Misconfigured(f"Both versions have the same name, {arms.stable or 'none'}.")
    return version_of(plan, arms.canary), version_of(plan, arms.stable)


def version_of(plan: Prometheus, arm: str) -> Version:
    """One of them. Raises ``Misconfigured`` where it cannot be selected."""
    return Version(plan, selecting(plan.labels, named(arm)))


def named(arm: str) -> str:
    """What stands in labels for a version: a target group's ARN is nowhere in them, its name is."""
    found = _TARGET_GROUP.fullmatch(arm)
    return found[1] if found else arm


def union(expressions: Iterable[str]) -> str:
    """One expression of many that are told apart by ``PART``."""
    return "\nor ".join(expressions)


def _part(name: str, part: str, expression: str) -> str:
    tag = f"{name} {part}".strip()
    return f'label_replace({expression}, "{PART}", "{tag}", "", "")'
