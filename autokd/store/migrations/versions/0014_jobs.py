"""Jobs of the service, and who has changed what."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Integer, String, UniqueConstraint

from autokd.store.migrations.operations import create_indexes, create_table
from autokd.store.tables import LONG_TEXT

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Upgrade to this version; there are no jobs yet."""
    create_table(
        "autokd_job",
        Column("id", Integer, primary_key=True),
        Column("what", String(16), nullable=False),
        Column("study", String(64), nullable=False),
        Column("recipe", String(64), nullable=False),
        Column("request", LONG_TEXT, nullable=False),
        Column("same", String(64)),
        Column("state", String(16), nullable=False),
        Column("who", String(64), nullable=False),
        Column("created", Double, nullable=False),
        Column("started", Double),
        Column("ended", Double),
        Column("attempts", Integer, nullable=False),
        Column("reason", LONG_TEXT, nullable=False),
        Column("asked_to_cancel", String(64)),
        Column("owner", LONG_TEXT),
        Column("claim", String(32)),
        Column("expires", Double),
        Column("progress", LONG_TEXT),
        Column("told", Double),
        Column("result", LONG_TEXT),
        Column("events", Integer, nullable=False),
        UniqueConstraint("same"),
    )
    create_indexes("autokd_job", "study", "state")
    create_table(
        "autokd_job_event",
        Column("job_id", Integer, ForeignKey("autokd_job.id"), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("at", Double, nullable=False),
        Column("what", String(16), nullable=False),
        Column("data", LONG_TEXT, nullable=False),
    )
    create_table(
        "autokd_audit",
        Column("id", Integer, primary_key=True),
        Column("at", Double, nullable=False),
        Column("who", String(64), nullable=False),
        Column("token", String(8)),
        Column("request", String(64), nullable=False),
        Column("what", String(32), nullable=False),
        Column("subject", LONG_TEXT, nullable=False),
        Column("data", LONG_TEXT, nullable=False),
    )
