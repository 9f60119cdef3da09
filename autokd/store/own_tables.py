"""Runs, recommendations and federations, in autokd's own tables, as autokd's records."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final, final

from sqlalchemy import Engine, Result, Row, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autokd.core.arguments import real, whole
from autokd.core.records import (
    REASON_LENGTH,
    FederationFacts,
    Logits,
    ParticipantFacts,
    RunRecord,
    RunState,
    Stage,
)
from autokd.core.setting import Setting, Split
from autokd.core.tensor_format import TensorFormat
from autokd.errors import DuplicateRun
from autokd.store.encoding import (
    pack_curve,
    pack_labels,
    pack_logits,
    unpack_curve,
    unpack_labels,
    unpack_logits,
)
from autokd.store.stored_logits import ReadLogits, StoredLogits
from autokd.store.tables import (
    SETTING_COLUMNS,
    FederationRow,
    ParticipantCorrectRow,
    ParticipantRow,
    RecommendationRow,
    RunCorrectRow,
    RunCurveRow,
    RunLogitsRow,
    RunRow,
    SplitRow,
)


@final
class OwnTables:
    """Everything in one database beside Optuna's tables; `Store` says what each method promises."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: dict[str, int] = {}

    def add_run(self, study: str, run: RunRecord) -> None:
        count = self._counts.pop(study, None)  # After a failure, it is not known.
        try:
            with Session(self._engine) as session, session.begin():
                session.add(_run_row(study, run))
        except IntegrityError:
            if run.state is RunState.FAIL:
                raise
            which = f"{run.stage} run of {run.setting} with seed {run.seed}"
            raise DuplicateRun(f"study {study!r} already has a COMPLETE {which}") from None
        if count is not None:
            self._counts[study] = count + 1

    def run_count(self, study: str) -> int:
        """Return the number of a study's runs, if only this process has added any since the last count."""
        if study not in self._counts:
            with Session(self._engine) as session:
                query = select(func.count()).where(RunRow.study == study)
                self._counts[study] = session.scalar(query) or 0
        return self._counts[study]

    def studies(self) -> tuple[str, ...]:
        """Return the names under which there are runs."""
        with Session(self._engine) as session:
            return _texts(session.scalars(select(RunRow.study).distinct()))

    def evict(self, study: str) -> None:
        self._counts.pop(study, None)

    def runs(self, study: str, read_logits: ReadLogits) -> tuple[RunRecord, ...]:
        return tuple(run.record(read_logits) for run in self.runs_of([study])[study])

    def logits(self, run: int, split: Split) -> Logits | None:
        """Return the logits of the run of that number in the table; None if there are none."""
        with Session(self._engine) as session:
            query = select(RunLogitsRow).where(RunLogitsRow.run_id == run, RunLogitsRow.split == split)
            rows = session.scalars(query.order_by(RunLogitsRow.part)).all()
            return unpack_logits([row.packed for row in rows], rows[0].classes) if rows else None

    def tensor_format_of_runs(self, study: str) -> TensorFormat | None:
        with Session(self._engine) as session:
            query = select(RunRow.memory_format, RunRow.precision).where(RunRow.study == study)
            row = session.execute(query.order_by(RunRow.id).limit(1)).one_or_none()
            return None if row is None else TensorFormat.from_json(row._asdict())

    def put_recommendation(self, study: str, payload: Mapping[str, object]) -> None:
        text = json.dumps(payload, allow_nan=False)
        with Session(self._engine) as session, session.begin():
            session.merge(RecommendationRow(study=study, payload=text))

    def recommendation(self, study: str) -> Mapping[str, object] | None:
        with Session(self._engine) as session:
            row = session.get(RecommendationRow, study)
            return None if row is None else payload_of(row.payload)

    def runs_of(self, studies: Sequence[str]) -> Mapping[str, Sequence[StoredRun]]:
        """Return the runs of many studies, in the order in which they were added."""
        table, correct, curves = (kind.__table__.c for kind in (RunRow, RunCorrectRow, RunCurveRow))
        names = table.study.in_(studies)
        with self._engine.connect() as connection:
            rows = connection.execute(select(*table).where(names).order_by(table.id)).all()
            query = select(correct.run_id, correct.split, correct.examples, correct.bits).join(
                RunRow, table.id == correct.run_id
            )
            right = grouped(connection.execute(query.where(names)))
            query = select(*curves).join(RunRow, table.id == curves.run_id)
            rungs = {row.run_id: row.rungs for row in connection.execute(query.where(names))}
        runs: defaultdict[str, list[StoredRun]] = defaultdict(list)
        for row in rows:
            runs[row.study].append(StoredRun(row, right[row.id], rungs.get(row.id)))
        return runs

    def texts_of_recommendations(self, studies: Sequence[str]) -> Mapping[str, str]:
        """Return the recommendations of many studies as they are stored."""
        table = RecommendationRow
        with Session(self._engine) as session:
            rows = session.execute(select(table.study, table.payload).where(table.study.in_(studies)))
            return {row.study: row.payload for row in rows}

    def recommended(self) -> tuple[str, ...]:
        with Session(self._engine) as session:
            return _texts(session.scalars(select(RecommendationRow.study).order_by(RecommendationRow.study)))

    def put_federation(self, facts: FederationFacts) -> None:
        if facts.name in self.federations():
            return
        try:
            with Session(self._engine) as session, session.begin():
                session.add(_federation_row(facts))
        except IntegrityError:
            # Another process may have added the same federation; any other conflict is an error.
            if facts.name not in self.federations():
                raise

    def federation(self, name: str) -> FederationFacts | None:
        with Session(self._engine) as session:
            row = session.scalar(select(FederationRow).where(FederationRow.name == name))
            return None if row is None else _federation_facts(row)

    def federations(self) -> tuple[str, ...]:
        with Session(self._engine) as session:
            return _texts(session.scalars(select(FederationRow.name).order_by(FederationRow.id)))


