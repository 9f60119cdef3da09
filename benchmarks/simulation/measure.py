"""What an answer is worth: the share of the way from what one has anyway to what the whole sweep finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from autokd.core.setting import Pair, Setting
from benchmarks.simulation.replay import Ran
from benchmarks.simulation.table import Table

Points = list[tuple[float, float]]
"""Cost and share, from a small budget to a large one."""
COSTS: Final = (0.05, 0.1, 0.2)
"""At which searches are compared."""
_VALIDATION, _TEST = 0, 2


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The two ends of the scale, by pair, in pp of the student on test.

    Attributes:
        anyway: The default setting or nothing, whichever validation prefers.
        swept: The best of the whole grid or nothing.
    """

    anyway: Mapping[Pair, float]
    swept: Mapping[Pair, float]

    def share(self, answers: Mapping[Pair, float]) -> float:
        """Of the way, summed over the pairs that were answered."""
        way = sum(self.swept[pair] - self.anyway[pair] for pair in answers)
        return sum(answers[pair] - self.anyway[pair] for pair in answers) / way


def yardstick(table: Table, seed: int) -> Yardstick:
    """For runs with one of the table's seeds."""
    return Yardstick(
        anyway={pair: answer(table, seed, pair, [table.settings[table.default]]) for pair in table.pairs},
        swept={pair: answer(table, seed, pair, table.settings) for pair in table.pairs},
    )


def answer(table: Table, seed: int, pair: Pair, tried: Iterable[Setting]) -> float:
    """Gain on test of the tried setting that validation prefers, or 0 where it prefers the model as it is."""
    gains = table.gain[table.row[pair], :, seed]
    columns = [table.column[setting] for setting in tried]
    best = max(columns, key=lambda column: gains[column, _VALIDATION], default=None)
    return 0.0 if best is None or gains[best, _VALIDATION] <= 0 else float(gains[best, _TEST])


def cost(table: Table, ran: Sequence[Ran], pairs: int) -> float:
    """Epochs of the search as a share of the sweep's on so many pairs."""
    return sum(trial.epochs for trial in ran) / (len(table.settings) * table.epochs * pairs)


def at(points: Points, cost: float) -> float:
    """The share at a cost, between measured points in proportion; nothing spent is nothing gained."""
    costs, shares = zip((0.0, 0.0), *sorted(points), strict=True)
    return float(np.interp(cost, costs, shares))


def cells(points_by_seed: Sequence[Points]) -> str:
    """Mean and standard deviation over seeds of the shares at `COSTS`, for a line of a table."""
    columns = ([at(points, cost) for points in points_by_seed] for cost in COSTS)
    return "".join(f"{np.mean(shares):>8.3f} ± {np.std(shares):.3f}" for shares in columns)


def single(table: Table, seed: int, pairs: Iterable[Pair] | None = None) -> float:
    """The share of the best single setting of the pairs without either participant, and no search."""
    seed %= table.seeds
    answers = {pair: answer(table, seed, pair, elsewhere(table, seed, pair)) for pair in pairs or table.pairs}
    return yardstick(table, seed).share(answers)


def single_meetings(table: Table, seed: int) -> float:
    """The same with free position: it is run in both."""
    seed %= table.seeds
    answers = {}
    for pair in half(table):
        best = elsewhere(table, seed, pair)
        answers[pair] = meeting_answer(table, seed, pair, best, best)
    return meeting_yardstick(table, seed).share(answers)


def elsewhere(table: Table, seed: int, pair: Pair) -> list[Setting]:
    """The setting that is best for the pairs without either participant, and the default."""
    others = [row for other, row in table.row.items() if not other.meeting & pair.meeting]
    best = int(table.gain[others, :, seed, _VALIDATION].mean(axis=0).argmax())
    return [table.settings[best], table.settings[table.default]]


def meeting_yardstick(table: Table, seed: int) -> Yardstick:
    """The same for meetings, by the pair of which the first participant teaches, with free position.

    The gain is that of the model that both could end with, over the better of the two as they are; `anyway`
    is the better of the default at either position and the two models as they are.
    """
    default = [table.settings[table.default]]
    return Yardstick(
        anyway={pair: meeting_answer(table, seed, pair, default, default) for pair in half(table)},
        swept={
            pair: meeting_answer(table, seed, pair, table.settings, table.settings) for pair in half(table)
        },
    )


def half(table: Table) -> list[Pair]:
    """One pair of each meeting."""
    return [pair for pair in table.pairs if pair.teacher < pair.student]


def meeting_answer(
    table: Table, seed: int, pair: Pair, tried: Iterable[Setting], reverse: Iterable[Setting]
) -> float:
    """Accuracy on test in pp of the model that validation prefers: a run of either pair, or one as it is."""
    models = [table.own[participant] for participant in (pair.teacher, pair.student)]
    for direction, settings in ((pair, tried), (pair.reverse, reverse)):
        ends = table.accuracy[table.row[direction], :, seed, -1]
        models += [ends[table.column[setting]] for setting in settings]
    best = max(models, key=lambda model: float(model[_VALIDATION]))
    return 100 * float(best[_TEST])
