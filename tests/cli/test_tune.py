"""End to end on real digits: one pair tuned by the installed program, and what that leaves in the store."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState
from optuna_dashboard import get_note

from autokd.cli import options
from autokd.compute.device import Compute
from autokd.core.setting import DEFAULT
from autokd.statistics.paired import paired_interval
from tests.cli.conftest import TRIALS, Command, Tuned, dump
from tests.paths import FEW
from tests.samples import verdict_by_rule

pytestmark = [pytest.mark.slow, pytest.mark.ray]
EPOCHS, RUNGS, GRACE = 10, (3, 6), 6


def studies(database: Path) -> dict[str, optuna.Study]:
    """As any user of Optuna would load them, by pair."""
    url = f"sqlite:///{database}"
    names = optuna.study.get_all_study_names(url)
    return {name.split("/")[2]: optuna.load_study(study_name=name, storage=url) for name in names}


def stored(database: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    with sqlite3.connect(database) as connection:
        rows = connection.execute(query, values).fetchall()
    connection.close()
    return rows


def unpacked(bits: bytes, examples: int) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=examples, bitorder="big").astype(bool)


def own(database: Path, participant: int, split: str) -> NDArray[np.bool_]:
    """Correctness of a model as it is, shape (examples,)."""
    ((bits, examples),) = stored(
        database,
        "SELECT c.bits, c.examples FROM autokd_participant_correct c "
        "JOIN autokd_participant p ON p.id = c.participant_id WHERE p.number = ? AND c.split = ?",
        participant,
        split,
    )
    return unpacked(bits, examples)


def arm(database: Path, pair: str, split: str, setting: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Correctness of the confirmation runs of a setting in plain values, shape (seeds, examples)."""
    rows = stored(
        database,
        "SELECT c.bits, c.examples FROM autokd_run_correct c JOIN autokd_run r ON r.id = c.run_id "
        "WHERE r.stage = 'confirmation' AND r.study LIKE ? AND c.split = ? "
        "AND r.temperature = ? AND r.alpha IS ? AND r.transfer_set = ? ORDER BY r.seed",
        f"%/{pair}",
        split,
        *(setting[name] for name in ("temperature", "alpha", "transfer_set")),
    )
    return np.stack([unpacked(bits, examples) for bits, examples in rows])


def span(trial: FrozenTrial) -> tuple[datetime, datetime]:
    assert trial.datetime_start is not None
    assert trial.datetime_complete is not None
    return trial.datetime_start, trial.datetime_complete


def could_continue(trial: FrozenTrial, rung: int, others: list[FrozenTrial]) -> set[bool]:
    """What ASHA may have decided of a trial at a rung: one decision, unless that depends on unknown times.

    Trials that ended before this one began had certainly reported there; those in between may have.
    """
    accuracy, (began, ended) = trial.intermediate_values[rung], span(trial)
    rivals = [other for other in others if rung in other.intermediate_values and span(other)[0] < ended]
    certain = [other.intermediate_values[rung] for other in rivals if span(other)[1] < began]
    possible = [other.intermediate_values[rung] for other in rivals if span(other)[1] >= began]
    worst_case = [value for value in possible if value > accuracy]
    best_case = [value for value in possible if value <= accuracy]
    return {bool(accuracy >= np.median([accuracy, *certain, *more])) for more in (worst_case, best_case)}


def test_optuna_shows_both_directions_as_they_were(tuned: Tuned) -> None:
    by_pair = studies(tuned.database)
    assert set(by_pair) == {"4->9", "9->4"}
    for study in by_pair.values():
        baselines = [trial for trial in study.trials if trial.user_attrs["role"] == "baseline"]
        assert [trial.state for trial in baselines] == [TrialState.COMPLETE]
        assert baselines[0].number == 0
        assert baselines[0].params == {"temperature": 1, "alpha": 0.5, "transfer_set": "student"}
        for trial in study.trials:
            steps = sorted(trial.intermediate_values)
            assert trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
            assert steps in ([*RUNGS[:1]], [*RUNGS], [*RUNGS, EPOCHS])
            assert (trial.state is TrialState.COMPLETE) == (steps[-1] == EPOCHS)
            assert trial.value == trial.intermediate_values[steps[-1]]
    assert sum(len(study.trials) for study in by_pair.values()) == 2 * int(TRIALS)


