"""``Metrics`` on CloudWatch: minutes of target groups, many canaries in one call.

A minute is handed out when the plan's ``settles_after`` has passed since its end
(``bot.providers.ticks`` says why, and what of minutes without any request). Load balancers report
every minute; CloudWatch shows what they reported within two, and adds to it a while longer. How
replicas differ is not known: targets have no response times of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from typing_extensions import override

from bot.model.canary import Arms, Past, Reading, Readings, Wanted
from bot.model.canary_plan import CloudWatch
from bot.model.canary_ports import Metrics
from bot.model.catalog import TargetSpec
from bot.model.counts import Thresholds
from bot.model.errors import AccessDenied, Misconfigured, QuarterdeckError, Terminal
from bot.model.rollout import Finding
from bot.providers.batches import ask_together
from bot.providers.cloudwatch.counts import Minutes, alone, together
from bot.providers.cloudwatch.examination import examine
from bot.providers.cloudwatch.reads import SERIES_PER_CALL, Answers, Clients, CloudWatchReads
from bot.providers.cloudwatch.series import PERIOD, Group, Series, account_of, group_of
from bot.providers.ecs.reads import Account
from bot.providers.ticks import Closing

LENGTH = timedelta(seconds=PERIOD)
_PERCENTILES = (75, 95, 99)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of one canary, in CloudWatch's terms; ``minutes`` are those that are whole."""

    wanted: Wanted
    canary: Group
    stable: Group
    closing: Closing
    minutes: Sequence[datetime]

    @classmethod
    def of(cls, wanted: Wanted, now: datetime) -> Self:
        """Raises ``Misconfigured`` where CloudWatch cannot tell the versions apart."""
        arms = wanted.arms
        canary, stable = group_of(arms, arms.canary), group_of(arms, arms.stable)
        closing = closing_of(wanted.spec)
        return cls(wanted, canary, stable, closing, closing.whole(wanted.since, now))

    @property
    def series(self) -> Iterator[Series]:
        """Everything that its readings are made of."""
        yield from self.canary.counted(self.wanted.canary)
        yield from self.stable.counted(self.wanted.stable)

    def read(self, answers: Answers | QuarterdeckError, now: datetime) -> Sequence[Reading]:
        """Closed ones. Raises where there is no answer, or none in full to one of its series."""
        if isinstance(answers, QuarterdeckError):
            raise answers
        canary = Minutes(answers, self.canary, self.wanted.canary)
        stable = Minutes(answers, self.stable, self.wanted.stable)
        minutes = [Reading(at, PERIOD, *together(canary, stable, at)) for at in self.minutes]
        return self.closing.closed(minutes, now)


def closing_of(spec: TargetSpec) -> Closing:
    """When a minute is final, by the plan; by its default where the catalog has none any more."""
    given = spec.canary.cloudwatch if spec.canary is not None else None
    return Closing(PERIOD, (given or CloudWatch()).settles_after)


