"""What crosses between the two environments: a table without its test split, what to search, what was run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PUBLIC = "public"
"""The transfer set without labels: α has no meaning there, and is NaN in a problem."""


class Setting(NamedTuple):
    """A point of the grid, `alpha` None on `public`."""

    temperature: float
    alpha: float | None
    transfer_set: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """A recorded sweep as a tuner may see it: accuracy on validation, and nothing else.

    Attributes:
        settings: The grid, in the order of the columns.
        default: Column of the default setting.
        rungs: Recorded epochs, the last one the full budget.
        accuracy: In [0, 1], NaN for a run that diverged, shape (pairs, settings, seeds, rungs).
    """

    settings: tuple[Setting, ...]
    default: int
    rungs: tuple[int, ...]
    accuracy: NDArray[np.float64]

    @property
    def values(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Temperatures, values of α and transfer sets of the grid, each once, sorted as text."""
        temperatures, alphas, sets = (
            sorted({setting[field] for setting in self.settings} - {None}, key=str) for field in range(3)
        )
        return temperatures, alphas, sets

    @property
    def epochs(self) -> int:
        """Of a run to its end."""
        return self.rungs[-1]

    def curves(self, pair: int, seed: int) -> list[list[float]]:
        """What each setting shows at each rung, of one pair and one of the table's seeds."""
        curves: list[list[float]] = self.accuracy[pair, :, seed].tolist()
        return curves

    def save(self, path: Path) -> None:
        """Write as `.npz`, without pickles."""
        temperatures, alphas, sets = zip(*self.settings, strict=True)
        np.savez(
            path,
            temperature=np.array(temperatures),
            alpha=np.array([np.nan if alpha is None else alpha for alpha in alphas]),
            transfer_set=np.array(sets),
            default=np.array(self.default),
            rungs=np.array(self.rungs),
            accuracy=self.accuracy,
        )

    @classmethod
    def load(cls, path: Path) -> Problem:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as kept:
            columns = zip(*(kept[name].tolist() for name in Setting._fields), strict=True)
            return cls(
                settings=tuple(Setting(t, None if s == PUBLIC else a, s) for t, a, s in columns),
                default=int(kept["default"]),
                rungs=tuple(kept["rungs"].tolist()),
                accuracy=kept["accuracy"],
            )


class Step(NamedTuple):
    """A trial that has ended.

    Attributes:
        column: Of its setting.
        epochs: That had not been run before for this setting; a repeated run costs nothing.
        whole: It reached the full budget.
    """

    column: int
    epochs: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Pairs to search, one after the other.

    Attributes:
        seed: The tuner's.
        answers: Which of the table's seeds answers.
        pairs: Rows of the table.
        budget: Epochs of a pair.
        known: Columns of the runs to the end that are known of other pairs.
        hands_on: What a pair ran is known to those that follow.
    """

    seed: int
    answers: int
    pairs: tuple[int, ...]
    budget: int
    known: Mapping[int, tuple[int, ...]]
    hands_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What became of some orders.

    Attributes:
        steps: By order, pair of the order, and trial.
        versions: Of the libraries that were asked.
        seconds: Of CPU time, for all.
    """

    steps: list[list[list[Step]]]
    versions: Mapping[str, str]
    seconds: float


def write_orders(path: Path, orders: Sequence[Order]) -> None:
    """As JSON."""
    path.write_text(json.dumps([asdict(order) for order in orders]))


def read_orders(path: Path) -> list[Order]:
    """What `write_orders` wrote."""
    return [
        Order(
            **{
                **order,
                "pairs": tuple(order["pairs"]),
                "known": {int(pair): tuple(columns) for pair, columns in order["known"].items()},
            }
        )
        for order in json.loads(path.read_text())
    ]


def write_answers(path: Path, answers: Answers) -> None:
    """As JSON."""
    path.write_text(json.dumps(asdict(answers)))


def read_answers(path: Path) -> Answers:
    """What `write_answers` wrote."""
    kept: dict[str, Any] = json.loads(path.read_text())
    steps = [[[Step(*step) for step in pair] for pair in order] for order in kept.pop("steps")]
    return Answers(steps=steps, **kept)
