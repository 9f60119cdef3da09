"""Status of a driver."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Upgrade to this version; earlier drivers have no status."""
    # Not every database undoes a change of the schema with its transaction, so a part may be done already.
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("autokd_driver")}
    for column in (
        sa.Column("words", sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql"), nullable=True),
        sa.Column("told", sa.Double(), nullable=True),
    ):
        if column.name not in present:
            op.add_column("autokd_driver", column)
