"""The tables. ``migrations`` makes them; a test holds the two together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table
from typing_extensions import override

from bot.model.deployment import ACTIVE, Status

metadata = sa.MetaData()


class Moment(sa.TypeDecorator[datetime]):
    """An aware time in UTC, to the microsecond, on both databases. Refuses naive ones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without a zone cannot be stored.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    @override
    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Line(sa.TypeDecorator[str]):
    """Text from outside. What PostgreSQL cannot hold (NUL, half a surrogate pair) is replaced."""

    impl = sa.Text
    cache_ok = True

    @override
    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        if value is None:
            return None
        whole = value.encode("utf-8", "replace").decode("utf-8")
        return whole.replace("\x00", "\ufffd")


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Line, nullable=False, **options)


def _optional(name: str) -> Column[str | None]:
    return Column(name, Line, nullable=True)


def _count(name: str) -> Column[int]:
    return Column(name, sa.Integer, nullable=False)


def _key(name: str = "id") -> Column[int]:
    # SQLite counts by itself only in a column of exactly this type.
    wide = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return Column(name, wide, primary_key=True, autoincrement=True)


counters = Table("counters", metadata, _text("prefix", primary_key=True), _count("last"))

deployments = Table(
    "deployments",
    metadata,
    _text("id", primary_key=True),
    _text("kind"),
    _text("service"),
    _text("environment"),
    _text("requester_id"),
    _text("requester_name"),
    Column("requester_is_bot", sa.Boolean, nullable=False),
    _text("channel"),
    _text("image_repository"),
    _text("image_digest"),
    _text("image_ref"),
    _optional("previous_repository"),
    _optional("previous_digest"),
    _optional("previous_ref"),
    _optional("previous_revision"),
    _text("reason"),
    _text("status"),
    Column("created_at", Moment, nullable=False),
    _text("request_id"),
    _count("version"),
    _text("explanation"),
    _text("reason_code"),
    _optional("ended_by_id"),
    _optional("ended_by_name"),
    _count("approvals_needed"),
    Column("expires_at", Moment),
    _optional("revision"),
    _optional("handle"),
    _optional("owner"),
    _count("attempts"),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("progress", sa.JSON, nullable=False),
    _text("overridden_freeze"),
    _text("notes", server_default=sa.text("''")),  # one a line
    Column("canary", sa.Boolean, nullable=False, server_default=sa.false()),
)
RUNNING = f"status = '{Status.RUNNING}'"
ALIVE = "status IN ({})".format(", ".join(f"'{status}'" for status in sorted(ACTIVE)))


def _partial(name: str, where: str, *columns: str, unique: bool = True) -> Index:
    return Index(
        name,
        *(deployments.c[column] for column in columns),
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


_partial("one_running_per_target", RUNNING, "service", "environment")
_partial("one_active_per_image", ALIVE, "service", "environment", "image_digest", "kind")
_partial("deployments_active", ALIVE, "environment", "service", unique=False)
Index(
    "one_per_request",
    *(deployments.c[name] for name in ("request_id", "service", "environment", "kind")),
    unique=True,
)
Index("deployments_history", deployments.c.service, deployments.c.environment, "created_at")
Index("deployments_newest", deployments.c.created_at)


def _deployment() -> Column[str]:
    return Column(
        "deployment_id", Line, sa.ForeignKey("deployments.id"), primary_key=True, nullable=False
    )


votes = Table(
    "votes",
    metadata,
    _deployment(),
    _text("person_id", primary_key=True),
    _text("person_name"),
    _text("ballot"),
    _text("digest"),
    Column("at", Moment, nullable=False),
    _text("reason"),
)

locks = Table(
    "locks",
    metadata,
    _text("service", primary_key=True),
    _text("environment", primary_key=True),
    _text("owner_id"),
    _text("owner_name"),
    _text("reason"),
    Column("since", Moment, nullable=False),
    Column("until", Moment),
)

freezes = Table(
    "freezes",
    metadata,
    _text("environment", primary_key=True),
    _text("owner_id"),
    _text("owner_name"),
    _text("reason"),
    Column("since", Moment, nullable=False),
    Column("until", Moment),
)

pauses = Table(
    "pauses",
    metadata,
    Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    _text("owner_id"),
    _text("owner_name"),
    _text("reason"),
    Column("since", Moment, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    _key(),
    _text("service"),
    _text("environment"),
    _text("revision"),
    _text("image_repository"),
    _text("image_digest"),
    _text("image_ref"),
    _optional("deployment_id"),
    Column("since", Moment, nullable=False),
)
Index(
    "one_per_revision",
    releases.c.service,
    releases.c.environment,
    releases.c.revision,
    unique=True,
)

outbox = Table(
    "outbox",
    metadata,
    _key(),
    Column("deployment_id", Line, sa.ForeignKey("deployments.id"), nullable=False),
    _text("key"),
    _text("channel"),
    _text("text"),
    Column("broadcast", sa.Boolean, nullable=False),
    _count("wanted"),
    _count("shown"),
    _optional("ts"),
    Column("attempted_at", Moment),
    _count("attempts"),
    Column("due_at", Moment),
    _optional("claimed_by"),
    Column("claimed_until", Moment),
    _text("last_fault"),
)
Index("one_per_key", outbox.c.deployment_id, outbox.c.key, unique=True)
Index(
    "outbox_owed",
    outbox.c.due_at,
    sqlite_where=sa.text("wanted > shown"),
    postgresql_where=sa.text("wanted > shown"),
)

canaries = Table(
    "canaries",
    metadata,
    _deployment(),
    _text("phase"),
    _count("version"),
    Column("begun_at", Moment, nullable=False),
    _optional("claimed_by"),
    Column("claimed_until", Moment),
    _text("body"),
)
Index(
    "canaries_open",
    canaries.c.begun_at,
    sqlite_where=sa.text("phase <> 'over'"),
    postgresql_where=sa.text("phase <> 'over'"),
)

#: Appended only: triggers refuse anything else.
canary_ticks = Table(
    "canary_ticks",
    metadata,
    _deployment(),
    Column("number", sa.Integer, primary_key=True, autoincrement=False),
    Column("begins_at", Moment, nullable=False),
    _text("body"),
)

# Kept as the text that was hashed: what a database makes of a time or of JSON is not its own.
audit = Table(
    "audit",
    metadata,
    Column(
        "seq",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    _text("at"),
    _text("actor_id"),
    _text("actor_name"),
    _text("action"),
    _text("decision"),
    _text("target"),
    _text("deployment_id"),
    _text("from_digest"),
    _text("to_digest"),
    _text("reason"),
    _text("reason_code"),
    _text("request_id"),
    _text("detail"),
    _text("previous"),
    _text("digest"),
)
Index("audit_by_deployment", audit.c.deployment_id, audit.c.seq)
Index("audit_by_target", audit.c.target, audit.c.seq)
Index("audit_by_actor", audit.c.actor_id, audit.c.seq)

#: The newest row's number and digest: what tells that the newest rows were removed.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("seq", sa.BigInteger, nullable=False),
    _text("digest"),
)

replicas = Table(
    "replicas",
    metadata,
    _text("id", primary_key=True),
    _text("host"),
    Column("started_at", Moment, nullable=False),
    Column("heartbeat_at", Moment, nullable=False),
    Column("lease_until", Moment, nullable=False),
    Column("released", sa.Boolean, nullable=False),
    _optional("claimed_by"),
    _count("epoch"),
)
