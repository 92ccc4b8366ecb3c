"""Counts of one minute of both versions, made of what CloudWatch reported.

**Errors** are 5xx of the targets, and those that the load balancer answered in a target's stead
because it crashed, closed the connection or took too long (502, 504). CloudWatch tells the latter
for the whole load balancer only. They are found thus: a target group's requests for which a target
was chosen, less everything its targets answered, are *unanswered*; the load balancer's own 5xx
are divided between the two versions in proportion to what each left unanswered, and never more
than that. So

- a canary that drops its connections is seen, though its targets answer no 5xx;
- 5xx for another service behind the same load balancer, or before a target was chosen, are nobody's
  here, as nothing is unanswered;
- what is unanswered without being an error (a client that went away, a WebSocket) counts nothing
  while the load balancer had no errors, and otherwise burdens both versions at the same rate.

A target group without a single registered target answers 503 before a target is chosen. That is
not to be seen here: whoever shifts the traffic has to look at the targets.

**Missing series**: a load balancer reports nothing for a minute in which there was nothing to
report. No ``RequestCount`` is no requests; with it, no ``HTTPCode_Target_5XX_Count`` is no error.

**Slow requests** are answers that took longer; what was never answered is an error and not slow.
Trimmed counts are estimates: whole numbers are made of them, no more than there were requests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bot.model.counts import Arm, Thresholds
from bot.providers.cloudwatch.reads import Answers
from bot.providers.cloudwatch.series import Group, bounds

_STATUSES = (2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class _Served:
    """One version's minute before the load balancer's own errors are divided."""

    requests: int
    failed: int
    unanswered: int


class Minutes:
    """The answers to ``group.counted(thresholds)``, minute by minute.

    Raises the fault of a series that was not answered in full.
    """

    def __init__(self, answers: Answers, group: Group, thresholds: Thresholds | None) -> None:
        self._thresholds = thresholds
        self._requests = answers.of(group.requests)
        self._refused = answers.of(group.refused)
        self._answers = {status: answers.of(group.answers(status)) for status in _STATUSES}
        self._slower = {each: answers.of(group.slower(each)) for each in bounds(thresholds)}

    def served(self, at: datetime) -> _Served:
        """Before the load balancer's own errors."""
        requests = _whole(self._requests.get(at, 0.0))
        answered = {status: _whole(found.get(at, 0.0)) for status, found in self._answers.items()}
        unanswered = max(0, requests - sum(answered.values()))
        return _Served(requests, min(answered[5], requests), unanswered)

    def refused(self, at: datetime) -> int:
        """The load balancer's own 5xx."""
        return _whole(self._refused.get(at, 0.0))

    def arm(self, at: datetime, refused: int) -> Arm:
        """The minute, where so many of its requests were refused by the load balancer."""
        served = self.served(at)
        arm = Arm(served.requests, min(served.failed + refused, served.requests))
        wanted = self._thresholds
        if wanted is None:
            return arm
        first, second, third = (self._beyond(bound, at, arm) for bound in wanted.slow)
        over = 0 if wanted.over is None else self._beyond(wanted.over, at, arm)
        return replace(
            arm, slow=(first, second, third), gross=self._beyond(wanted.gross, at, arm), over=over
        )

    def _beyond(self, bound: float, at: datetime, arm: Arm) -> int:
        return min(_whole(self._slower[bound].get(at, 0.0)), arm.requests)


def alone(minutes: Minutes, at: datetime) -> Arm:
    """A minute in which the stable version was the only one."""
    return minutes.arm(at, min(minutes.refused(at), minutes.served(at).unanswered))


def together(canary: Minutes, stable: Minutes, at: datetime) -> tuple[Arm, Arm]:
    """The same minute of both."""
    ours, theirs = canary.served(at).unanswered, stable.served(at).unanswered
    unanswered = ours + theirs
    refused = min(stable.refused(at), unanswered)
    part = round(refused * ours / unanswered) if unanswered else 0
    return canary.arm(at, part), stable.arm(at, refused - part)


def _whole(value: float) -> int:
    return max(0, round(value))
