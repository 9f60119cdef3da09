"""What a setting may hold beyond T, α and transfer set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version; runs from before it were plain, and as the recipe had it."""
    # A change of the schema is not undone with its transaction everywhere, so it may have been begun before.
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("autokd_run")}
    for column in (
        sa.Column("method", sa.String(32), nullable=False, server_default="plain"),
        sa.Column("learning_rate", sa.Double(), nullable=True),
        sa.Column("budget", sa.Integer(), nullable=True),
        sa.Column("batch_norm", sa.String(16), nullable=True),
    ):
        if column.name not in present:
            op.add_column("autokd_run", column)
