"""What a command reads: the federation once, the store once; and it judges each pair at most once."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import pytest

from autokd.core.pair_records import PairRecords
from autokd.core.setting import Pair
from autokd.errors import StoreError
from autokd.federation.lookup import find
from autokd.recommendation import judge_pair
from autokd.store import Store
from autokd.workflows import results
from autokd.workflows.explain import explain
from autokd.workflows.recommend import recommend, recommend_all
from autokd.workflows.report import report_data
from autokd.workflows.tune import tune, tune_all
from autokd.workspace import Workspace

OLD = Path(__file__).parents[1] / "compatibility"
PAIR = Pair(0, 1)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A federation whose pairs are tuned, with the alternatives of one pair; nothing is left to run."""
    shutil.unpack_archive(OLD / "home.zip", tmp_path / "home")
    return Workspace.open(OLD / "small.yaml", home=tmp_path / "home")


@pytest.fixture
def reads(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Counter[Any]:
    """Counts of federation loads, store openings, judgements by pair, and reads by method and study."""
    counts: Counter[Any] = Counter()

    def counted(key: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            counts[key(*arguments)] += 1
            return function(*arguments, **options)

        return call

    storage = sys.modules[find.__module__]
    monkeypatch.setattr(storage, "load", counted(lambda *arguments: "load", storage.load))
    monkeypatch.setattr(Store, "open", counted(lambda *arguments: "open", Store.open))
    for name in ("trials", "runs"):
        key = partial(lambda name, store, study: (name, study), name)
        monkeypatch.setattr(Store, name, counted(key, getattr(Store, name)))
    judged = counted(lambda config, federation, records: records.pair, judge_pair)
    monkeypatch.setattr(results, "judge_pair", judged)
    return counts


@pytest.mark.parametrize(
    ("command", "judged"),
    [
        (lambda workspace: recommend_all(workspace, workspace.pairs), 12),
        (lambda workspace: report_data(workspace), 12),
        (lambda workspace: explain(workspace, PAIR), 2),
        (lambda workspace: tune(workspace, PAIR), 2),
        (lambda workspace: tune_all(workspace, workspace.pairs, with_overview=True), 0),
    ],
    ids=["recommend --all", "report", "explain", "tune", "tune --all"],
)
def test_everything_is_read_once_and_judged_once(
    workspace: Workspace, reads: Counter[Any], command: Callable[[Workspace], Any], judged: int
) -> None:
    if not judged:
        # Judgements of another version are made again, once; then the stored ones hold.
        tune_all(workspace, workspace.pairs)
        assert set(reads.values()) == {1}
        reads.clear()
    command(workspace)
    assert (reads.pop("load"), reads.pop("open")) == (1, 1)
    assert sum(isinstance(what, Pair) for what in reads) == judged
    assert set(reads.values()) == {1}


@pytest.mark.slow
@pytest.mark.ray
def test_a_search_with_runs_reads_each_pair_once_and_judges_what_the_store_has(
    workspace: Workspace, reads: Counter[Any]
) -> None:
    longer = Workspace.open(OLD / "small.yaml", home=workspace.home, trials=10)
    outcome = tune(longer, PAIR)
    assert outcome.ran > 0
    assert (reads["load"], reads["open"]) == (1, 1)
    assert {PAIR, PAIR.reverse} <= reads.keys()
    assert set(reads.values()) == {1}
    assert [recommendation.to_json() for recommendation in outcome.recommendations] == [
        recommend(longer, pair).to_json() for pair in (PAIR, PAIR.reverse)
    ]


def test_tune_answers_with_what_it_has_stored(workspace: Workspace) -> None:
    outcome = tune(workspace, PAIR)
    assert [recommendation.pair for recommendation in outcome.recommendations] == [PAIR, PAIR.reverse]
    with workspace.open_store(create=False) as store:
        for recommendation in outcome.recommendations:
            stored = dict(store.recommendation(recommendation.records.study) or {})
            stored.pop("basis")
            stored["decided_on"]["rule"] = 1  # An earlier version may have stored it, without the rule.
            assert stored == recommendation.to_json()


def test_a_new_study_gets_the_rule_and_an_old_one_keeps_its_own(workspace: Workspace) -> None:
    tune(workspace, PAIR)
    with results.open_results(workspace, "") as (_, stored):
        assert "rule" not in stored.store.attributes(stored.study(PAIR))
        assert stored.searched(PAIR).rule == 1
        judgement = stored.recommendation(PAIR).judgement
        assert judgement is not None
        assert judgement.rule == 1
        newer = PairRecords(pair=PAIR, study="s", rule=99, trials=stored.searched(PAIR).trials)
        with pytest.raises(StoreError, match="rule 99"):
            judge_pair(workspace.config, stored.facts, newer)
