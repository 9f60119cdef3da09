"""autokd's own tables, beside Optuna's in one database.

A row refers to a study by its name, not by Optuna's number: the name contains the hashes of everything that
decides what a run computes, so runs stay valid even if the study is deleted in the dashboard.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Self

from sqlalchemy import Enum, ForeignKey, LargeBinary, MetaData, Row, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, composite, mapped_column, relationship
from sqlalchemy.types import Double, TypeDecorator, TypeEngine

from autokd.core.records import Correctness, Failure, RunState, Stage
from autokd.core.setting import BatchNorm, LabelPrior, Method, Schedule, Setting, Split, TransferSet
from autokd.core.tensor_format import TensorFormat
from autokd.store.encoding import pack_bits, unpack_bits

NAME_LENGTH: Final = 512
"""Characters in the longest study name, as in Optuna."""

# NOTE: MySQL's plain TEXT and BLOB end at 64 KB.
LONG_TEXT: Final[TypeEngine[str]] = Text().with_variant(mysql.MEDIUMTEXT(), "mysql")
LONG_BYTES: Final[TypeEngine[bytes]] = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")

OPTIONS: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    # Names that differ only in case are different, as in the other databases.
    "mysql_collate": "utf8mb4_bin",
}


def _words(length: int, kind: type[enum.Enum] = enum.Enum) -> Enum:
    """Return the type of a text column that has the values of an enumeration."""
    return Enum(kind, native_enum=False, length=length, values_callable=lambda kind: [m.value for m in kind])


class _Numbers(TypeDecorator[tuple[int, ...]]):
    """Numbers as a text like `0 3 7`."""

    impl = String(255)
    cache_ok = True

    def process_bind_param(self, value: tuple[int, ...] | None, dialect: object) -> str | None:
        return None if value is None else " ".join(map(str, value))

    def process_result_value(self, value: Any | None, dialect: object) -> tuple[int, ...] | None:
        return None if value is None else tuple(map(int, value.split()))


class Base(DeclarativeBase):
    """Gives every table its options, and every constraint a name, so that a migration can change it."""

    __table_args__: Any = OPTIONS
    type_annotation_map: ClassVar = {float: Double, enum.Enum: _words(16), tuple[int, ...]: _Numbers}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class _Correct(Base):
    """Columns of the examples of a split that a model gets right (see `pack_bits`)."""

    __abstract__ = True

    split: Mapped[Split] = mapped_column(primary_key=True)
    examples: Mapped[int]
    bits: Mapped[bytes] = mapped_column(LONG_BYTES)

    @classmethod
    def pack(cls, correct: Mapping[Split, Correctness]) -> list[Self]:
        """Return a row for each split."""
        return [cls(split=split, examples=len(each), bits=pack_bits(each)) for split, each in correct.items()]

    @staticmethod
    def unpack(rows: Sequence[_Correct | Row[Any]]) -> dict[Split, Correctness]:
        """Return the inverse of `pack`."""
        return {row.split: unpack_bits(row.bits, row.examples) for row in rows}


class FederationRow(Base):
    """One federation; `classes` is a JSON list of names."""

    __tablename__ = "autokd_federation"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    classes: Mapped[str] = mapped_column(LONG_TEXT)
    splits: Mapped[list[SplitRow]] = relationship(lazy="selectin")
    participants: Mapped[list[ParticipantRow]] = relationship(
        lazy="selectin", order_by="ParticipantRow.number"
    )


class SplitRow(Base):
    """Labels of one held-out split (see `pack_labels`)."""

    __tablename__ = "autokd_split"

    federation_id: Mapped[int] = mapped_column(ForeignKey(FederationRow.id), primary_key=True)
    split: Mapped[Split] = mapped_column(primary_key=True)
    labels: Mapped[bytes] = mapped_column(LONG_BYTES)


class ParticipantRow(Base):
    """One participant; `histogram` is a JSON list of its number of private examples per class."""

    __tablename__ = "autokd_participant"
    __table_args__ = (UniqueConstraint("federation_id", "number"), OPTIONS)

    id: Mapped[int] = mapped_column(primary_key=True)
    federation_id: Mapped[int] = mapped_column(ForeignKey(FederationRow.id))
    number: Mapped[int]
    architecture: Mapped[str] = mapped_column(String(64))
    histogram: Mapped[str] = mapped_column(LONG_TEXT)
    correct: Mapped[list[ParticipantCorrectRow]] = relationship(lazy="selectin")


class ParticipantCorrectRow(_Correct):
    """What a participant's own model gets right."""

    __tablename__ = "autokd_participant_correct"

    participant_id: Mapped[int] = mapped_column(ForeignKey(ParticipantRow.id), primary_key=True)


SETTING_COLUMNS: Final = (
    *("temperature", "alpha", "transfer_set", "method", "learning_rate", "budget", "batch_norm"),
    *("label_prior", "schedule", "teachers"),
)
"""Columns of `RunRow` in the order of the fields of `Setting`."""


