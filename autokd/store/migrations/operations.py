"""What migrations do to tables, such that one that was killed can start again.

MySQL cannot undo a change of the schema with its transaction, so a part may be done already. Constraints get
their names from the convention of `Base`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from autokd.store.tables import OPTIONS


def create_table(name: str, *columns: sa.Column[object] | sa.UniqueConstraint) -> None:
    """Create a table unless it exists."""
    op.create_table(name, *columns, if_not_exists=True, **OPTIONS)


def add_columns(table: str, *columns: sa.Column[object]) -> None:
    """Add those columns that a table does not have."""
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
    for column in columns:
        if column.name not in present:
            op.add_column(table, column)


def create_indexes(table: str, *columns: str) -> None:
    """Create an index of each of those columns, under the name that `Base` gives it, unless it exists."""
    # MySQL has no CREATE INDEX IF NOT EXISTS.
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}
    for column in columns:
        if (name := f"ix_{table}_{column}") not in present:
            op.create_index(name, table, [column])
