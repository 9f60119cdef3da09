"""Logits of a stored run, read when they are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, final

from autokd.core.records import Logits
from autokd.core.setting import Split

ReadLogits = Callable[[int, Split], Logits | None]
"""Reads the logits of the run of that number on a split; None if there are none."""
_SPLITS: Final = (Split.CONFIRMATION, Split.TEST)


@final
class StoredLogits(Mapping[Split, Logits]):
    """The logits of a confirmation run by split; empty if its version did not keep them.

    Nothing is kept here: each look at a split reads it from the store, which must still be open.

    Args:
        run: Number of the run in its table.
    """

    def __init__(self, run: int, read: ReadLogits) -> None:
        self._run, self._read = run, read

    def __getitem__(self, split: Split) -> Logits:
        logits = self._read(self._run, split)
        if logits is None:
            raise KeyError(f"logits on {split} are not available: this run is of a version that kept none")
        return logits

    def __iter__(self) -> Iterator[Split]:
        return (split for split in _SPLITS if self._read(self._run, split) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
