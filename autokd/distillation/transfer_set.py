"""Who teaches in a run, and the examples that its student trains on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autokd.core.setting import AnyPair, Setting, Split, TransferSet
from autokd.errors import PlanError
from autokd.federation.federation import Federation


def teaching(pair: AnyPair, setting: Setting) -> tuple[int, ...]:
    """Return the participants that teach, without the student: by default all candidates.

    Raises:
        ValueError: If the setting names teachers that are no candidates.
    """
    if setting.teachers is None:
        return pair.teachers
    if unknown := set(setting.teachers) - {*pair.teachers, pair.student}:
        raise ValueError(f"{setting}: {min(unknown)} is no candidate of {pair}")
    return tuple(number for number in setting.teachers if number != pair.student)


def examples(
    federation: Federation,
    pair: AnyPair,
    transfer_set: TransferSet,
    *,
    teachers: Sequence[int] | None = None,
) -> NDArray[np.int64]:
    """Return a transfer set as indices into the federation's data, shape (m,), without duplicates.

    In `student_public` the student's own come first.

    Args:
        teachers: Those whose private data may be used, as `teaching` returns them; by default all of `pair`.

    Raises:
        PlanError: If there are fewer than two such examples, so that no network can be trained on them.
    """
    own = federation.participants[pair.student].private
    teachers = pair.teachers if teachers is None else teachers
    match transfer_set:
        case TransferSet.STUDENT:
            chosen = own
        case TransferSet.TEACHER:
            chosen = _private(federation, teachers)
        case TransferSet.BOTH:
            chosen = np.union1d(own, _private(federation, teachers))
        case TransferSet.PUBLIC:
            chosen = federation.public
        case TransferSet.STUDENT_PUBLIC:
            chosen = np.concatenate([own, federation.public])
        case TransferSet.VALIDATION:
            chosen = federation.splits[Split.VALIDATION]
    mixed = transfer_set is TransferSet.STUDENT_PUBLIC
    fewest, kind = (federation.public.size, "public ") if mixed else (chosen.size, "")
    if fewest < 2:
        raise PlanError(
            source=federation.name,
            field="transfer_set",
            problem=f"{transfer_set} holds {fewest} {kind}examples for {pair}; take it out of the search "
            "space, or give the federation more such examples",
        )
    return chosen


def _private(federation: Federation, participants: Sequence[int]) -> NDArray[np.int64]:
    """Return the private examples of all of these participants; of one in its own order."""
    parts = [federation.participants[number].private for number in participants]
    return parts[0] if len(parts) == 1 else np.unique(np.concatenate([*parts, np.empty(0, np.int64)]))
