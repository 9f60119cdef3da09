"""The queue with groups: several candidates teach one student, with the real sampler and store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.space import Space, group_space
from autokd.core.pair_records import PairRecords
from autokd.core.records import Stage
from autokd.core.setting import DEFAULT, AnyPair, Group, Method, Pair, TransferSet
from autokd.core.verdict_basis import SINGLE_TEACHER
from autokd.recommendation.comparisons import BEYOND_SINGLE
from autokd.recommendation.interim_looks import judge_pair
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.recommendation import recommend
from autokd.recommendation.verdict import RULE
from autokd.search.gp_sampler import GpSampler
from autokd.search.group_sampler import GroupSampler
from autokd.search.growth import Growth, ranks_of
from autokd.search.kernel import Task
from autokd.search.progress import VerdictSummary
from autokd.search.study_names import study_name
from tests.search.worlds import OWN, Killed, World, facts, features, made, open_space, tiny_plan

GROUPS = (Group((0, 2, 3), 1), Group((0, 1, 2), 3))
GROWTHS = {GROUPS[0]: Growth(1, (2, 0, 3), 3), GROUPS[1]: Growth(3, (1, 0, 2), 1)}
CONFIG = tiny_plan(trials=8).model_copy(
    update={"confirmation": ConfirmationConfig(resamples=200, candidates=2, race_seeds=1)}
)


class Batch:
    """Two groups as `autokd tune` searches them; the second one has not grown."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        space = open_space()
        names = {study_name(facts().name, CONFIG, space, group): group for group in GROUPS}
        growths = {name: GROWTHS[group] for name, group in names.items()}
        learner = GpSampler(
            group_space(space, CONFIG, ranks_of(3)),
            tasks={
                name: Task(facts().name, group, features(Pair(growths[name].chain[0], group.student)))
                for name, group in names.items()
            },
            initial_accuracy=dict.fromkeys(names, OWN),
            startup_trials=3,
            recipe=CONFIG.distillation,
            permits=lambda study, setting: growths[study].permits(setting),
        )
        self.judged: dict[AnyPair, Judgement] = {}
        self.records: dict[AnyPair, PairRecords] = {}

        def space_of(pair: AnyPair) -> Space:
            assert isinstance(pair, Group)
            return group_space(space, CONFIG, GROWTHS[pair].teachers)

        def conclude(over: Sequence[PairRecords]) -> Mapping[AnyPair, VerdictSummary]:
            for records in over:
                judgement = judge_pair(CONFIG, facts(), records)
                assert isinstance(judgement, Judgement)
                self.judged[records.pair], self.records[records.pair] = judgement, records
            return {}

        self.world = World(
            folder,
            CONFIG,
            meetings=[[group] for group in GROUPS],
            space=space,
            sampler=GroupSampler(learner, growths),
            conclude=conclude,
            rule=RULE,
            space_of=space_of,
        )

    def outcome(self) -> object:
        return [
            (
                group,
                made(self.world.trials(group)),
                sorted((str(run.stage), str(run.setting), run.seed) for run in self.world.runs(group)),
                [replace(basis, trials=0) for basis in self.records[group].bases],
                judged.verdict,
                judged.test,
            )
            for group, judged in self.judged.items()
        ]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    groups = Batch(tmp_path_factory.mktemp("groups"))
    groups.world.work()
    return groups


def test_the_default_is_taught_by_all_and_comes_first(batch: Batch) -> None:
    for group in GROUPS:
        assert batch.world.trials(group)[0].setting == DEFAULT


def test_who_teaches_is_tried_within_the_chain_and_stored(batch: Batch) -> None:
    first, second = (
        {trial.setting.teachers for trial in batch.world.trials(group)} - {None} for group in GROUPS
    )
    assert first <= {(2,), (1, 2), (0, 2), (0, 1, 2), (0, 2, 3), (0, 1, 2, 3)}
    assert any(len(set(teachers) - {1}) > 1 for teachers in first if teachers)
    assert second <= {(1,), (1, 3)}
    for group in GROUPS:
        for trial in batch.world.trials(group)[1:]:
            assert trial.setting.transfer_set not in (TransferSet.TEACHER, TransferSet.BOTH)


def test_several_win_where_they_are_better_and_the_best_single_one_is_a_rival(batch: Batch) -> None:
    judged = batch.judged[GROUPS[0]]
    winner = judged.evidence.winner
    assert winner is not None
    assert winner.setting.teachers is not None
    assert len(set(winner.setting.teachers) - {1}) == 3
    (basis,) = batch.records[GROUPS[0]].bases
    single = basis.rivals[SINGLE_TEACHER]
    assert len(set(single.teachers or ()) - {1}) == 1
    gained = judged.confirmation.intervals[BEYOND_SINGLE]
    assert gained.mean > 0
    assert SINGLE_TEACHER not in batch.records[GROUPS[1]].bases[-1].rivals


def test_a_group_has_no_position(batch: Batch) -> None:
    group = GROUPS[0]
    answer = recommend(CONFIG, facts(), batch.records[group], batch.judged[group])
    plain = answer.to_json()
    assert plain["position"] is None
    assert plain["pair"] == {"teachers": [0, 2, 3], "student": 1}
    assert answer.without_training == []


def test_rivals_run_with_the_seeds_of_the_winner(batch: Batch) -> None:
    runs = [run for run in batch.world.runs(GROUPS[0]) if run.stage is Stage.CONFIRMATION]
    seeds: dict[object, set[int]] = {}
    for run in runs:
        seeds.setdefault(run.setting, set()).add(run.seed)
    assert len({frozenset(arm_seeds) for arm_seeds in seeds.values()}) == 1
    assert len(seeds) >= 3


@pytest.mark.parametrize("after", [25])
def test_a_killed_batch_goes_on_to_the_same_end(tmp_path: Path, batch: Batch, after: int) -> None:
    killed = Batch(tmp_path / "killed")
    with pytest.raises(Killed):
        killed.world.work(reports=after)
    killed.world.close()
    again = Batch(tmp_path / "killed")
    again.world.work()
    assert again.outcome() == batch.outcome()


def test_a_plain_setting_of_one_teacher_is_no_other_than_the_default_of_its_pair() -> None:
    assert Group.of([2], 1) == Pair(2, 1)
    assert Method.PLAIN in group_space(open_space(), CONFIG, ("1",)).method
