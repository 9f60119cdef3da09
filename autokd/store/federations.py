"""Federations as the store keeps them: labels, participants, and what each gets right as it is."""

from __future__ import annotations

import json

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autokd.core.records import FederationFacts, ParticipantFacts
from autokd.core.setting import Split
from autokd.store.packing import pack_bits, pack_labels, unpack_bits, unpack_labels
from autokd.store.tables import FederationRow, ParticipantCorrectRow, ParticipantRow, SplitRow


def put_federation(engine: Engine, facts: FederationFacts) -> None:
    """Keep a federation; one of that name is left as it is, since the name holds the hash of its content."""
    if _exists(engine, facts.name):
        return
    try:
        with Session(engine) as session, session.begin():
            session.add(_row(facts))
    except IntegrityError:
        # Somebody else was quicker; anything but that is a fault.
        if not _exists(engine, facts.name):
            raise


def federation(engine: Engine, name: str) -> FederationFacts | None:
    """The facts of one federation, or None."""
    with Session(engine) as session:
        row = session.scalar(select(FederationRow).where(FederationRow.name == name))
        return None if row is None else _facts(row)


def federations(engine: Engine) -> tuple[str, ...]:
    """All names, in the order in which they came."""
    with Session(engine) as session:
        return tuple(session.scalars(select(FederationRow.name).order_by(FederationRow.id)))


def _exists(engine: Engine, name: str) -> bool:
    with Session(engine) as session:
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
    for one in facts.participants:
        if {split: len(right) for split, right in one.correct.items()} != sizes:
            raise ValueError(f"participant {one.number} is not judged on every example of the splits")
    return facts
