"""Canaries, and their ticks, which the database itself keeps as they were taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REFUSAL = "A tick of a canary is never changed or removed."


def upgrade() -> None:
    # With a default: a replica of the release before goes on adding rows meanwhile.
    op.add_column(
        "deployments",
        sa.Column("canary", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "canaries",
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployments.id"]),
        sa.PrimaryKeyConstraint("deployment_id"),
    )
    op.create_index(
        "canaries_open",
        "canaries",
        ["begun_at"],
        unique=False,
        sqlite_where=sa.text("phase <> 'over'"),
        postgresql_where=sa.text("phase <> 'over'"),
    )
    op.create_table(
        "canary_ticks",
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployments.id"]),
        sa.PrimaryKeyConstraint("deployment_id", "number"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER canary_ticks_no_{verb.lower()} BEFORE {verb} ON canary_ticks "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER canary_ticks_append_only BEFORE UPDATE OR DELETE ON canary_ticks "
            f"FOR EACH ROW EXECUTE FUNCTION quarterdeck_refuse('{REFUSAL}')"
        )


def downgrade() -> None:
    op.drop_table("canary_ticks")
    op.drop_table("canaries")
    op.drop_column("deployments", "canary")
