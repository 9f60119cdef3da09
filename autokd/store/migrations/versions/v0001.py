"""The first tables: federations, runs, recommendations.

MySQL cannot undo a CREATE TABLE, so a migration that was killed must be able to start again: hence
`if_not_exists`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

_OPTIONS: dict[str, Any] = {
    "if_not_exists": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Upgrade to this version."""
    text = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql")
    octets = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")

    op.create_table(
        "autokd_federation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("classes", text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_autokd_federation"),
        sa.UniqueConstraint("name", name="uq_autokd_federation_name"),
        **_OPTIONS,
    )
    op.create_table(
        "autokd_split",
        sa.Column("federation_id", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("labels", octets, nullable=False),
        sa.ForeignKeyConstraint(
            ["federation_id"], ["autokd_federation.id"], name="fk_autokd_split_federation_id"
        ),
        sa.PrimaryKeyConstraint("federation_id", "split", name="pk_autokd_split"),
        **_OPTIONS,
    )
    op.create_table(
        "autokd_participant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("federation_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("architecture", sa.String(64), nullable=False),
        sa.Column("histogram", text, nullable=False),
        sa.ForeignKeyConstraint(
            ["federation_id"], ["autokd_federation.id"], name="fk_autokd_participant_federation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_autokd_participant"),
        sa.UniqueConstraint("federation_id", "number", name="uq_autokd_participant_federation_id"),
        **_OPTIONS,
    )
    op.create_table(
        "autokd_participant_correct",
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("examples", sa.Integer(), nullable=False),
        sa.Column("bits", octets, nullable=False),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["autokd_participant.id"],
            name="fk_autokd_participant_correct_participant_id",
        ),
        sa.PrimaryKeyConstraint("participant_id", "split", name="pk_autokd_participant_correct"),
        **_OPTIONS,
    )
    op.create_table(
        "autokd_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study", sa.String(512), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("temperature", sa.Double(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=True),
        sa.Column("transfer_set", sa.String(16), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("completed", sa.String(64), nullable=True),
        sa.Column("forgetting", sa.Double(), nullable=True),
        sa.Column("local_accuracy", sa.Double(), nullable=True),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("failure", sa.String(32), nullable=True),
        sa.Column("reason", text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_autokd_run"),
        sa.UniqueConstraint("completed", name="uq_autokd_run_completed"),
        **_OPTIONS,
    )
    # MySQL has no CREATE INDEX IF NOT EXISTS.
    present = sa.inspect(op.get_bind()).get_indexes("autokd_run")
    if "ix_autokd_run_study" not in {index["name"] for index in present}:
        op.create_index("ix_autokd_run_study", "autokd_run", ["study"])
    op.create_table(
        "autokd_run_correct",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("examples", sa.Integer(), nullable=False),
        sa.Column("bits", octets, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["autokd_run.id"], name="fk_autokd_run_correct_run_id"),
        sa.PrimaryKeyConstraint("run_id", "split", name="pk_autokd_run_correct"),
        **_OPTIONS,
    )
    op.create_table(
        "autokd_recommendation",
        sa.Column("study", sa.String(512), nullable=False),
        sa.Column("payload", text, nullable=False),
        sa.PrimaryKeyConstraint("study", name="pk_autokd_recommendation"),
        **_OPTIONS,
    )
