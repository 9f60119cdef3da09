from __future__ import annotations

import numpy as np
import pytest

from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet
from autokd.explanation.attribution import Step, Taken, attribute, between, corners
from autokd.statistics.shapley import subsets
from tests.recommendation.samples import HOT, PUBLIC, TUNING

TUNED, SET, POSITION = Step.TUNING, Step.TRANSFER_SET, Step.POSITION
PAIR = Pair(4, 9)


def test_steps_between_the_default_and_a_setting() -> None:
    assert between(HOT) == {
        frozenset(): DEFAULT,
        frozenset({TUNED}): Setting(4.0, 0.1, TransferSet.STUDENT),
        frozenset({SET}): Setting(1.0, 0.5, TransferSet.BOTH),
        frozenset({TUNED, SET}): HOT,
    }


def test_where_there_are_no_labels_the_weight_is_the_defaults() -> None:
    settings = between(PUBLIC)
    assert settings[frozenset({TUNED})] == Setting(2.0, 0.5, TransferSet.STUDENT)
    assert settings[frozenset({SET})] == Setting(1.0, None, TransferSet.PUBLIC)


def test_the_position_is_the_reversed_pair_with_its_own_setting() -> None:
    models = corners(PAIR, HOT, TUNING)
    assert models[frozenset({POSITION})] == (Pair(9, 4), DEFAULT)
    assert models[frozenset({TUNED, SET, POSITION})] == (Pair(9, 4), TUNING)
    assert models[frozenset({TUNED, SET})] == (PAIR, HOT)
    assert len(models) == 8
    assert len(corners(PAIR, HOT, None)) == 4


def test_each_split_is_told_by_itself() -> None:
    rng = np.random.default_rng(2)
    rights = {
        split: {
            taken: (rng.random((4, 50)) < 0.5).astype(float) for taken in subsets(frozenset({TUNED, SET}))
        }
        for split in (Split.CONFIRMATION, Split.TEST)
    }

    def correct(taken: Taken, split: Split) -> np.ndarray:
        return rights[split][taken]

    attribution = attribute(correct, frozenset({TUNED, SET}), confidence=0.95)
    assert list(attribution.parts) == [TUNED, SET]
    for split, its in rights.items():
        total = 100 * (its[frozenset({TUNED, SET})].mean() - its[frozenset()].mean())
        assert attribution.total[split].mean == pytest.approx(total)
        assert sum(part[split].mean for part in attribution.parts.values()) == pytest.approx(total)
        assert set(attribution.to_json()) == {"confirmation", "test"}
