"""The examples that a run is trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autokd.core.setting import Pair, Split, TransferSet
from autokd.errors import PlanError
from autokd.federation.federation import Federation


def examples(federation: Federation, pair: Pair, transfer_set: TransferSet) -> NDArray[np.int64]:
    """Return the examples as indices into the federation's data, shape (m,), without duplicates.

    Raises:
        PlanError: If there are fewer than two such examples, so that no network can be trained on them.
    """
    teacher, student = (federation.participants[number].private for number in (pair.teacher, pair.student))
    match transfer_set:
        case TransferSet.STUDENT:
            chosen = student
        case TransferSet.TEACHER:
            chosen = teacher
        case TransferSet.BOTH:
            chosen = np.union1d(student, teacher)
        case TransferSet.PUBLIC:
            chosen = federation.public
        case TransferSet.VALIDATION:
            chosen = federation.splits[Split.VALIDATION]
    if chosen.size < 2:
        raise PlanError(
            source=federation.name,
            field="transfer_set",
            problem=f"{transfer_set} holds {chosen.size} examples for {pair}; take it out of the search "
            "space, or give the federation more such examples",
        )
    return chosen
