"""A recorded sweep (`benchmarks/tables/*.parquet`) as arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as parquet
from numpy.typing import NDArray

from autokd.config.federation import FederationConfig
from autokd.config.space import Space, read_space
from autokd.config.study import StudyConfig
from autokd.core.records import FederationFacts, ParticipantFacts
from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet
from autokd.search.pair_features import PairFeatures

FOLDER: Final = Path(__file__).parent.parent / "tables"
GRID: Final = Path(__file__).parent.parent / "frozen" / "poster_sweep.yaml"
"""What was recorded, whatever is shipped under that name."""
TABLES: Final = ("digits", "digits_plain", "digits_classes")
SPLITS: Final = (Split.VALIDATION, Split.CONFIRMATION, Split.TEST)


@dataclass(frozen=True, slots=False, kw_only=True, eq=False)
class Table:
    """Every pair × setting × seed × rung of one federation.

    Attributes:
        name: Of the regime.
        rungs: Epochs, the last one the full budget.
        accuracy: In [0, 1], NaN for a run that diverged, shape (pairs, settings, seeds, rungs, splits).
        own: Accuracy of each participant's model as it is, in [0, 1], shape (participants, splits).
        features: Of each pair, known without a run.
    """

    name: str
    config: StudyConfig
    space: Space
    pairs: tuple[Pair, ...]
    settings: tuple[Setting, ...]
    rungs: tuple[int, ...]
    accuracy: NDArray[np.float64]
    own: NDArray[np.float64]
    features: Mapping[Pair, PairFeatures]

    @property
    def seeds(self) -> int:
        return int(self.accuracy.shape[2])

    @property
    def epochs(self) -> int:
        """Of a run to its end."""
        return self.rungs[-1]

    @cached_property
    def row(self) -> Mapping[Pair, int]:
        return {pair: row for row, pair in enumerate(self.pairs)}

    @cached_property
    def column(self) -> Mapping[Setting, int]:
        return {setting: column for column, setting in enumerate(self.settings)}

    @cached_property
    def gain(self) -> NDArray[np.float64]:
        """Of the student, in pp, −100 for a diverged run, shape (pairs, settings, seeds, splits)."""
        before = self.own[[pair.student for pair in self.pairs]]
        gain: NDArray[np.float64] = 100 * (self.accuracy[:, :, :, -1, :] - before[:, None, None, :])
        return np.nan_to_num(gain, nan=-100.0)

    @property
    def default(self) -> int:
        """The column of the default setting."""
        return self.column[DEFAULT]

    def facts(self) -> FederationFacts:
        """What the driver wants to know of the federation; the examples themselves it never looks at."""
        assert isinstance(self.config.federation, FederationConfig)
        sizes = self.config.federation.splits
        lengths = dict(zip(SPLITS, (sizes.validation, sizes.confirmation, sizes.test), strict=True))
        return FederationFacts(
            name=self.name,
            classes=("any",),
            labels={split: np.zeros(length, dtype=np.int64) for split, length in lengths.items()},
            participants=tuple(
                ParticipantFacts(
                    number=number,
                    architecture="any",
                    histogram=(1,),
                    correct={
                        split: np.arange(lengths[split]) < round(own * lengths[split])
                        for split, own in zip(SPLITS, accuracies, strict=True)
                    },
                )
                for number, accuracies in enumerate(self.own)
            ),
            public=1,
        )


@cache
def load(name: str) -> Table:
    """The table of a regime, by name; read once a process, and not to be changed."""
    table = parquet.read_table(FOLDER / f"{name}.parquet", filters=[("stage", "=", "sweep")])
    metadata: dict[str, Any] = json.loads(table.schema.metadata[b"autokd"])
    space = read_space(str(GRID))
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    pairs = tuple(Pair.parse(text) for text in metadata["pairs"])
    settings = space.grid()
    rungs = tuple(sorted(set(columns["epoch"]) - {0}))
    seeds = sorted(set(columns["seed"]))
    row, column = {p: i for i, p in enumerate(pairs)}, {s: i for i, s in enumerate(settings)}
    keys = zip(columns["temperature"], columns["alpha"], columns["transfer_set"], strict=True)
    where = (
        [row[Pair(*both)] for both in zip(columns["teacher"], columns["student"], strict=True)],
        [column[Setting(temperature, alpha, TransferSet(chosen))] for temperature, alpha, chosen in keys],
        [seeds.index(seed) for seed in columns["seed"]],
        # A run that diverged has one row, of epoch 0, without accuracies.
        [rungs.index(epoch or rungs[-1]) for epoch in columns["epoch"]],
    )
    accuracy = np.full((len(pairs), len(settings), len(seeds), len(rungs), len(SPLITS)), np.nan)
    for place, split in enumerate(SPLITS):
        accuracy[(*where, place)] = np.array(columns[f"{split}_accuracy"], dtype=np.float64)
    ended = np.zeros(accuracy.shape[:3], dtype=np.bool_)
    ended[where[:3]] = True
    if not ended.all():
        raise ValueError(f"{name}.parquet is not a whole sweep: {(~ended).sum()} runs are missing")
    return Table(
        name=name,
        config=StudyConfig.model_validate(metadata["plan"]),
        space=space,
        pairs=pairs,
        settings=settings,
        rungs=rungs,
        accuracy=accuracy,
        own=np.array(
            [[participant["accuracy"][split] for split in SPLITS] for participant in metadata["participants"]]
        ),
        features={Pair.parse(text): PairFeatures(**known) for text, known in metadata["pairs"].items()},
    )