class CloudWatchMetrics(Metrics):
    """Safe to share between threads."""

    def __init__(self, clients: Clients) -> None:
        self._reads = CloudWatchReads(clients)

    @override
    def past(self, spec: TargetSpec, arms: Arms, until: datetime) -> Past:
        groups, account = groups_before(spec, arms), account_of(spec, arms)
        minutes = closing_of(spec).hour(until)
        hour = minutes[0], minutes[-1] + LENGTH
        times = [one for each in groups for one in (each.timed, *map(each.quantile, _PERCENTILES))]
        timed = self._reads.ask(account, times, *hour)
        quantiles = quantiles_of(timed, max(groups, key=lambda each: answered(timed, each)))
        # Counts beyond the hour's own quantiles: those have to be known first.
        thresholds = Thresholds(quantiles, quantiles[1], None) if quantiles else None
        series = dict.fromkeys(one for each in groups for one in each.counted(thresholds))
        answers = self._reads.ask(account, tuple(series), *hour)
        counted = [Minutes(answers, each, thresholds) for each in groups]
        return Past(
            tuple(alone(in_production(counted, at), at) for at in minutes), PERIOD, quantiles
        )

    def examine(self, spec: TargetSpec, now: datetime) -> Sequence[Finding]:
        """What ``doctor`` says of the target's canaries. Raises as every call does."""
        return examine(self._reads, spec, closing_of(spec).hour(now))

    @override
    def readings(self, wanted: Sequence[Wanted], now: datetime) -> Readings:
        seen: dict[str, Sequence[Reading]] = {}
        faults: dict[str, QuarterdeckError] = {}
        by_account: dict[Account, list[Asked]] = defaultdict(list)
        for each in wanted:
            try:
                asked = Asked.of(each, now)
            except Misconfigured as fault:
                faults[each.deployment_id] = fault
                continue
            if asked.minutes:
                by_account[account_of(each.spec, each.arms)].append(asked)
            else:
                seen[each.deployment_id] = ()
        for account, all_asked in by_account.items():
            for one, answers in self._answers(account, all_asked):
                try:
                    seen[one.wanted.deployment_id] = one.read(answers, now)
                except QuarterdeckError as fault:
                    faults[one.wanted.deployment_id] = fault
        return Readings(seen, faults)

    def _answers(
        self, account: Account, asked: Iterable[Asked]
    ) -> Iterator[tuple[Asked, Answers | QuarterdeckError]]:
        def ask(batch: Sequence[Asked]) -> Answers:
            begins = min(each.minutes[0] for each in batch)
            ends = max(each.minutes[-1] for each in batch) + LENGTH
            series = tuple(dict.fromkeys(one for each in batch for one in each.series))
            return self._reads.ask(account, series, begins, ends)

        for batch in batches(asked):
            yield from ask_together(batch, ask, _may_be_of_one)


def _may_be_of_one(fault: QuarterdeckError) -> bool:
    return isinstance(fault, Terminal) and not isinstance(fault, AccessDenied)


def batches(asked: Iterable[Asked]) -> Iterator[Sequence[Asked]]:
    """As many as a call may hold; what several share is asked for once.

    Who is far behind is asked about apart, so that everybody else's answers stay short.
    """
    batch: list[Asked] = []
    series: set[Series] = set()
    for each in sorted(asked, key=_first):
        more = series.union(each.series)
        if batch and (len(more) > SERIES_PER_CALL or _first(each) > batch[0].minutes[-1]):
            yield batch
            batch, more = [], set(each.series)
        batch.append(each)
        series = more
    if batch:
        yield batch


def _first(asked: Asked) -> datetime:
    return asked.minutes[0]


def groups_before(spec: TargetSpec, arms: Arms) -> Sequence[Group]:
    """The target groups in which a service served before its canary, the present one first.

    Where ECS shifts the traffic, its two groups take turns: who served an hour ago may have done
    so from the one that is the canary's now.
    """
    native = spec.canary is not None and spec.canary.strategy == "native"
    return [group_of(arms, each) for each in ((arms.stable, arms.canary)[: 1 + native])]


def in_production(groups: Sequence[Minutes], at: datetime) -> Minutes:
    """The one that had most of that minute's requests: an earlier canary's part is left out."""
    return max(groups, key=lambda each: each.served(at).requests)


def answered(answers: Answers, group: Group) -> float:
    """How many answers were timed."""
    return sum(answers.of(group.timed).values())


def quantiles_of(answers: Answers, group: Group) -> tuple[float, float, float] | None:
    """The hour's; ``None`` where nothing was timed.

    CloudWatch does not promise where periods of an hour begin. Where it cut this hour in two by
    the clock, the parts weigh as many answers as they are made of.
    """
    timed = {at: count for at, count in answers.of(group.timed).items() if count > 0}
    found = [answers.of(group.quantile(each)) for each in _PERCENTILES]
    parts = [at for at in timed if all(at in each for each in found)]
    weight = sum(timed[at] for at in parts)
    if not weight:
        return None
    first, second, third = sorted(
        sum(timed[at] * each[at] for at in parts) / weight for each in found
    )
    return (first, second, third) if first > 0 else None
