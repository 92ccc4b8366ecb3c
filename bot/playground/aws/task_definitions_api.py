"""ECS operations on task definitions."""

from __future__ import annotations

import copy
import re

from bot.playground.aws import render
from bot.playground.aws.errors import client_error, invalid
from bot.playground.aws.lookup import find_definition, page
from bot.playground.aws.operations import Context, operation
from bot.playground.aws.records import Json, TaskDefinition

FAMILY = re.compile(r"[A-Za-z0-9_-]{1,255}")
MOST_TAGS = 50


@operation("ecs", "RegisterTaskDefinition")
def register(context: Context, request: Json) -> Json:
    """Revision + 1 of the family; fields unknown to this simulator are kept as they are."""
    document = copy.deepcopy(request)
    tags = document.pop("tags", [])
    family = document["family"]
    if not FAMILY.fullmatch(family):
        raise client_error("Family contains invalid characters.")
    if len(tags) > MOST_TAGS:
        raise invalid("The maximum number of tags is 50.")
    _check_containers(document)
    revisions = context.estate.families.setdefault(family, [])
    now = context.now
    document.setdefault("volumes", [])
    document.setdefault("placementConstraints", [])
    document["compatibilities"] = ["EC2", *_extra_compatibility(document)]
    document["requiresAttributes"] = [
        {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"},
        {"name": "ecs.capability.task-eni"},
    ]
    document["registeredBy"] = context.identity.arn
    number = revisions[-1].revision + 1 if revisions else 1
    definition = TaskDefinition(
        arn=context.estate.arn("task-definition", f"{family}:{number}"),
        family=family,
        revision=number,
        document=document,
        tags=tags,
        registered_at=context.stamp,
        visible_at=now + context.lag,
    )
    revisions.append(definition)
    context.estate.tags[definition.arn] = tags
    return _shown(definition, tags)


@operation("ecs", "DescribeTaskDefinition")
def describe(context: Context, request: Json) -> Json:
    """By family, ``family:revision`` or ARN; tags only where asked for."""
    definition = find_definition(context.estate, request["taskDefinition"], context.now)
    tagged = "TAGS" in request.get("include", [])
    return _shown(definition, definition.tags if tagged else [])


@operation("ecs", "DeregisterTaskDefinition")
def deregister(context: Context, request: Json) -> Json:
    """Make a revision INACTIVE; what runs on it keeps running."""
    name = request["taskDefinition"]
    if ":" not in name.rpartition("task-definition/")[2]:
        raise client_error("The specified task definition is missing a revision.")
    definition = find_definition(context.estate, name, context.now)
    if definition.status != "ACTIVE":
        raise client_error(
            "The specified task definition is inactive. Only active can be deregistered."
        )
    definition.status = "INACTIVE"
    definition.deregistered_at = context.stamp
    return {"taskDefinition": render.task_definition(definition)}


@operation("ecs", "ListTaskDefinitions")
def list_definitions(context: Context, request: Json) -> Json:
    """ARNs by family and revision; ``familyPrefix`` is a whole family name."""
    status = request.get("status", "ACTIVE")
    prefix = request.get("familyPrefix")
    families = context.estate.families
    chosen = [
        definition.arn
        for family in sorted(families)
        if prefix in {None, family}
        for definition in families[family]
        if definition.status == status and definition.visible_at <= context.now
    ]
    if request.get("sort") == "DESC":
        chosen.reverse()
    arns, more = page(chosen, request)
    return {"taskDefinitionArns": arns, **more}


def _shown(definition: TaskDefinition, tags: list[Json]) -> Json:
    # ECS leaves ``tags`` out rather than showing an empty list.
    shown: Json = {"taskDefinition": render.task_definition(definition)}
    return {**shown, "tags": tags} if tags else shown


def _extra_compatibility(document: Json) -> list[str]:
    return ["FARGATE"] if document.get("networkMode") == "awsvpc" else []


def _check_containers(document: Json) -> None:
    containers = document["containerDefinitions"]
    if not containers:
        raise client_error("Container list cannot be empty.")
    names = [each.get("name") for each in containers]
    if len(set(names)) != len(names):
        raise client_error("Container names must be unique.")
    for each in containers:
        if not each.get("name"):
            raise client_error("Container.name should not be null or empty.")
        if not each.get("image"):
            raise client_error("Container.image should not be null or empty.")
        each.setdefault("essential", True)
    if "FARGATE" in document.get("requiresCompatibilities", []):
        _check_fargate(document)


def _check_fargate(document: Json) -> None:
    if document.get("networkMode") != "awsvpc":
        raise client_error("Fargate only supports network mode 'awsvpc'.")
    if not document.get("cpu") or not document.get("memory"):
        raise client_error(
            "Fargate requires task definition to have cpu and memory defined at the task level."
        )
