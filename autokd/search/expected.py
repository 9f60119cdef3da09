"""What a batch is expected to take, before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from autokd.config.space import Space
from autokd.config.study import StudyConfig
from autokd.core.price import Load, Prices
from autokd.core.setting import BUDGET, AnyPair
from autokd.search.costs import Costs
from autokd.search.next_work import PairSearch
from autokd.search.progress import work_left

START: Final = 10.0
"""Seconds in which workers start."""
EACH_RUN: Final = 0.15
"""Seconds of each run beside its training: it is handed out, evaluated and recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCost:
    """What is still to be done for some pairs.

    Attributes:
        pairs: Number of pairs and groups that are not done.
        runs: Number of runs: trials, race and confirmation.
        epochs: Epochs of these runs.
        seconds: How long they take; None if no speed is known.
        at_once: Number of runs at once for which `seconds` holds.
    """

    pairs: int
    runs: int
    epochs: int
    seconds: float | None = None
    at_once: int = 1

    @classmethod
    def of(
        cls, work: Load, pairs: int, *, examples_per_second: float | None = None, at_once: int = 1
    ) -> ExpectedCost:
        """Return the cost of some work.

        Args:
            examples_per_second: Training speed of one run.
        """
        seconds = None
        if not work.runs:
            seconds = 0.0
        elif examples_per_second:
            training = work.examples / examples_per_second
            seconds = START + (training + EACH_RUN * work.runs) / at_once
        runs, epochs = round(work.runs), round(work.epochs)
        return cls(pairs=pairs, runs=runs, epochs=epochs, seconds=seconds, at_once=at_once)

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "pairs": self.pairs,
            "runs": self.runs,
            "epochs": self.epochs,
            "seconds": None if self.seconds is None else round(self.seconds),
            "runs_at_once": self.at_once,
        }


def expected_work(config: StudyConfig, meetings: Iterable[Sequence[PairSearch]]) -> tuple[Load, int]:
    """Return the work that is left of meetings, and the number of pairs that have some."""
    alone = [(meeting, work_left(config, [meeting], ())) for meeting in meetings]
    open_ = [(meeting, work) for meeting, work in alone if work.runs > 0]
    return sum((work for _, work in open_), Load()), sum(len(meeting) for meeting, _ in open_)


def nominal_costs(config: StudyConfig, space: Space, pair: AnyPair) -> Costs:
    """Return costs whose runs and epochs hold for any federation; the examples of none are known."""
    prices = Prices(student=1, teacher=1, public=1, validation=1, epochs=config.distillation.epochs)
    if len(pair.teachers) > 1:
        prices = Prices(
            student=1,
            teacher=len(pair.teachers),
            public=1,
            validation=1,
            epochs=config.distillation.epochs,
            of_each=dict.fromkeys(pair.teachers, 1),
        )
    return Costs(
        prices=prices,
        transfer_sets=space.transfer_set,
        budgets=space.budgets(config),
        searches_budgets=any(name in space.dimensions for name in BUDGET),
    )
