"""A listener rule's weights, and whether the targets behind them are healthy.

Weights: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyRule.html
(0 to 999 for each group; the share is the weight over their sum).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.model.canary_plan import Weighted
from bot.model.errors import Misconfigured, Terminal
from bot.providers.aws_faults import asking
from bot.providers.aws_session import AwsClients
from bot.providers.ecs.reads import Account

if TYPE_CHECKING:
    from mypy_boto3_elbv2.type_defs import RuleTypeDef

#: What weights add up to: percents where the share is a whole one, else tenths of them.
WHOLE, FINE = 100, 999
#: The smallest share that weights can express, and how exactly one is compared.
LEAST, ALIKE = 0.001, 0.0006
IMPOSSIBLE = "CANARY_IMPOSSIBLE"
#: Group stickiness goes before weights: https://repost.aws/questions/QUugYm4uzWSI2af5mnmMjlZQ
STICKY = (
    "The rule keeps clients with the group they came to first, also at a weight of 0: they could "
    "not be taken off a bad version. Turn its stickiness off."
)


@dataclass(frozen=True, slots=True)
class Split:
    """How a rule divides its traffic. ``share`` is the canary's, from 0 to 1.

    ``sticky`` says that a client stays with the group it came to first. ``wrong`` is why this rule
    cannot be used for a canary, a sentence, or empty.
    """

    share: float
    sticky: bool = False
    wrong: str = ""
    forward: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """Targets of one group by their state."""

    healthy: int = 0
    waiting: int = 0
    unhealthy: int = 0
    reasons: tuple[str, ...] = ()


class Listener:
    """Each call is made once; faults are translated."""

    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients

    def split(self, account: Account, weighted: Weighted) -> Split:
        """As the rule stands now. Raises ``Misconfigured`` where there is no such rule."""
        client = self._clients.elb(*account)
        try:
            with asking("elasticloadbalancing:DescribeRules", weighted.rule):
                rules = client.describe_rules(RuleArns=[weighted.rule])["Rules"]
        except Terminal as fault:
            if "RuleNotFound" not in fault.message:
                raise
            rules = []
        if not rules:
            raise Misconfigured(
                f"There is no listener rule {weighted.rule}.",
                reason_code=IMPOSSIBLE,
                hint='Check "rule" in the catalog, and the region and role beside it.',
            )
        return _split(rules[0], weighted)

    def shift(self, account: Account, weighted: Weighted, share: float, before: Split) -> None:
        """Give the canary that share. All else of the rule stays as it was read."""
        forward = {
            **before.forward,
            "TargetGroups": [
                {"TargetGroupArn": weighted.stable, "Weight": weights(share)[0]},
                {"TargetGroupArn": weighted.canary, "Weight": weights(share)[1]},
            ],
        }
        client = self._clients.elb(*account)
        action: Any = {"Type": "forward", "ForwardConfig": forward}
        with asking("elasticloadbalancing:ModifyRule", weighted.rule, writes=True):
            client.modify_rule(RuleArn=weighted.rule, Actions=[action])

    def health(self, account: Account, group: str) -> Health:
        """Of the targets that are registered there. Raises ``Misconfigured`` for no such group."""
        client = self._clients.elb(*account)
        try:
            with asking("elasticloadbalancing:DescribeTargetHealth", group):
                found = client.describe_target_health(TargetGroupArn=group)
                states = [each["TargetHealth"] for each in found["TargetHealthDescriptions"]]
        except Terminal as fault:
            if "TargetGroupNotFound" not in fault.message:
                raise
            raise Misconfigured(
                f"There is no target group {group}.",
                reason_code=IMPOSSIBLE,
                hint="Check the target groups of the canary's plan in the catalog.",
            ) from fault
        by = [state.get("State", "") for state in states]
        return Health(
            healthy=by.count("healthy"),
            waiting=by.count("initial"),
            unhealthy=by.count("unhealthy"),
            reasons=tuple(
                dict.fromkeys(
                    " ".join(state.get("Description", "").split())
                    for state in states
                    if state.get("State") == "unhealthy" and state.get("Description")
                )
            ),
        )


def weights(share: float) -> tuple[int, int]:
    """Of the stable group and of the canary's."""
    percent = round(share * WHOLE, 6)
    whole = WHOLE if percent == int(percent) else FINE
    canary = round(share * whole)
    return whole - canary, canary


def _split(rule: RuleTypeDef, weighted: Weighted) -> Split:
    actions = rule.get("Actions", [])
    others = [each["Type"] for each in actions if each["Type"] != "forward"]
    forward: dict[str, Any] = {}
    for each in actions:
        if each["Type"] == "forward":
            forward = dict(each.get("ForwardConfig", {}))
            if not forward.get("TargetGroups"):
                alone = each.get("TargetGroupArn", "")
                forward["TargetGroups"] = [{"TargetGroupArn": alone, "Weight": 1}]
    groups = {
        each["TargetGroupArn"]: each.get("Weight", 1) for each in forward.get("TargetGroups", ())
    }
    total = sum(groups.values())
    sticky = forward.get("TargetGroupStickinessConfig", {})
    return Split(
        share=groups.get(weighted.canary, 0) / total if total else 0.0,
        sticky=bool(sticky.get("Enabled")),
        wrong=_wrong(rule, weighted, others, groups),
        forward=forward,
    )


def _wrong(
    rule: RuleTypeDef, weighted: Weighted, others: Sequence[str], groups: Mapping[str, int]
) -> str:
    if rule.get("IsDefault"):
        return "The rule is its listener's default, whose weights cannot be changed as a rule's."
    if others:
        return f"The rule does more than forward: it has an action {others[0]}."
    if weighted.stable not in groups:
        return "The rule does not forward to the stable target group."
    foreign = set(groups) - {weighted.stable, weighted.canary}
    if foreign:
        return f"The rule forwards to another target group as well: {min(foreign)}."
    return ""
