"""Runs, recommendations and federations, in autokd's own tables, as autokd's records."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Final, final

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autokd.core.records import (
    REASON_LENGTH,
    FederationFacts,
    Logits,
    ParticipantFacts,
    RunRecord,
    RunState,
    Stage,
)
from autokd.core.setting import Split
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
        with Session(self._engine) as session:
            rows = session.scalars(select(RunRow).where(RunRow.study == study).order_by(RunRow.id))
            return tuple(run_record(row, read_logits) for row in rows)

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

    def rows_of_runs(self, studies: Sequence[str]) -> Mapping[str, Sequence[RunRow]]:
        """Return the rows of the runs of many studies, in the order in which they were added."""
        rows: defaultdict[str, list[RunRow]] = defaultdict(list)
        with Session(self._engine) as session:
            for row in session.scalars(select(RunRow).where(RunRow.study.in_(studies)).order_by(RunRow.id)):
                rows[row.study].append(row)
        return rows

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
            return tuple(session.scalars(select(FederationRow.name).order_by(FederationRow.id)))


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
"""Fields that a row has as the record has them."""


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


def run_record(row: RunRow, read_logits: ReadLogits) -> RunRecord:
    """Return the record of a stored run."""
    return RunRecord(
        reason=row.reason,
        correct=RunCorrectRow.unpack(row.correct),
        curve=() if row.curve is None else unpack_curve(row.curve.rungs),
        logits=StoredLogits(row.id, read_logits) if row.stage is Stage.CONFIRMATION else {},
        **{name: getattr(row, name) for name in _SAME},
    )


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
