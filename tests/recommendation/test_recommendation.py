from __future__ import annotations

import json

import numpy as np
import pytest

from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness, Failure, RunRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, Split, TransferSet
from autokd.errors import NotTuned
from autokd.recommendation import Verdict, winner
from autokd.statistics.paired import paired_interval
from tests.recommendation.meetings import PAIR, PLAN, make_meeting, recommended
from tests.recommendation.samples import (
    HOT,
    TUNING,
    failed_run,
    make_trial,
    recommend_from,
)

KEYS = {
    "pair", "verdict", "setting", "gain", "default_gain", "improvement", "forgetting", "seeds", "split",
    "trials", "epochs_spent", "federation", "study", "position",
}  # fmt: skip


def test_the_json_has_what_the_command_line_promises() -> None:
    plain = json.loads(json.dumps(recommended(make_meeting()).to_json(), allow_nan=False))
    assert plain.keys() >= KEYS
    assert plain["pair"] == {"teacher": 0, "student": 1}
    assert plain["verdict"] == "tuned"
    assert plain["setting"] == {"temperature": 4.0, "alpha": 0.1, "transfer_set": "both"}
    assert plain["gain"].keys() == {"mean", "low", "high"}
    assert plain["improvement"]["mean"] == pytest.approx(
        plain["gain"]["mean"] - plain["default_gain"]["mean"]
    )
    assert plain["recommended"]["gain"] == plain["gain"]
    assert (plain["forgetting"], plain["seeds"], plain["split"]) == (1.0, 5, "test")
    assert plain["trials"] == {"RUNNING": 0, "COMPLETE": 2, "PRUNED": 0, "FAIL": 0}
    assert plain["epochs_spent"] == {"search": 20, "confirmation": 100}
    assert plain["federation"] == "digits-1a2b3c4d"
    assert plain["study"] == "digits-1a2b3c4d/digits-0/0->1"
    assert plain["position"]["advice"] == "student"
    assert isinstance(plain["position"]["gain_as_teacher"], float)
    assert plain["decided_on"]["seeds"] == [2000, 2001, 2002, 2003, 2004]


@pytest.mark.parametrize(
    ("towards", "verdict"),
    [
        ((0.85, 0.70), Verdict.TUNED),
        ((0.78, 0.78), Verdict.DEFAULT),
        ((0.45, 0.40), Verdict.SKIP),
        ((0.62, 0.60), Verdict.UNDECIDED),
    ],
)
def test_the_verdict_follows_from_the_stored_runs(towards: tuple[float, float], verdict: Verdict) -> None:
    """Recomputed here from the records alone, by the rule of docs/how-a-recommendation-is-made.md."""
    meeting = make_meeting(towards=towards)
    best = winner(PLAN, meeting.towards)

    def stored(setting: Setting | None, split: Split) -> Correctness:
        runs = [run for run in meeting.towards.runs if run.setting == setting]
        return np.stack([run.correct[split] for run in sorted(runs, key=lambda run: run.seed)])

    def interval(first: Correctness, second: Correctness) -> tuple[float, float]:
        found = paired_interval(first, second, confidence=0.95, resamples=2000, seed=99)
        return found.low, found.high

    own = meeting.federation.participants[1].correct
    tuned, default = stored(best, Split.CONFIRMATION), stored(DEFAULT, Split.CONFIRMATION)
    gain_low, gain_high = interval(tuned, own[Split.CONFIRMATION])
    default_low, default_high = interval(default, own[Split.CONFIRMATION])
    improvement_low, _ = interval(tuned, default)
    if gain_high < 0.5 and default_high < 0.5:
        expected = Verdict.SKIP
    elif improvement_low > 0 and gain_low > 0:
        expected = Verdict.TUNED
    elif default_low > 0:
        expected = Verdict.DEFAULT
    else:
        expected = Verdict.UNDECIDED
    found = recommended(meeting)
    assert found.verdict is expected is verdict
    shown = stored(found.setting, Split.TEST)
    assert found.gain is not None
    assert found.gain.mean == pytest.approx(100 * (shown.mean() - own[Split.TEST].mean()))


def test_the_same_records_give_the_same_recommendation_in_whatever_order() -> None:
    meeting = make_meeting()
    shuffled = PairRecords(
        pair=PAIR,
        study=meeting.towards.study,
        trials=meeting.towards.trials[::-1],
        runs=meeting.towards.runs[::-1],
    )
    again = recommend_from(PLAN, meeting.federation, shuffled, reverse=meeting.back)
    assert again.to_json() == recommended(meeting).to_json()


