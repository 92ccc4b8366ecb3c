"""What ``doctor`` finds: whether metrics may be read, and whether there are any."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.model.canary import Arms
from bot.model.canary_plan import CanaryPlan
from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured
from bot.model.rollout import Finding, Grade
from bot.providers.cloudwatch.reads import CloudWatchReads
from bot.providers.cloudwatch.series import Group, Series, account_of, group_of
from bot.providers.ecs.reads import Account

NAMED = "canaries are judged by CloudWatch"
_MINUTE = timedelta(minutes=1)


def examine(
    reads: CloudWatchReads, spec: TargetSpec, minutes: Sequence[datetime]
) -> Sequence[Finding]:
    """``minutes`` are those of the last hour. Raises what the call does."""
    name, place = str(spec.key), spec.ecs_place
    if place is None:
        raise Misconfigured(
            "Canaries are judged by CloudWatch, which only tells target groups of ECS apart.",
            hint='Give the canary a "prometheus".',
        )
    hour = minutes[0], minutes[-1] + _MINUTE
    arms = known_arms(spec.canary) if spec.canary is not None else None
    if arms is None:
        # Its target groups are ECS's to name: what can be known is whether they may be read.
        account = Account(place.region, place.role)
        reads.ask(account, (Series("RequestCount", "Sum", ""),), *hour).of(
            Series("RequestCount", "Sum", "")
        )
        return [Finding(name, Grade.OK, f"{NAMED}, which may be read")]
    group = group_of(arms, arms.stable)
    answers = reads.ask(account_of(spec, arms), (group.requests, group.timed), *hour)
    requests, timed = (sum(answers.of(each).values()) for each in (group.requests, group.timed))
    return [_found(name, group, round(requests), round(timed))]


def known_arms(plan: CanaryPlan) -> Arms | None:
    """The two target groups, where the plan names them."""
    given = plan.weighted
    return None if given is None else Arms(given.stable, given.canary, given.load_balancer)


def _found(name: str, group: Group, requests: int, timed: int) -> Finding:
    where = f"{group.target_group} behind {group.load_balancer}"
    if not requests:
        return Finding(
            name,
            Grade.WARNING,
            f"{NAMED}, which counted no requests of {where} in the last hour",
            'Check "rule" and "stable" of the canary\'s "weighted"; '
            "without traffic no canary can be judged.",
        )
    if not timed:
        return Finding(
            name,
            Grade.WARNING,
            f"{NAMED}, which knows no response times of {where}",
            "Canaries are judged by errors alone.",
        )
    return Finding(name, Grade.OK, f"{NAMED}: {requests:,} requests in the last hour")
