"""The first tables: federations, runs, recommendations."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Double, ForeignKey, Integer, String

from autokd.store.migrations.operations import create_indexes, create_table
from autokd.store.tables import LONG_BYTES, LONG_TEXT

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Upgrade to this version."""
    create_table(
        "autokd_federation",
        Column("id", Integer, primary_key=True),
        Column("name", String(512), nullable=False, unique=True),
        Column("classes", LONG_TEXT, nullable=False),
    )
    create_table(
        "autokd_split",
        Column("federation_id", Integer, ForeignKey("autokd_federation.id"), primary_key=True),
        Column("split", String(16), primary_key=True),
        Column("labels", LONG_BYTES, nullable=False),
    )
    create_table(
        "autokd_participant",
        Column("id", Integer, primary_key=True),
        Column("federation_id", Integer, ForeignKey("autokd_federation.id"), nullable=False),
        Column("number", Integer, nullable=False),
        Column("architecture", String(64), nullable=False),
        Column("histogram", LONG_TEXT, nullable=False),
        sa.UniqueConstraint("federation_id", "number"),
    )
    create_table(
        "autokd_participant_correct",
        Column("participant_id", Integer, ForeignKey("autokd_participant.id"), primary_key=True),
        Column("split", String(16), primary_key=True),
        Column("examples", Integer, nullable=False),
        Column("bits", LONG_BYTES, nullable=False),
    )
    create_table(
        "autokd_run",
        Column("id", Integer, primary_key=True),
        Column("study", String(512), nullable=False),
        Column("stage", String(16), nullable=False),
        Column("temperature", Double, nullable=False),
        Column("alpha", Double),
        Column("transfer_set", String(16), nullable=False),
        Column("seed", Integer, nullable=False),
        Column("state", String(16), nullable=False),
        Column("completed", String(64), unique=True),
        Column("forgetting", Double),
        Column("local_accuracy", Double),
        Column("epochs", Integer, nullable=False),
        Column("seconds", Double, nullable=False),
        Column("failure", String(32)),
        Column("reason", LONG_TEXT, nullable=False),
    )
    create_indexes("autokd_run", "study")
    create_table(
        "autokd_run_correct",
        Column("run_id", Integer, ForeignKey("autokd_run.id"), primary_key=True),
        Column("split", String(16), primary_key=True),
        Column("examples", Integer, nullable=False),
        Column("bits", LONG_BYTES, nullable=False),
    )
    create_table(
        "autokd_recommendation",
        Column("study", String(512), primary_key=True),
        Column("payload", LONG_TEXT, nullable=False),
    )
