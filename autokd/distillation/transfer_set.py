"""Which examples a run distils on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autokd.core.setting import Pair, Split, TransferSet
from autokd.errors import PlanError
from autokd.federation.federation import Federation


def examples(federation: Federation, pair: Pair, transfer_set: TransferSet) -> NDArray[np.int64]:
    """Indices into the federation's data, shape (m,), each at most once.

    Raises:
        PlanError: If there are fewer than two such examples, so that nothing can be trained on them.
    """
    private = {who: federation.participants[who].private for who in (pair.teacher, pair.student)}
    match transfer_set:
        case TransferSet.STUDENT:
            chosen = private[pair.student]
        case TransferSet.TEACHER:
            chosen = private[pair.teacher]
        case TransferSet.BOTH:
            chosen = np.union1d(private[pair.student], private[pair.teacher])
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
