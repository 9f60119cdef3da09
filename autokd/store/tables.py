"""autokd's own tables, beside Optuna's in one database.

Rows name a study by its name, not by Optuna's number: the name holds the hashes of all that decides what a
run computes, so a race or confirmation run stays true even if somebody deletes the study in the dashboard.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ForeignKey, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import Double, TypeEngine

NAME_LENGTH: Final = 512
"""Characters in the longest study name, as in Optuna."""
REASON_LENGTH: Final = 4_000
"""Characters kept of why a run died."""

# NOTE: MySQL's plain TEXT and BLOB end at 64 KB.
LongText: Final[TypeEngine[str]] = Text().with_variant(mysql.MEDIUMTEXT(), "mysql")
LongBytes: Final[TypeEngine[bytes]] = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")

TABLE_OPTIONS: Final = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    # Names that differ only in case are different names, as in the other databases.
    "mysql_collate": "utf8mb4_bin",
}


class Base(DeclarativeBase):
    """Gives every constraint a name, without which no migration can change it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class FederationRow(Base):
    """One federation; `classes` is a JSON list of names."""

    __tablename__ = "autokd_federation"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    classes: Mapped[str] = mapped_column(LongText)
    splits: Mapped[list[SplitRow]] = relationship(lazy="selectin")
    participants: Mapped[list[ParticipantRow]] = relationship(
        lazy="selectin", order_by="ParticipantRow.number"
    )


class SplitRow(Base):
    """The labels of one common split (see `pack_labels`)."""

    __tablename__ = "autokd_split"
    __table_args__ = TABLE_OPTIONS

    federation_id: Mapped[int] = mapped_column(ForeignKey(FederationRow.id), primary_key=True)
    split: Mapped[str] = mapped_column(String(16), primary_key=True)
    labels: Mapped[bytes] = mapped_column(LongBytes)


class ParticipantRow(Base):
    """One participant as it is; `histogram` is a JSON list of private examples per class."""

    __tablename__ = "autokd_participant"
    __table_args__ = (UniqueConstraint("federation_id", "number"), TABLE_OPTIONS)

    id: Mapped[int] = mapped_column(primary_key=True)
    federation_id: Mapped[int] = mapped_column(ForeignKey(FederationRow.id))
    number: Mapped[int]
    architecture: Mapped[str] = mapped_column(String(64))
    histogram: Mapped[str] = mapped_column(LongText)
    correct: Mapped[list[ParticipantCorrectRow]] = relationship(lazy="selectin")


class ParticipantCorrectRow(Base):
    """Which examples of a split a participant's own model gets right (see `pack_bits`)."""

    __tablename__ = "autokd_participant_correct"
    __table_args__ = TABLE_OPTIONS

    participant_id: Mapped[int] = mapped_column(ForeignKey(ParticipantRow.id), primary_key=True)
    split: Mapped[str] = mapped_column(String(16), primary_key=True)
    examples: Mapped[int]
    bits: Mapped[bytes] = mapped_column(LongBytes)


class RunRow(Base):
    """One run outside the search that has ended.

    `learning_rate`, `budget` (in epochs) and `batch_norm` are null where the setting leaves them to the
    recipe; `epochs` are those spent. `completed` is a hash of (study, stage, setting, seed) for a COMPLETE
    run and null for a FAIL: being unique, it lets the database itself refuse a second result of the same run,
    while failures may repeat.
    """

    __tablename__ = "autokd_run"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    stage: Mapped[str] = mapped_column(String(16))
    temperature: Mapped[float] = mapped_column(Double)
    alpha: Mapped[float | None] = mapped_column(Double)
    transfer_set: Mapped[str] = mapped_column(String(16))
    method: Mapped[str] = mapped_column(String(32), server_default="plain")
    learning_rate: Mapped[float | None] = mapped_column(Double)
    budget: Mapped[int | None]
    batch_norm: Mapped[str | None] = mapped_column(String(16))
    seed: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    completed: Mapped[str | None] = mapped_column(String(64), unique=True)
    forgetting: Mapped[float | None] = mapped_column(Double)
    local_accuracy: Mapped[float | None] = mapped_column(Double)
    epochs: Mapped[int]
    seconds: Mapped[float] = mapped_column(Double)
    failure: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(LongText)
    correct: Mapped[list[RunCorrectRow]] = relationship(lazy="selectin")
    curve: Mapped[RunCurveRow | None] = relationship(lazy="selectin")


class RunCurveRow(Base):
    """What a swept run was like on its way, as JSON (see `pack_curve`); other runs have none."""

    __tablename__ = "autokd_run_curve"
    __table_args__ = TABLE_OPTIONS

    run_id: Mapped[int] = mapped_column(ForeignKey(RunRow.id), primary_key=True)
    rungs: Mapped[str] = mapped_column(LongText)


class RunCorrectRow(Base):
    """Which examples of a split the student gets right at the end of a run (see `pack_bits`)."""

    __tablename__ = "autokd_run_correct"
    __table_args__ = TABLE_OPTIONS

    run_id: Mapped[int] = mapped_column(ForeignKey(RunRow.id), primary_key=True)
    split: Mapped[str] = mapped_column(String(16), primary_key=True)
    examples: Mapped[int]
    bits: Mapped[bytes] = mapped_column(LongBytes)


class RecommendationRow(Base):
    """The last judgement of a study, as JSON; overwritten when judged again."""

    __tablename__ = "autokd_recommendation"
    __table_args__ = TABLE_OPTIONS

    study: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    payload: Mapped[str] = mapped_column(LongText)


class DriverRow(Base):
    """A driver that holds leases; without this row it holds none. `process` is JSON (see `Process`).

    `words` is JSON, too: how it gets on, as it told at the time `told`; null before it has. Times are the
    database's, in seconds since 1970.
    """

    __tablename__ = "autokd_driver"
    __table_args__ = TABLE_OPTIONS

    token: Mapped[str] = mapped_column(String(32), primary_key=True)
    process: Mapped[str] = mapped_column(LongText)
    since: Mapped[float] = mapped_column(Double)
    expires: Mapped[float] = mapped_column(Double)
    words: Mapped[str | None] = mapped_column(LongText)
    told: Mapped[float | None] = mapped_column(Double)


class LeaseRow(Base):
    """Who may write to a study: the driver of that token, as long as it has a row, else nobody.

    `fence` grows with each change of owner, so the row stays when the lease is given back.
    """

    __tablename__ = "autokd_lease"
    __table_args__ = TABLE_OPTIONS

    study: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    fence: Mapped[int]
    token: Mapped[str | None] = mapped_column(String(32))
