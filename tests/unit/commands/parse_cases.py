"""The catalog and the clock that the parser's tests share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.commands import model
from bot.commands.parse import parse
from bot.model.catalog import Catalog
from bot.model.deployment import Target
from bot.model.errors import UserError

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)

STAGING = {name: Target(name, "staging") for name in ("backend", "analytics", "frontend")}
PRODUCTION = {name: Target(name, "production") for name in ("backend", "analytics")}


def _service(*aliases: str) -> dict[str, Any]:
    ecr = {"registry": "123456789012", "region": "eu-west-1", "repository": "acme/app"}
    return {"repository": "acme/app", "ecr": ecr, "aliases": aliases}


def _target(target: Target) -> dict[str, Any]:
    ecs = {"region": "eu-west-1", "cluster": "c", "service": target.service, "container": "app"}
    return {"service": target.service, "environment": target.environment, "ecs": ecs}


CATALOG = Catalog.model_validate(
    {
        "version": 1,
        "services": {
            "backend": _service("be", "api"),
            "analytics": _service(),
            "frontend": _service("web"),
        },
        "environments": {
            "staging": {"policy": "open", "aliases": ["stg"]},
            "production": {"policy": "guarded", "aliases": ["prod", "live"]},
        },
        "policies": {"open": {}, "guarded": {}},
        "targets": [_target(each) for each in (*STAGING.values(), *PRODUCTION.values())],
    }
)


def deploy(text: str) -> model.Command:
    return parse("/deploy", text, CATALOG, NOW)


def roll_back(text: str) -> model.Command:
    return parse("/rollback", text, CATALOG, NOW)


def mistake_in(text: str, slash: str = "/deploy") -> UserError:
    """The error that ``text`` is refused with; an ``AssertionError`` where it is accepted."""
    try:
        accepted = parse(slash, text, CATALOG, NOW)
    except UserError as error:
        return error
    raise AssertionError(f"{text!r} was taken for {accepted}")
