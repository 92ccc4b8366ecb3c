"""Which target group a revision's tasks are registered in: the two take turns."""

from __future__ import annotations

from bot.playground.aws.records import Json, Service


def resolve(service: Service, *, shifting: bool) -> list[Json]:
    """The target groups of a new revision of ``service``, as ``resolvedConfiguration`` lists them.

    Where traffic is shifted, they are those that the revision in production does not use; it is
    the last one that completed. Without ``advancedConfiguration``, nothing is resolved.
    """
    using = {each["targetGroupArn"] for each in _in_production(service)}
    resolved = []
    for balancer in service.settings.get("loadBalancers", []):
        advanced = balancer.get("advancedConfiguration")
        if advanced is None:
            return []
        pair = (balancer["targetGroupArn"], advanced["alternateTargetGroupArn"])
        taken = [arn for arn in pair if arn in using]
        free = [arn for arn in pair if arn not in using]
        chosen = (free if shifting else taken) or list(pair)
        resolved.append(
            {
                "targetGroupArn": chosen[0],
                "productionListenerRule": advanced["productionListenerRule"],
            }
        )
    return resolved


def _in_production(service: Service) -> list[Json]:
    if service.completed is None:
        return []
    revision = service.completed.revision
    # A service may have rolled before it was given an alternate target group.
    return revision.resolved or revision.settings.get("loadBalancers", [])
