"""Between the model's values and the tables' columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from bot.model.deployment import Deployment, Image, Kind, Person, Progress, Status, Target

Row = sa.Row[Any]


def columns_of(deployment: Deployment) -> dict[str, Any]:
    """A deployment as a row of ``deployments``."""
    plain = {
        name: getattr(deployment, name)
        for name in (
            "id",
            "requester_is_bot",
            "channel",
            "previous_revision",
            "reason",
            "created_at",
            "request_id",
            "version",
            "explanation",
            "reason_code",
            "approvals_needed",
            "expires_at",
            "revision",
            "handle",
            "owner",
            "attempts",
            "started_at",
            "finished_at",
            "overridden_freeze",
            "canary",
        )
    }
    return plain | changes(
        {
            "kind": deployment.kind,
            "target": deployment.target,
            "requester": deployment.requester,
            "image": deployment.image,
            "previous": deployment.previous,
            "status": deployment.status,
            "ended_by": deployment.ended_by,
            "progress": deployment.progress,
            "notes": deployment.notes,
        }
    )


def changes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Changes in the model's terms as changes of columns."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(name, value)
    return flat


def _flat(name: str, value: Any) -> dict[str, Any]:
    match name:
        case "image" | "previous":
            parts = ("repository", "digest", "ref")
            return {f"{name}_{part}": getattr(value, part, None) for part in parts}
        case "requester" | "ended_by":
            return {f"{name}_{part}": getattr(value, part, None) for part in ("id", "name")}
        case "target":
            return {"service": value.service, "environment": value.environment}
        case "kind" | "status":
            return {name: value.value}
        case "progress":
            return {name: asdict(value)}
        case _:
            return {name: _lines(value) if name == "notes" else value}


def _lines(texts: tuple[str, ...]) -> str:
    return "\n".join(" ".join(text.split()) for text in texts)


def deployment_of(row: Row) -> Deployment:
    """A row of ``deployments`` as a deployment."""
    ended_by = Person(row.ended_by_id, row.ended_by_name) if row.ended_by_id else None
    return Deployment(
        id=row.id,
        kind=Kind(row.kind),
        target=Target(row.service, row.environment),
        requester=Person(row.requester_id, row.requester_name),
        requester_is_bot=row.requester_is_bot,
        channel=row.channel,
        image=Image(row.image_repository, row.image_digest, row.image_ref),
        previous=_previous(row),
        previous_revision=row.previous_revision,
        reason=row.reason,
        status=Status(row.status),
        created_at=row.created_at,
        request_id=row.request_id,
        version=row.version,
        explanation=row.explanation,
        reason_code=row.reason_code,
        ended_by=ended_by,
        approvals_needed=row.approvals_needed,
        expires_at=row.expires_at,
        revision=row.revision,
        handle=row.handle,
        owner=row.owner,
        attempts=row.attempts,
        started_at=row.started_at,
        finished_at=row.finished_at,
        progress=Progress(**row.progress),
        overridden_freeze=row.overridden_freeze,
        notes=tuple(row.notes.splitlines()),
        canary=row.canary,
    )


def _previous(row: Row) -> Image | None:
    if row.previous_digest is None:
        return None
    return Image(row.previous_repository, row.previous_digest, row.previous_ref)
