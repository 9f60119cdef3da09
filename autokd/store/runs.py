"""Tables of the runs outside the search, and of recommendations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import final

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autokd.core.records import REASON_LENGTH, Failure, RunRecord, RunState, Stage
from autokd.core.setting import BatchNorm, Method, Setting, Split, TransferSet
from autokd.errors import DuplicateRun
from autokd.store.encoding import pack_bits, pack_curve, unpack_bits, unpack_curve
from autokd.store.tables import RecommendationRow, RunCorrectRow, RunCurveRow, RunRow


@final
class Runs:
    """Runs and recommendations of one database; `Store` says what each method promises."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, study: str, run: RunRecord) -> None:
        row = _row(study, run)
        try:
            with Session(self._engine) as session, session.begin():
                session.add(row)
        except IntegrityError:
            if run.state is RunState.FAIL:
                raise
            which = f"{run.stage} run of {run.setting} with seed {run.seed}"
            raise DuplicateRun(f"study {study!r} already has a COMPLETE {which}") from None

    def count(self, study: str) -> int:
        with Session(self._engine) as session:
            return session.scalar(select(func.count()).where(RunRow.study == study)) or 0

    def runs(self, study: str) -> tuple[RunRecord, ...]:
        with Session(self._engine) as session:
            rows = session.scalars(select(RunRow).where(RunRow.study == study).order_by(RunRow.id))
            return tuple(_record(row) for row in rows)

    def put_recommendation(self, study: str, payload: Mapping[str, object]) -> None:
        text = json.dumps(payload, allow_nan=False)
        with Session(self._engine) as session, session.begin():
            session.merge(RecommendationRow(study=study, payload=text))

    def recommendation(self, study: str) -> Mapping[str, object] | None:
        with Session(self._engine) as session:
            row = session.get(RecommendationRow, study)
            payload = None if row is None else json.loads(row.payload)
        if payload is not None and not isinstance(payload, dict):
            raise TypeError(f"a recommendation is a mapping, not {payload!r:.100}")
        return payload

    def recommended(self) -> tuple[str, ...]:
        with Session(self._engine) as session:
            return tuple(session.scalars(select(RecommendationRow.study).order_by(RecommendationRow.study)))


def _identity(study: str, run: RunRecord) -> str:
    # NOTE: JSON has the exact value of a float, so only equal settings have the same hash.
    setting = run.setting
    three = {name: setting.values()[name] for name in ("temperature", "alpha", "transfer_set")}
    more = sorted(setting.to_json().items() - three.items())
    parts = (study, run.stage.value, *three.values(), *more, run.seed)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _row(study: str, run: RunRecord) -> RunRow:
    return RunRow(
        study=study,
        stage=run.stage.value,
        temperature=run.setting.temperature,
        alpha=run.setting.alpha,
        transfer_set=run.setting.transfer_set.value,
        method=run.setting.method.value,
        learning_rate=run.setting.learning_rate,
        budget=run.setting.epochs,
        batch_norm=None if run.setting.batch_norm is None else run.setting.batch_norm.value,
        seed=run.seed,
        state=run.state.value,
        completed=_identity(study, run) if run.state is RunState.COMPLETE else None,
        forgetting=run.forgetting,
        local_accuracy=run.local_accuracy,
        epochs=run.epochs,
        seconds=run.seconds,
        failure=None if run.failure is None else run.failure.value,
        reason=run.reason[:REASON_LENGTH],
        correct=[
            RunCorrectRow(split=split.value, examples=len(correct), bits=pack_bits(correct))
            for split, correct in run.correct.items()
        ],
        curve=RunCurveRow(rungs=pack_curve(run.curve)) if run.curve else None,
    )


def _record(row: RunRow) -> RunRecord:
    return RunRecord(
        stage=Stage(row.stage),
        setting=Setting(
            temperature=row.temperature,
            alpha=row.alpha,
            transfer_set=TransferSet(row.transfer_set),
            method=Method(row.method),
            learning_rate=row.learning_rate,
            epochs=row.budget,
            batch_norm=None if row.batch_norm is None else BatchNorm(row.batch_norm),
        ),
        seed=row.seed,
        state=RunState(row.state),
        correct={Split(part.split): unpack_bits(part.bits, part.examples) for part in row.correct},
        forgetting=row.forgetting,
        local_accuracy=row.local_accuracy,
        epochs=row.epochs,
        seconds=row.seconds,
        failure=None if row.failure is None else Failure(row.failure),
        reason=row.reason,
        curve=() if row.curve is None else unpack_curve(row.curve.rungs),
    )
