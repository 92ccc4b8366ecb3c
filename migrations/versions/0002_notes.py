"""What was worth a warning when a deployment was asked for or began."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a default: a replica of the release before goes on adding rows meanwhile.
    column = sa.Column("notes", sa.Text(), nullable=False, server_default=sa.text("''"))
    op.add_column("deployments", column)


def downgrade() -> None:
    op.drop_column("deployments", "notes")
