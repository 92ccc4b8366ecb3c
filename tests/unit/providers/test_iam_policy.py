"""The policy in the documentation allows exactly what the providers call."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name

ROOT = Path(__file__).parents[3]
#: What AWS checks besides the operation itself, and what botocore calls for us.
IMPLIED = {"ecs:TagResource", "iam:PassRole", "sts:AssumeRole"}
#: Services by botocore's name and by IAM's. Tags are named alike by several: those of ECS are
#: meant, which is the last.
SERVICES = {
    "cloudwatch": "cloudwatch",
    "ecr": "ecr",
    "sts": "sts",
    "elbv2": "elasticloadbalancing",
    "ecs": "ecs",
}
#: STS answers this to everybody.
FREE = {"sts:GetCallerIdentity"}


def policy() -> list[dict[str, Any]]:
    document = json.loads((ROOT / "docs" / "iam-policy.json").read_text())
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


def operations() -> dict[str, str]:
    session = botocore.session.Session()
    return {
        xform_name(name): f"{prefix}:{name}"
        for service, prefix in SERVICES.items()
        for name in session.get_service_model(service).operation_names
    }


def called() -> set[str]:
    known = operations()
    return {
        known[node.func.attr]
        for path in (ROOT / "bot" / "providers").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in known
    }


def named() -> set[str]:
    """The permissions that messages name: the first argument of ``asking``."""
    return {
        node.args[0].value
        for path in (ROOT / "bot" / "providers").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "asking"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def test_the_policy_allows_what_is_called_and_nothing_else() -> None:
    allowed = [
        (action, str(statement["Resource"]))
        for statement in policy()
        for action in statement["Action"]
    ]
    assert len(allowed) == len(set(allowed))
    assert {action for action, _ in allowed} == (called() | IMPLIED) - FREE


def test_every_call_is_translated_under_its_own_name() -> None:
    assert named() == called()


def test_whatever_changes_something_is_limited_to_resources() -> None:
    for statement in policy():
        if {"ecs:UpdateService", "ecs:TagResource", "iam:PassRole"} & set(statement["Action"]):
            assert statement["Resource"] != "*"