def test_each_trial_was_stopped_or_not_as_asha_decides(tuned: Tuned) -> None:
    for study in studies(tuned.database).values():
        assert all(trial.state is TrialState.COMPLETE for trial in study.trials[:GRACE])
        for trial in study.trials[GRACE:]:
            others = [other for other in study.trials if other.number != trial.number]
            for rung in set(RUNGS) & trial.intermediate_values.keys():
                continued = max(trial.intermediate_values) > rung
                assert continued in could_continue(trial, rung, others), (
                    study.study_name,
                    trial.number,
                    rung,
                )


def test_a_second_call_changes_nothing_and_starts_no_ray(
    command: Command, tuned: Tuned, ray_folder: Path
) -> None:
    before = dump(tuned.database)
    again = command("tune", "--pair", "4,9", "--space", FEW, "--trials", TRIALS, "--home", tuned.home)
    assert again.code == 0
    assert "nothing was left to do" in again.err
    assert again.out == tuned.first.out
    assert dump(tuned.database) == before
    assert list(ray_folder.iterdir()) == []
    # SQLite keeps its log in files beside it as long as somebody reads.
    names = {path.name for path in tuned.home.iterdir() if not path.name.startswith("autokd.db-")}
    assert names == {"autokd.db", "federations"}


def test_more_trials_extend_a_study(here: Command, tuned: Tuned, tmp_path: Path) -> None:
    mine = tuned.copy(tmp_path / "home")
    before = {pair: study.trials for pair, study in studies(mine.database).items()}
    assert here("tune", "--pair", "4,9", "--trials", "12", "--home", mine.home).code == 0
    after = {pair: study.trials for pair, study in studies(mine.database).items()}
    # A search that is sure enough ends before its most trials.
    assert sum(map(len, before.values())) < sum(map(len, after.values())) <= 2 * 12
    for pair, trials in before.items():
        assert after[pair][: len(trials)] == trials
        assert all(trial.state.is_finished() for trial in after[pair])


def test_a_judged_pair_runs_what_is_asked_for_in_both_directions(
    here: Command, tuned: Tuned, tmp_path: Path
) -> None:
    """One setting outside of the space, on a transfer set of its own."""
    mine = tuned.copy(tmp_path / "home")
    before = {pair: study.trials for pair, study in studies(mine.database).items()}
    text = "T=64,alpha=0.9,transfer_set=both,epochs=4"
    default = "T=1,alpha=0.5,transfer_set=student"
    arguments = ("--pair", "4,9", "--trials", TRIALS, "--home", mine.home, "--try", text, "--try", default)
    shown = here("tune", *arguments)
    assert shown.code == 0, shown.err
    lines = [line for line in shown.out.splitlines() if line.startswith("asked for ")]
    assert [line.partition(":")[0] for line in lines] == ["asked for T=64 α=0.9 on both, epochs 4"]
    assert "T=1 α=0.5 on student was asked for and had run to its end before" in " ".join(shown.err.split())
    for pair, study in studies(mine.database).items():
        assert study.trials[: len(before[pair])] == before[pair]
        (asked,) = study.trials[len(before[pair]) :]
        assert asked.user_attrs["role"] == "asked"
        assert asked.user_attrs["outside"] == {"temperature": 64.0, "epochs": 4}
        assert asked.params == {"alpha": 0.9, "transfer_set": "both"}
        assert (asked.state, max(asked.intermediate_values)) == (TrialState.COMPLETE, 4)
        assert f"--try {text.replace('T=64', 'T=64.0')}" in get_note(study).replace("\\", "")
    recommendation = here("recommend", "--pair", "4,9", "--home", mine.home, "--json").json()
    (only,) = recommendation["asked"]
    assert (only["trial"], only["state"]) == (len(before["4->9"]), "COMPLETE")
    assert only["setting"] == {"temperature": 64.0, "alpha": 0.9, "transfer_set": "both", "epochs": 4}
    assert sum(recommendation["trials"].values()) == len(before["4->9"]) + 1
    again = here("tune", *arguments)
    assert "nothing was left to do" in again.err