def test_both_sides_of_a_meeting_read_the_same_runs() -> None:
    """The identity of the poster's tables, on recommendations as they are printed."""
    meeting = make_meeting()
    one = recommended(meeting).to_json()["position"]
    zero = recommend_from(PLAN, meeting.federation, meeting.back, reverse=meeting.towards)
    other = zero.to_json()["position"]
    assert isinstance(one, dict)
    assert isinstance(other, dict)
    gap = one["gain_by_adoption"]
    assert one["gain_as_student"] - other["gain_as_teacher"] == pytest.approx(gap)
    assert one["gain_as_teacher"] - other["gain_as_student"] == pytest.approx(gap)
    assert other["gain_by_adoption"] == pytest.approx(-gap)


@pytest.mark.parametrize(
    ("towards", "verdict"), [((0.45, 0.40), Verdict.SKIP), ((0.62, 0.60), Verdict.UNDECIDED)]
)
def test_where_nothing_is_shown_the_answer_is_as_is_and_the_candidate_stays_visible(
    towards: tuple[float, float], verdict: Verdict
) -> None:
    found = recommended(make_meeting(towards=towards))
    assert found.verdict is verdict
    plain = found.to_json()
    assert plain["recommended"] == {"answer": "as-is", "gain": {"mean": 0.0, "low": 0.0, "high": 0.0}}
    assert found.setting == HOT
    assert "leave participant 1 as it is" in found.advice
    assert bool(found.what_would_decide) is (verdict is Verdict.UNDECIDED)


def test_where_the_default_is_the_answer_it_is_the_setting_shown() -> None:
    found = recommended(make_meeting(towards=(0.78, 0.78)))
    plain = found.to_json()
    assert found.setting == DEFAULT
    assert plain["gain"] == plain["default_gain"]
    candidate = plain["candidate"]
    assert isinstance(candidate, dict)
    assert candidate["setting"]["temperature"] == HOT.temperature
    assert found.advice.endswith("nothing is shown to beat it")


def test_fine_tuning_is_called_by_its_name() -> None:
    found = recommended(make_meeting(candidate=TUNING))
    assert found.verdict is Verdict.TUNED
    assert "fine-tuning on both (α = 0: the teacher is not used)" in found.advice


def test_a_space_that_holds_only_the_default_does_not_end_in_tuned() -> None:
    """Even where the runs of its trials look better by luck."""
    near = Setting(temperature=1.0005, alpha=0.5004, transfer_set=TransferSet.STUDENT)
    found = recommended(make_meeting(candidate=near))
    assert found.verdict is Verdict.DEFAULT
    plain = found.to_json()
    assert plain["candidate"] is None
    assert plain["improvement"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert "no other setting came through confirmation" in found.reason


def test_without_a_baseline_the_verdict_is_failed() -> None:
    meeting = make_meeting()
    trials = [make_trial(0, DEFAULT, state=TrialState.FAIL), make_trial(1, HOT)]
    found = recommend_from(PLAN, meeting.federation, PairRecords(pair=PAIR, study="s", trials=trials))
    plain = json.loads(json.dumps(found.to_json()))
    assert (found.verdict, plain["setting"], plain["gain"]) == (Verdict.FAILED, None, None)
    assert plain.keys() >= KEYS
    assert "loss became nan at step 3" in found.advice
    assert plain["position"]["advice"] == "none"


def test_diverged_runs_are_told() -> None:
    meeting = make_meeting()
    runs: list[RunRecord] = [
        failed_run(HOT, 0, Failure.DIVERGED) if (run.setting, run.seed) == (HOT, 2000) else run
        for run in meeting.towards.runs
    ]
    searched = PairRecords(pair=PAIR, study=meeting.towards.study, trials=meeting.towards.trials, runs=runs)
    found = recommend_from(PLAN, meeting.federation, searched)
    assert "1 runs diverged and count as no gain" in found.reason
    whole = recommended(meeting)
    assert found.gain is not None
    assert whole.gain is not None
    assert found.gain.mean < whole.gain.mean


@pytest.mark.parametrize("trials", [[], [make_trial(0, DEFAULT, state=TrialState.RUNNING)]])
def test_before_the_search_there_is_no_recommendation(trials) -> None:
    with pytest.raises(NotTuned, match=r"run autokd tune --pair 0,1"):
        recommend_from(PLAN, make_meeting().federation, PairRecords(pair=PAIR, study="s", trials=trials))


def test_before_the_confirmation_is_finished_there_is_no_recommendation() -> None:
    meeting = make_meeting()
    half = PairRecords(pair=PAIR, study="s", trials=meeting.towards.trials, runs=meeting.towards.runs[:-2])
    with pytest.raises(NotTuned, match="2 race and confirmation runs are to be done"):
        recommend_from(PLAN, meeting.federation, half)
    # As the reverse pair, it counts as unknown.
    found = recommend_from(PLAN, meeting.federation, meeting.back, reverse=half)
    assert found.position.test.as_teacher is None