def grouped(result: Result[Any]) -> Mapping[int, Sequence[Row[Any]]]:
    """Return rows by their first value; a value without rows has an empty sequence."""
    groups: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for row in result.all():
        groups[row[0]].append(row)
    return groups


def payload_of(text: str) -> Mapping[str, object]:
    """Return a stored recommendation.

    Raises:
        TypeError: If it is none; and ValueError.
    """
    payload = json.loads(text)
    if not isinstance(payload, dict):
        raise TypeError(f"a recommendation is a mapping, not {payload!r:.100}")
    return payload


def _texts(names: Iterable[object]) -> tuple[str, ...]:
    """Return names; what somebody else has written in place of one is left out."""
    return tuple(name for name in names if isinstance(name, str))


def _run_identity(study: str, run: RunRecord) -> str:
    # NOTE: JSON has the exact value of a float, so only equal settings have the same hash.
    setting = run.setting
    three = {name: setting.values()[name] for name in ("temperature", "alpha", "transfer_set")}
    more = sorted(setting.to_json().items() - three.items())
    parts = (study, run.stage.value, *three.values(), *more, run.seed)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


_SAME: Final = [
    field.name for field in fields(RunRecord) if field.name not in {"correct", "curve", "reason", "logits"}
]
"""Fields that `RunRow` has as the record has them."""
_PLAIN: Final = [name for name in _SAME if name not in {"setting", "tensor_format"}]
"""Those that are one column each."""


_SPLITS: Final = {
    Stage.RACE: {Split.VALIDATION},
    Stage.CONFIRMATION: {Split.CONFIRMATION, Split.TEST},
    Stage.RIVAL: {Split.CONFIRMATION, Split.TEST},
    Stage.SWEEP: set(Split),
}
"""Splits that a run of each stage is judged on."""


def _run_row(study: str, run: RunRecord) -> RunRow:
    return RunRow(
        study=study,
        completed=_run_identity(study, run) if run.state is RunState.COMPLETE else None,
        reason=run.reason[:REASON_LENGTH],
        correct=RunCorrectRow.pack(run.correct),
        curve=RunCurveRow(rungs=pack_curve(run.curve)) if run.curve else None,
        logits=[
            RunLogitsRow(split=split, part=part, classes=logits.shape[1], packed=packed)
            for split, logits in run.logits.items()
            for part, packed in enumerate(pack_logits(logits))
        ],
        **{name: getattr(run, name) for name in _SAME},
    )


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as its tables have it: plain rows, since objects take SQLAlchemy longer to make than to read."""

    row: Row[Any]
    correct: Sequence[Row[Any]]
    curve: str | None

    def record(self, read_logits: ReadLogits) -> RunRecord:
        """Return the record.

        Raises:
            ValueError: If autokd did not write it; and TypeError.
        """
        row, correct = self.row, RunCorrectRow.unpack(self.correct)
        whole("seed", row.seed)
        whole("epochs", row.epochs)
        real("seconds", row.seconds)
        for name in ("forgetting", "local_accuracy"):
            if getattr(row, name) is not None:
                real(name, getattr(row, name))
        if not isinstance(row.reason, str):
            raise TypeError(f"a reason of {row.reason!r:.100}")
        if row.state is RunState.COMPLETE and not correct.keys() >= _SPLITS[row.stage]:
            raise ValueError(f"a {row.stage} run that is not judged on {', '.join(_SPLITS[row.stage])}")
        return RunRecord(
            setting=_setting(*(getattr(row, column) for column in SETTING_COLUMNS)),
            tensor_format=TensorFormat(row.memory_format, row.precision),
            reason=row.reason,
            correct=correct,
            curve=() if self.curve is None else unpack_curve(self.curve),
            logits=StoredLogits(row.id, read_logits) if row.stage is Stage.CONFIRMATION else {},
            **{name: getattr(row, name) for name in _PLAIN},
        )


@lru_cache(maxsize=4096)
def _setting(*columns: Any) -> Setting:
    """Return a setting; the runs of many pairs have the same ones."""
    return Setting(*columns)


def _federation_row(facts: FederationFacts) -> FederationRow:
    return FederationRow(
        name=facts.name,
        classes=json.dumps(facts.classes),
        splits=[SplitRow(split=split, labels=pack_labels(labels)) for split, labels in facts.labels.items()],
        participants=[
            ParticipantRow(
                number=participant.number,
                architecture=participant.architecture,
                histogram=json.dumps(participant.histogram),
                correct=ParticipantCorrectRow.pack(participant.correct),
            )
            for participant in facts.participants
        ],
    )


def _federation_facts(row: FederationRow) -> FederationFacts:
    facts = FederationFacts(
        name=row.name,
        classes=tuple(json.loads(row.classes)),
        labels={part.split: unpack_labels(part.labels) for part in row.splits},
        participants=tuple(
            ParticipantFacts(
                number=participant.number,
                architecture=participant.architecture,
                histogram=tuple(json.loads(participant.histogram)),
                correct=ParticipantCorrectRow.unpack(participant.correct),
            )
            for participant in row.participants
        ),
    )
    sizes = {split: len(labels) for split, labels in facts.labels.items()}
    for participant in facts.participants:
        if {split: len(correct) for split, correct in participant.correct.items()} != sizes:
            raise ValueError(f"participant {participant.number} is not judged on every example of the splits")
    return facts
