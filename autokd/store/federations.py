"""Tables of the federations: labels, participants, and which examples each own model gets right."""

from __future__ import annotations

import json
from typing import final

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autokd.core.records import FederationFacts, ParticipantFacts
from autokd.core.setting import Split
from autokd.store.encoding import pack_bits, pack_labels, unpack_bits, unpack_labels
from autokd.store.tables import FederationRow, ParticipantCorrectRow, ParticipantRow, SplitRow


@final
class Federations:
    """Federations of one database; `Store` says what each method promises."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, facts: FederationFacts) -> None:
        if self._exists(facts.name):
            return
        try:
            with Session(self._engine) as session, session.begin():
                session.add(_row(facts))
        except IntegrityError:
            # Another process may have added the same federation; any other conflict is an error.
            if not self._exists(facts.name):
                raise

    def federation(self, name: str) -> FederationFacts | None:
        with Session(self._engine) as session:
            row = session.scalar(select(FederationRow).where(FederationRow.name == name))
            return None if row is None else _facts(row)

    def names(self) -> tuple[str, ...]:
        with Session(self._engine) as session:
            return tuple(session.scalars(select(FederationRow.name).order_by(FederationRow.id)))

    def _exists(self, name: str) -> bool:
        with Session(self._engine) as session:
            return session.scalar(select(FederationRow.id).where(FederationRow.name == name)) is not None


def _row(facts: FederationFacts) -> FederationRow:
    return FederationRow(
        name=facts.name,
        classes=json.dumps(facts.classes),
        splits=[
            SplitRow(split=split.value, labels=pack_labels(labels)) for split, labels in facts.labels.items()
        ],
        participants=[
            ParticipantRow(
                number=participant.number,
                architecture=participant.architecture,
                histogram=json.dumps(participant.histogram),
                correct=[
                    ParticipantCorrectRow(split=split.value, examples=len(correct), bits=pack_bits(correct))
                    for split, correct in participant.correct.items()
                ],
            )
            for participant in facts.participants
        ],
    )


def _facts(row: FederationRow) -> FederationFacts:
    facts = FederationFacts(
        name=row.name,
        classes=tuple(json.loads(row.classes)),
        labels={Split(part.split): unpack_labels(part.labels) for part in row.splits},
        participants=tuple(
            ParticipantFacts(
                number=participant.number,
                architecture=participant.architecture,
                histogram=tuple(json.loads(participant.histogram)),
                correct={
                    Split(part.split): unpack_bits(part.bits, part.examples) for part in participant.correct
                },
            )
            for participant in row.participants
        ),
    )
    sizes = {split: len(labels) for split, labels in facts.labels.items()}
    for participant in facts.participants:
        if {split: len(correct) for split, correct in participant.correct.items()} != sizes:
            raise ValueError(f"participant {participant.number} is not judged on every example of the splits")
    return facts
