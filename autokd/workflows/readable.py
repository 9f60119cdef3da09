"""Stored records that autokd did not write, by pair: one row must not hide all other pairs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from autokd.core.records import FederationFacts, RunRecord
from autokd.core.setting import AnyPair
from autokd.errors import StoreError, StoreUnreachable
from autokd.store import validated

P = TypeVar("P", bound=AnyPair)
T = TypeVar("T")
_log = logging.getLogger(__name__)


@contextmanager
def leaving_out(pair: AnyPair) -> Iterator[None]:
    """Turn the error that a pair's stored records cannot be read into a notice.

    Raises:
        StoreUnreachable: If the database does not answer.
    """
    try:
        yield
    except StoreUnreachable:
        raise
    except StoreError as error:
        _log.warning("pair %s is left out: %s", pair, error)


def read_each(pairs: Iterable[P], read: Callable[[P], T]) -> dict[P, T]:
    """Return what `read` returns of each pair, without those that cannot be read."""
    values = dict[P, T]()
    for pair in pairs:
        with leaving_out(pair):
            values[pair] = read(pair)
    return values


def check_sizes(study: str, runs: Sequence[RunRecord], facts: FederationFacts) -> None:
    """Check that runs are judged on every example of their splits.

    Raises:
        StoreError: If one is not.
    """
    sizes = {split: len(labels) for split, labels in facts.labels.items()}
    with validated(f"study {study!r}"):
        for run in runs:
            for split, correct in run.correct.items():
                if len(correct) != sizes[split]:
                    raise ValueError(f"{len(correct)} examples of {split}, which has {sizes[split]}")
