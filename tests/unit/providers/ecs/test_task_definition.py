from __future__ import annotations

from typing import Any

import pytest

from bot.model.deployment import Image
from bot.model.errors import Misconfigured
from bot.providers.ecs import task_definition
from bot.providers.ecs.task_definition import DEPLOYMENT_TAG, DIGEST_TAG, VERSION_TAG, split_image

DIGEST = "sha256:" + "a" * 64
NEW = Image("123.dkr.ecr.eu-west-1.amazonaws.com/app", "sha256:" + "b" * 64, "v2")
BODY: dict[str, Any] = {
    "taskDefinition": {
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/app:41",
        "family": "app",
        "revision": 41,
        "status": "ACTIVE",
        "registeredAt": 1767225600.123,
        "registeredBy": "arn:aws:iam::123456789012:user/ada",
        "deleteRequestedAt": 1.0,
        "requiresAttributes": [{"name": "x"}],
        "compatibilities": ["FARGATE"],
        "cpu": "256",
        "fieldOfTheFuture": {"ratio": 0.1, "big": 12345678901234567890, "none": None},
        "containerDefinitions": [
            {
                "name": "app",
                "image": f"123.dkr.ecr.eu-west-1.amazonaws.com/app@{DIGEST}",
                "environment": [{"name": "PASSWORD", "value": "hunter2"}],
                "futureContainerField": [1, 2],
            },
            {"name": "proxy", "image": "envoy:1"},
        ],
    },
    "tags": [
        {"key": "team", "value": "core"},
        {"key": "aws:cloudformation:stack-name", "value": "s"},
        {"key": DEPLOYMENT_TAG, "value": "older"},
    ],
}
BASE = task_definition.read(BODY)


def test_only_the_image_of_our_container_changes() -> None:
    new = task_definition.succeed(BASE, "app", NEW)
    old = BODY["taskDefinition"]
    assert new["containerDefinitions"][0] == {
        **old["containerDefinitions"][0],
        "image": NEW.uri,
    }
    assert new["containerDefinitions"][1] == old["containerDefinitions"][1]
    assert new["fieldOfTheFuture"] == old["fieldOfTheFuture"]
    assert set(old) - set(new) == {
        "taskDefinitionArn",
        "revision",
        "status",
        "registeredAt",
        "registeredBy",
        "deleteRequestedAt",
        "requiresAttributes",
        "compatibilities",
    }


def test_the_base_is_left_as_it_is() -> None:
    task_definition.succeed(BASE, "app", NEW)
    assert BASE.document["containerDefinitions"][0]["image"].endswith(DIGEST)


def test_tags_are_kept_and_ours_added_and_aws_own_left_out() -> None:
    body = task_definition.tagged({}, BASE, "app-staging-7", NEW)
    assert {tag["key"]: tag["value"] for tag in body["tags"]} == {
        "team": "core",
        DEPLOYMENT_TAG: "app-staging-7",
        DIGEST_TAG: NEW.digest,
        VERSION_TAG: "v2",
    }


def test_a_missing_container_is_named_with_those_there_are() -> None:
    with pytest.raises(Misconfigured, match="no container 'web'; it has app, proxy"):
        task_definition.succeed(BASE, "web", NEW)


def test_the_diff_shows_the_image_and_no_secret() -> None:
    shown = task_definition.diff(BASE, task_definition.succeed(BASE, "app", NEW))
    changed = [line for line in shown.splitlines() if line[0] in "+-"]
    assert changed[0] == "--- app:41"
    assert len(changed) == 4
    assert DIGEST in changed[2]
    assert NEW.uri in changed[3]
    assert "hunter2" not in shown


def test_a_changed_variable_would_not_show_its_value() -> None:
    new = task_definition.succeed(BASE, "app", NEW)
    new["containerDefinitions"][0]["environment"][0]["value"] = "hunter3"
    assert "hunter" not in task_definition.diff(BASE, new)


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("app", ("app", "", "")),
        ("app:v1", ("app", "v1", "")),
        (f"app@{DIGEST}", ("app", "", DIGEST)),
        (f"app:v1@{DIGEST}", ("app", "v1", DIGEST)),
        ("localhost:5000/team/app", ("localhost:5000/team/app", "", "")),
        ("localhost:5000/team/app:v1", ("localhost:5000/team/app", "v1", "")),
        ("", ("", "", "")),
    ],
)
def test_image_references_are_taken_apart(uri: str, parts: tuple[str, str, str]) -> None:
    assert split_image(uri) == parts


def test_a_pinned_image_is_named_by_what_was_typed_for_it() -> None:
    body = {
        **BODY,
        "tags": [{"key": DIGEST_TAG, "value": DIGEST}, {"key": VERSION_TAG, "value": "v1"}],
    }
    image = task_definition.read(body).image("app")
    assert image == Image("123.dkr.ecr.eu-west-1.amazonaws.com/app", DIGEST, "v1")
    stale = {**BODY, "tags": [{"key": VERSION_TAG, "value": "v1"}]}
    assert task_definition.read(stale).image("app") == Image(
        "123.dkr.ecr.eu-west-1.amazonaws.com/app", DIGEST, DIGEST
    )
    assert BASE.image("proxy") is None


def test_names_of_revisions() -> None:
    assert task_definition.short(BASE.arn) == "app:41"
    assert task_definition.family_of(BASE.arn) == "app"
    assert task_definition.number_of(BASE.arn) == 41
    assert task_definition.number_of("app") == 0