class RunRow(Base):
    """One run outside the search that has ended.

    `learning_rate`, `budget` (in epochs), `batch_norm` and `schedule` are null where the setting leaves them
    to the recipe, `teachers` where the run is of a pair; `epochs` are those spent. `completed` is a hash of
    (study, stage, setting, seed) for a COMPLETE run and null for a FAIL. It is unique, so the database
    refuses a second result of the same run.
    """

    __tablename__ = "autokd_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    stage: Mapped[Stage]
    temperature: Mapped[float]
    alpha: Mapped[float | None]
    transfer_set: Mapped[TransferSet]
    method: Mapped[Method] = mapped_column(_words(32, Method), server_default="plain")
    learning_rate: Mapped[float | None]
    budget: Mapped[int | None]
    batch_norm: Mapped[BatchNorm | None]
    label_prior: Mapped[LabelPrior] = mapped_column(server_default="none")
    schedule: Mapped[Schedule | None]
    teachers: Mapped[tuple[int, ...] | None]
    setting: Mapped[Setting] = composite(*SETTING_COLUMNS)
    seed: Mapped[int]
    memory_format: Mapped[str] = mapped_column(String(16), server_default="contiguous")
    precision: Mapped[str] = mapped_column(String(16), server_default="float32")
    tensor_format: Mapped[TensorFormat] = composite("memory_format", "precision")
    state: Mapped[RunState]
    completed: Mapped[str | None] = mapped_column(String(64), unique=True)
    forgetting: Mapped[float | None]
    local_accuracy: Mapped[float | None]
    epochs: Mapped[int]
    seconds: Mapped[float]
    failure: Mapped[Failure | None] = mapped_column(_words(32, Failure))
    reason: Mapped[str] = mapped_column(LONG_TEXT)
    correct: Mapped[list[RunCorrectRow]] = relationship(lazy="selectin")
    curve: Mapped[RunCurveRow | None] = relationship(lazy="selectin")
    # Never read with the run: they are large.
    logits: Mapped[list[RunLogitsRow]] = relationship(lazy="raise")


class RunCurveRow(Base):
    """Rungs of a swept run as JSON (see `pack_curve`); other runs have none."""

    __tablename__ = "autokd_run_curve"

    run_id: Mapped[int] = mapped_column(ForeignKey(RunRow.id), primary_key=True)
    rungs: Mapped[str] = mapped_column(LONG_TEXT)


class RunCorrectRow(_Correct):
    """What the student gets right at the end of a run."""

    __tablename__ = "autokd_run_correct"

    run_id: Mapped[int] = mapped_column(ForeignKey(RunRow.id), primary_key=True)


class RunLogitsRow(Base):
    """A part of the logits of a confirmation run on one split (see `pack_logits`), numbered from 0."""

    __tablename__ = "autokd_run_logits"

    run_id: Mapped[int] = mapped_column(ForeignKey(RunRow.id), primary_key=True)
    split: Mapped[Split] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    classes: Mapped[int]
    packed: Mapped[bytes] = mapped_column(LONG_BYTES)


class RecommendationRow(Base):
    """Latest judgement of a study, as JSON."""

    __tablename__ = "autokd_recommendation"

    study: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    payload: Mapped[str] = mapped_column(LONG_TEXT)


class StoreRow(Base):
    """The identity of this store, in its only row: it tells one store from another, and from its copies."""

    __tablename__ = "autokd_store"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    identity: Mapped[str] = mapped_column(String(32))


class DriverRow(Base):
    """A driver that holds leases; without this row it holds none.

    `process` is JSON (see `Process`). `words` is the status, as JSON, of the heartbeat at the time `told`;
    both are null before the first. Times are the database's, in seconds since 1970. `asked_to_stop` names who
    has asked the driver to stop; it goes with the row, so no later driver sees it.
    """

    __tablename__ = "autokd_driver"

    token: Mapped[str] = mapped_column(String(32), primary_key=True)
    process: Mapped[str] = mapped_column(LONG_TEXT)
    since: Mapped[float]
    expires: Mapped[float]
    words: Mapped[str | None] = mapped_column(LONG_TEXT)
    told: Mapped[float | None]
    asked_to_stop: Mapped[str | None] = mapped_column(LONG_TEXT)


class LeaseRow(Base):
    """The driver that may write to a study, by its token; nobody may if that driver has no row.

    `fence` grows with each change of owner, so the row stays when the lease is released.
    """

    __tablename__ = "autokd_lease"

    study: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    fence: Mapped[int]
    token: Mapped[str | None] = mapped_column(String(32))


class TokenRow(Base):
    """A token of the service, by its public part; of the token itself there is only a hash.

    `current_name` is the name until the token is revoked and null afterwards. It is unique, so a name can be
    used again. Times are the database's, in seconds since 1970; `expires` is null for a token that does not.
    """

    __tablename__ = "autokd_token"

    id: Mapped[str] = mapped_column(String(8), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    current_name: Mapped[str | None] = mapped_column(String(64), unique=True)
    scope: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64))
    created: Mapped[float]
    expires: Mapped[float | None]
    revoked: Mapped[float | None]