def test_the_verdict_follows_from_the_stored_confirmation_runs(here: Command, tuned: Tuned) -> None:
    for teacher, student in ((4, 9), (9, 4)):
        recommendation = here(
            "recommend", "--pair", f"{teacher},{student}", "--home", tuned.home, "--json"
        ).json()
        pair, decided = f"{teacher}->{student}", recommendation["decided_on"]
        settings = {"winner": recommendation["candidate"]["setting"], "default": DEFAULT.to_json()}
        settings |= {name: rival["setting"] for name, rival in recommendation["rivals"].items()}
        arms = {name: arm(tuned.database, pair, "confirmation", each) for name, each in settings.items()}
        assert {len(correct) for correct in arms.values()} == {recommendation["seeds"]}
        assert recommendation["seeds"] in decided["looks"]
        sides = {
            "candidate_gain": (arms["winner"], own(tuned.database, student, "confirmation")),
            "default_gain": (arms["default"], own(tuned.database, student, "confirmation")),
            "improvement": (arms["winner"], arms["default"]),
        }
        if "no_teacher" in arms:
            sides["teacher_part"] = (arms["winner"], arms["no_teacher"])
        else:
            assert settings["winner"]["alpha"] == decided["teacher_part"]["mean"] == 0
        for name, (first, reference) in sides.items():
            difference = first.mean() - reference.mean()
            assert decided[name]["mean"] == pytest.approx(100 * difference, abs=1e-6)
            # Another seed of the bootstrap moves an end by a few tenths at most.
            interval = paired_interval(
                first, reference, confidence=decided["confidence"], resamples=4000, seed=7
            )
            assert decided[name]["low"] == pytest.approx(interval.low, abs=0.5)
            assert decided[name]["high"] == pytest.approx(interval.high, abs=0.5)
        assert recommendation["verdict"] == verdict_by_rule(recommendation)
        ((kept,),) = stored(
            tuned.database,
            "SELECT json_extract(payload, '$.verdict') FROM autokd_recommendation WHERE study LIKE ?",
            f"%/{pair}",
        )
        assert kept == recommendation["verdict"]


def test_the_identity_of_the_posters_tables_holds(here: Command, tuned: Tuned) -> None:
    """as_student_s(t) - as_teacher_t(s) = acc(t) - acc(s) = as_teacher_s(t) - as_student_t(s)."""
    nine, four = (
        here("recommend", "--pair", pair, "--home", tuned.home, "--json").json()["position"]
        for pair in ("4,9", "9,4")
    )
    apart = 100 * (own(tuned.database, 4, "test").mean() - own(tuned.database, 9, "test").mean())
    assert nine["gain_as_student"] - four["gain_as_teacher"] == pytest.approx(apart, abs=1e-6)
    assert nine["gain_as_teacher"] - four["gain_as_student"] == pytest.approx(apart, abs=1e-6)
    assert nine["gain_by_adoption"] == pytest.approx(apart, abs=1e-6)
    assert four["gain_by_adoption"] == pytest.approx(-apart, abs=1e-6)


def test_a_space_around_the_default_is_not_called_tuned(here: Command, tuned: Tuned, tmp_path: Path) -> None:
    mine = tuned.copy(tmp_path / "home")
    narrow = {
        "name": "narrow",
        "temperature": {"low": 0.999, "high": 1.001},
        "alpha": {"low": 0.499, "high": 0.501},
        "transfer_set": ["student"],
    }
    (tmp_path / "narrow.yaml").write_text(yaml.safe_dump(narrow))
    arguments = ("--pair", "4,9", "--position", "student", "--trials", "6", "--space", "narrow.yaml")
    outcome = here("tune", *arguments, "--home", mine.home, "--json").json()
    assert outcome["verdict"] not in ("tuned", "failed")
    assert outcome["improvement"]["mean"] == pytest.approx(0, abs=1)
    states = Counter({state: count for state, count in outcome["trials"].items() if count})
    assert set(states) <= {"COMPLETE", "PRUNED"}


def test_images_that_do_not_fit_are_told_of_once(
    here: Command, quick_study: Path, tuned: Tuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All the way from a worker to the terminal."""
    home = tuned.copy(tmp_path / "home").home
    monkeypatch.setattr(options.ComputeOptions, "compute", lambda self: Compute(image_bytes=0))
    shown = here("tune", "--study", quick_study, "--pair", "4,9", "--position", "student", "--home", home)
    assert shown.code == 0, shown.err
    assert shown.err.count("memory has no room for a run's images") == 1
