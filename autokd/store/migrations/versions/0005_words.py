"""What a driver tells of how it gets on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version; a driver from before it tells nothing."""
    # A change of the schema is not undone with its transaction everywhere, so it may have been begun before.
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("autokd_driver")}
    for column in (
        sa.Column("words", sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql"), nullable=True),
        sa.Column("told", sa.Double(), nullable=True),
    ):
        if column.name not in present:
            op.add_column("autokd_driver", column)
