"""Finding what a request names, by short name or by ARN, with AWS's own errors where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from bot.playground.aws.errors import AwsError, client_error, invalid
from bot.playground.aws.records import Cluster, Estate, Json, Service, TaskDefinition

MOST_PER_PAGE = 100

Item = TypeVar("Item")


def cluster_of(estate: Estate, name: str | None) -> Cluster:
    """The cluster by name or ARN; ``default`` where none is named."""
    short = (name or "default").rpartition("/")[2]
    found = estate.clusters.get(short)
    if found is None or (name and name.startswith("arn:") and name != found.arn):
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return found


def service_of(estate: Estate, cluster: str | None, name: str) -> Service:
    """The service by name or ARN in that cluster."""
    found = find_service(cluster_of(estate, cluster), name)
    if found is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")
    return found


def find_service(cluster: Cluster, name: str) -> Service | None:
    """The service by name or ARN in that cluster, if it is there."""
    found = cluster.services.get(name.rpartition("/")[2])
    if found is not None and name.startswith("arn:") and name != found.arn:
        return None
    return found


def find_definition(estate: Estate, name: str, now: float) -> TaskDefinition:
    """The revision by ``family:revision`` or ARN, or the newest ACTIVE one of a ``family``."""
    family, _, number = name.rpartition("task-definition/")[2].partition(":")
    revisions = [each for each in estate.families.get(family, []) if each.visible_at <= now]
    if not number:
        active = [each for each in revisions if each.status == "ACTIVE"]
        if active:
            return active[-1]
    if number and not number.isdigit():
        raise invalid(f"Invalid revision number. Number: {number}")
    for each in revisions:
        if number and each.revision == int(number):
            return each
    raise client_error("Unable to describe task definition.")


def page(
    items: Sequence[Item], request: Json, most: int = MOST_PER_PAGE
) -> tuple[list[Item], Json]:
    """One page of ``items`` and the rest of the answer: ``nextToken`` where more are left."""
    size = request.get("maxResults", most)
    if not 1 <= size <= most:
        raise invalid(f"MaxResults must be between 1 and {most}.")
    token = request.get("nextToken", "0")
    if not token.isdigit():
        raise invalid("Invalid token.")
    start = int(token)
    more = {"nextToken": str(start + size)} if start + size < len(items) else {}
    return list(items[start : start + size]), more


def missing(arn: str) -> Json:
    """A ``Failure`` for a thing that is not there."""
    return {"arn": arn, "reason": "MISSING"}
