"""Dimensions of a setting beyond temperature, alpha and transfer set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Upgrade to this version; earlier runs had the plain method and the settings of the recipe."""
    # Not every database undoes a change of the schema with its transaction, so a part may be done already.
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("autokd_run")}
    for column in (
        sa.Column("method", sa.String(32), nullable=False, server_default="plain"),
        sa.Column("learning_rate", sa.Double(), nullable=True),
        sa.Column("budget", sa.Integer(), nullable=True),
        sa.Column("batch_norm", sa.String(16), nullable=True),
    ):
        if column.name not in present:
            op.add_column("autokd_run", column)
