"""Searches that end themselves and confirmations in looks: the queue with the real sampler and store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.space import Space
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Stage, TrialOrigin, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, AnyPair, Pair, Setting, TransferSet
from autokd.core.verdict_basis import VerdictBasis
from autokd.recommendation import Verdict
from autokd.recommendation.interim_looks import judge_pair
from autokd.recommendation.judgement import Judgement
from autokd.search.basis import error_of
from autokd.search.gp_sampler import GpSampler
from autokd.search.kernel import Task
from autokd.search.progress import VerdictSummary
from autokd.search.study_names import study_name
from autokd.search.transfer import known_noise
from autokd.statistics.moderation import VariancePool
from autokd.store import Store
from tests.search.worlds import (
    BACKWARD,
    FORWARD,
    OWN,
    Killed,
    World,
    facts,
    features,
    made,
    open_space,
    tiny_plan,
)

PAIRS = [Pair(0, 1), Pair(2, 1), Pair(0, 3)]
ONE_BY_ONE = [[pair] for pair in PAIRS]
MANY = [Pair(teacher, student) for teacher in range(4) for student in range(4) if teacher != student]
LOOKS = ConfirmationConfig(resamples=200, candidates=2, race_seeds=1)


def plan(**search: object) -> StudyConfig:
    return tiny_plan(**{"trials": 16, **search}).model_copy(update={"confirmation": LOOKS})


class Batch:
    """A batch as `autokd tune` makes it: pairs learn from each other, and judged ones show their noise."""

    def __init__(
        self,
        folder: Path,
        config: StudyConfig,
        *,
        meetings: Sequence[Sequence[Pair]] = ONE_BY_ONE,
        rule: int | Mapping[AnyPair, int] = 2,
        others: Sequence[Pair] = (),
        space: Space | None = None,
        learns: bool = True,
    ) -> None:
        folder.mkdir(exist_ok=True)
        space = space or open_space()
        self.config, self.judged = config, dict[AnyPair, Judgement]()
        pairs = [pair for meeting in meetings for pair in meeting]
        names = {study_name(facts().name, config, space, pair): pair for pair in (*pairs, *others)}
        sampler = GpSampler(
            space,
            tasks={name: Task(facts().name, pair, features(pair)) for name, pair in names.items()},
            initial_accuracy=dict.fromkeys(names, OWN),
            startup_trials=3,
            recipe=config.distillation,
        )
        noise = VariancePool()

        def prepare(store: Store, studies: Collection[str]) -> None:
            self.store = store
            noise._samples.update(known_noise(store, studies)._samples)
            for name, pair in names.items():
                if pair not in pairs:
                    for trial in store.trials(name):
                        sampler.learn(name, trial)

        def conclude(over: Sequence[PairRecords]) -> Mapping[AnyPair, VerdictSummary]:
            for records in over:
                judgement = judge_pair(config, facts(), records)
                assert isinstance(judgement, Judgement)
                self.judged[records.pair] = judgement
                if records.rule > 1:
                    self.store.put_noise(records.study, judgement.variance_samples())
                    noise.add(records.study, self.store.noise(records.study))
            return {}

        self.world = World(
            folder,
            config,
            meetings=meetings,
            space=space,
            sampler=sampler if learns else None,
            prepare=prepare,
            conclude=conclude,
            rule=rule,
            noise=noise,
        )

    def work(self, **options: Any) -> int:
        return self.world.work(**options)

    def bases(self, pair: AnyPair) -> tuple[VerdictBasis, ...]:
        return self.store.bases(self.world.names[pair])

    def seeds(self, pair: AnyPair) -> Counter[object]:
        """Numbers of confirmation runs of each setting."""
        return Counter(run.setting for run in self.world.runs(pair) if run.stage is Stage.CONFIRMATION)

    def outcome(self) -> object:
        """All that a user sees and the store keeps, of trials and runs that did not fail."""
        return [
            (
                pair,
                made(self.world.trials(pair)),
                sorted((str(run.stage), str(run.setting), run.seed) for run in self.world.runs(pair)),
                # Trials that were interrupted count here, and nowhere else.
                [replace(basis, trials=0) for basis in self.bases(pair)],
                judged.verdict,
                judged.confirmation,
                judged.test,
                judged.p_beats_default,
            )
            for pair, judged in self.judged.items()
        ]


def test_searches_end_before_their_limit_and_say_why(tmp_path: Path) -> None:
    batch = Batch(tmp_path, plan(trials=32))
    batch.work()
    for pair in PAIRS:
        (basis,) = batch.bases(pair)
        trials = batch.world.trials(pair)
        assert batch.config.search.min_trials <= len(trials) < batch.config.search.trials
        assert basis.trials == len(trials)
        assert basis.ended.startswith(f"search ended after {len(trials)} settings: with ")
        assert "no other setting gains 2.0 pp more" in basis.ended
        # What is judged has run to its end.
        complete = {trial.setting for trial in trials if trial.state is TrialState.COMPLETE}
        settings = [basis.winner] if basis.race is None else basis.race.settings
        assert complete.issuperset(settings)
    # Who comes later learns from who came before.
    assert len(batch.world.trials(PAIRS[2])) <= len(batch.world.trials(PAIRS[0]))


def test_a_search_that_is_not_sure_uses_all_its_trials_and_says_so(tmp_path: Path) -> None:
    batch = Batch(tmp_path, plan(trials=4, epsilon=0.0, confidence=1.0), meetings=[[FORWARD]])
    batch.work()
    (basis,) = batch.bases(FORWARD)
    assert len(batch.world.trials(FORWARD)) == 4
    assert basis.ended == "search ended after 4 settings: its 4 trials are used up"


@pytest.mark.parametrize("workers", [1, 3])
def test_what_a_verdict_rests_on_is_in_the_store_before_the_first_run_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    written: list[tuple[str, str]] = []
    for name in ("put_bases", "begin_trial", "add_run"):
        original = getattr(Store, name)

        def noted(
            store: Store, study: str, *rest: Any, _name: str = name, _do: Any = original, **more: Any
        ) -> Any:
            written.append((study, _name))
            return _do(store, study, *rest, **more)

        monkeypatch.setattr(Store, name, noted)
    batch = Batch(tmp_path, plan(), meetings=[[FORWARD, BACKWARD], [Pair(2, 3)]])
    queue = batch.world.queue
    assign, handed = queue.assign, list[RunSpec]()

    def assigned(key: str) -> RunSpec | None:
        spec = assign(key)
        if spec is not None and spec.stage is not None:
            assert batch.bases(spec.pair), spec
            handed.append(spec)
        return spec

    monkeypatch.setattr(queue, "assign", assigned)
    batch.work(workers=workers)
    assert {spec.pair for spec in handed} == {FORWARD, BACKWARD, Pair(2, 3)}
    for pair in (FORWARD, BACKWARD, Pair(2, 3)):
        mine = [name for study, name in written if study == batch.world.names[pair]]
        assert mine.count("put_bases") == 1
        trials, runs = mine.count("begin_trial"), mine.count("add_run")
        assert mine == ["begin_trial"] * trials + ["put_bases"] + ["add_run"] * runs


def test_killed_after_any_report_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    config = plan(epsilon=3.0)
    whole = Batch(tmp_path / "whole", config)
    reports = whole.work()
    expected = whole.outcome()
    for after in range(1, reports, 13):
        killed = Batch(tmp_path / str(after), config)
        with pytest.raises(Killed):
            killed.work(reports=after)
        killed.world.close()
        resumed = Batch(tmp_path / str(after), config)
        resumed.work()
        assert resumed.outcome() == expected, after
        resumed.world.close()


def test_a_finished_pair_gets_nothing_more_although_others_have_taught_since(tmp_path: Path) -> None:
    first = Batch(tmp_path, plan(), meetings=[[PAIRS[0]]])
    first.work()
    expected = first.outcome()
    assert Batch(tmp_path, plan(), meetings=[[PAIRS[0]]]).world.queue.finished
    more = Batch(tmp_path, plan(epsilon=0.0, confidence=0.99), meetings=[[pair] for pair in PAIRS[1:]])
    more.work()
    again = Batch(tmp_path, plan(), meetings=[[PAIRS[0]]], others=PAIRS[1:])
    assert again.world.queue.finished
    assert again.outcome() == expected


@pytest.mark.parametrize("more", [{"trials": 24, "confidence": 0.99}, {"epsilon": 0.0, "confidence": 0.99}])
def test_a_recipe_that_asks_for_more_opens_the_search_again(tmp_path: Path, more: dict[str, Any]) -> None:
    first = Batch(tmp_path, plan(epsilon=8.0, min_trials=2), meetings=[[FORWARD]])
    first.work()
    (before,), trials = first.bases(FORWARD), first.world.trials(FORWARD)
    again = Batch(tmp_path, plan(min_trials=2, **{"epsilon": 8.0, **more}), meetings=[[FORWARD]])
    assert not again.world.queue.finished
    again.work()
    assert again.world.trials(FORWARD)[: len(trials)] == trials
    bases = again.bases(FORWARD)
    assert bases[-1].search == again.config.search.bounds
    assert bases[-1].trials == len(again.world.trials(FORWARD))
    assert Batch(tmp_path, again.config, meetings=[[FORWARD]]).world.queue.finished
    # Neither does a recipe that asks for less go back.
    assert Batch(tmp_path, first.config, meetings=[[FORWARD]]).world.queue.finished
    assert again.bases(FORWARD) == bases
    assert before.extension == 0


def test_a_new_winner_is_judged_with_the_second_share_of_the_error(tmp_path: Path) -> None:
    first = Batch(tmp_path, plan(trials=2, min_trials=2), meetings=[[FORWARD]])
    first.work()
    (before,) = first.bases(FORWARD)
    again = Batch(tmp_path, plan(trials=16, epsilon=0.5, confidence=0.95), meetings=[[FORWARD]])
    again.work()
    kept, after = again.bases(FORWARD)
    assert kept == before
    assert (kept.extension, after.extension) == (0, 1)
    assert after.winner != before.winner
    assert after.confidence > before.confidence > 0.95
    judged = again.judged[FORWARD]
    assert judged.basis == after
    assert judged.confidence == after.confidence
    assert 1 - after.confidence <= error_of(LOOKS, 1)
    # The default's runs serve both verdicts.
    assert again.seeds(FORWARD)[DEFAULT] <= max(after.looks)


def test_a_clear_pair_takes_few_seeds_and_both_arms_the_same(tmp_path: Path) -> None:
    batch = Batch(tmp_path, plan())
    batch.work()
    for pair in PAIRS:
        judged = batch.judged[pair]
        assert judged.rule == 2
        seeds = len(judged.evidence.seeds)
        assert seeds in batch.bases(pair)[0].looks
        assert set(batch.seeds(pair).values()) == {seeds}
    assert Verdict.TUNED in {judged.verdict for judged in batch.judged.values()}


def test_later_pairs_of_a_batch_know_how_seeds_vary_and_the_first_do_not(tmp_path: Path) -> None:
    batch = Batch(tmp_path, plan(), meetings=[[pair] for pair in MANY])
    batch.work()
    priors = [bool(batch.bases(pair)[0].priors) for pair in MANY]
    assert priors == [False] * 8 + [True] * 4
    for pair in MANY:
        (basis,) = batch.bases(pair)
        assert basis.looks == ((2, 3, 5) if basis.priors else (3, 5))


def test_a_judgement_does_not_change_because_others_come(tmp_path: Path) -> None:
    """The same records of a pair give the same figures, whatever the store has of others by then."""
    batch = Batch(tmp_path, plan(), meetings=[[pair] for pair in MANY[:10]])
    batch.work()
    before = batch.outcome()
    more = Batch(tmp_path, plan(), meetings=[[pair] for pair in MANY])
    more.work()
    assert more.outcome()[:10] == before  # type: ignore[index]


def test_a_study_of_rule_1_keeps_its_race_and_five_seeds_beside_one_of_rule_2(tmp_path: Path) -> None:
    batch = Batch(tmp_path, plan(trials=6), meetings=[[FORWARD, BACKWARD]], rule={FORWARD: 1, BACKWARD: 2})
    batch.work()
    assert not batch.bases(FORWARD)
    assert len(batch.bases(BACKWARD)) == 1
    old, new = batch.judged[FORWARD], batch.judged[BACKWARD]
    assert (old.rule, new.rule) == (1, 2)
    assert set(batch.seeds(FORWARD).values()) == {5}
    assert Counter(run.stage for run in batch.world.runs(FORWARD))[Stage.RACE] == 2
    assert old.confidence == 0.95
    assert new.confidence > 0.95


def test_a_meeting_of_rule_1_shares_its_trials_as_before(tmp_path: Path) -> None:
    batch = Batch(tmp_path, plan(trials=6), meetings=[[FORWARD, BACKWARD]], rule=1)
    batch.work()
    assert sum(len(batch.world.trials(pair)) for pair in (FORWARD, BACKWARD)) == 12
    for pair in (FORWARD, BACKWARD):
        assert set(batch.seeds(pair).values()) == {5}


def test_what_the_user_asked_for_runs_before_a_search_may_end(tmp_path: Path) -> None:
    asked = Setting(64.0, 0.95, TransferSet.TEACHER)
    batch = Batch(tmp_path, plan().with_asked([asked]), meetings=[[FORWARD]])
    batch.work()
    trials = batch.world.trials(FORWARD)
    assert (trials[1].setting, trials[1].role) == (asked, TrialOrigin.ASKED)
    assert len(trials) < 16
    # Asked for later, it opens no search, but what is judged is fixed anew.
    other = replace(asked, temperature=32.0)
    again = Batch(tmp_path, plan().with_asked([asked, other]), meetings=[[FORWARD]])
    again.work()
    assert len(again.world.trials(FORWARD)) == len(trials) + 1
    assert again.bases(FORWARD)[-1].trials == len(trials) + 1
