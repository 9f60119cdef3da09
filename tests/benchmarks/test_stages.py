from __future__ import annotations

import numpy as np
import pytest

from autokd.config.yaml_files import read_study_config
from autokd.core.example_weights import EVEN
from autokd.core.records import Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import Pair, Split
from benchmarks.simulation.examples import STAGE_SPLITS, Examples
from benchmarks.simulation.measure import answer, yardstick
from benchmarks.simulation.stages import FROZEN, batch, share
from benchmarks.simulation.table import SPLITS, Table

PAIR = Pair(4, 9)


def accuracies(examples: Examples, spec: RunSpec, runs: int) -> dict[Split, np.ndarray]:
    assert spec.stage is not None
    records = [examples.run(RunSpec(spec.pair, spec.setting, seed, spec.stage)) for seed in range(runs)]
    return {
        split: np.array([record.accuracy(split, EVEN) for record in records])
        for split in STAGE_SPLITS[spec.stage]
    }


def test_drawn_runs_are_right_as_often_as_the_recorded_ones(table: Table) -> None:
    examples = Examples(table, seed=0)
    for column in (0, 17, 75):
        for stage, splits in STAGE_SPLITS.items():
            drawn = accuracies(examples, RunSpec(PAIR, table.settings[column], 0, stage), 200)
            for split in splits:
                recorded = table.accuracy[table.row[PAIR], column, :, -1, SPLITS.index(split)].mean()
                error = drawn[split].std() / np.sqrt(200)
                assert abs(drawn[split].mean() - recorded) < 4 * error + 1e-3


def test_drawn_runs_vary_as_the_recorded_seeds_do_and_splits_share_a_part_of_it(table: Table) -> None:
    examples, between, common = Examples(table, seed=0), [], []
    for pair in table.pairs[::6]:
        drawn = accuracies(examples, RunSpec(pair, table.settings[30], 0, Stage.CONFIRMATION), 60)
        between.append(drawn[Split.TEST].var())
        common.append(np.cov(drawn[Split.TEST], drawn[Split.CONFIRMATION])[0, 1])
    ends = table.accuracy[::6, :, :, -1, :]
    apart = ends[:, :, 1] - ends[:, :, 0]
    assert np.mean(between) == pytest.approx((apart[..., 2] ** 2).mean() / 2, rel=0.35)
    assert np.mean(common) == pytest.approx((apart[..., 1] * apart[..., 2]).mean() / 2, rel=0.35)


def test_models_as_they_are_are_right_on_as_many_examples_as_recorded(table: Table) -> None:
    for participant in Examples(table, seed=3).participants:
        for place, split in enumerate(SPLITS):
            assert participant.accuracy(split) == pytest.approx(
                table.own[participant.number, place], abs=0.5 / 200
            )


def test_the_same_run_is_drawn_alike_and_another_seed_differs(table: Table) -> None:
    spec = RunSpec(PAIR, table.settings[3], 2_000, Stage.CONFIRMATION)
    first, again, other = (Examples(table, seed).run(spec).correct[Split.TEST] for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_a_share_values_what_one_seed_chose_by_the_mean_of_all(table: Table) -> None:
    gains = table.gain[table.row[PAIR], :, 0, 0]
    best = table.settings[int(gains.argmax())]
    assert share(table, 0, {PAIR: best}) == pytest.approx(1)
    # On one seed alone it would be the share of `measure`.
    answers = {pair: answer(table, 0, pair, table.settings) for pair in table.pairs}
    assert yardstick(table, 0).share(answers) == pytest.approx(1)
    assert share(table, 0, {PAIR: None}) < 0.5


def test_a_batch_goes_through_every_stage_and_again_the_same(table: Table) -> None:
    config = read_study_config(str(FROZEN))
    meetings = [(PAIR, PAIR.reverse), (Pair(0, 2), Pair(2, 0))]
    first, again = (batch(table, config, 0, meetings) for _ in range(2))
    assert first == again
    assert sum(first.verdicts.values()) == 4
    assert first.verdicts["tuned"] >= 1
    assert config.search.min_trials <= first.trials <= config.search.trials
    assert 4 <= first.runs <= 16
    assert first.confirmation == pytest.approx(first.runs * 10 / 760)
