"""Parts of a recommendation as JSON values, with the names that users rely on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autokd.config.confirmation import ConfirmationConfig
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Split
from autokd.recommendation.comparisons import (
    AVERAGED_GAIN,
    BEYOND_AVERAGED,
    COMPARISONS,
    CORRECTED_GAIN,
    Figures,
)
from autokd.recommendation.evidence import OWN
from autokd.recommendation.judgement import ForgettingCheck, Judgement
from autokd.recommendation.race import DEFAULT_ARM, WINNER
from autokd.recommendation.verdict import AS_IS, DEFAULTS, RULE, WITH_RIVALS
from autokd.statistics.paired import NOTHING, Interval
from autokd.text.reasons import in_a_line


def figures(judgement: Judgement | None) -> dict[str, object]:
    """Return the figures on test and their settings."""
    names = ("setting", "gain", "default_gain", "improvement", "forgetting", "candidate", "seeds")
    if judgement is None:
        return {**dict.fromkeys(names), "default_setting": DEFAULT.to_json(), "seeds": 0}
    test, winner = judgement.test, judgement.evidence.winner
    candidate: dict[str, object] | None = None
    if winner is not None and test.winner_gain is not None:
        gain, forgetting = test.winner_gain.to_json(), winner.forgetting
        candidate = {"setting": winner.setting.to_json(), "gain": gain, "forgetting": forgetting}
    return {
        "setting": judgement.shown.setting.to_json(),
        "gain": judgement.gain(Split.TEST).to_json(),
        "default_setting": DEFAULT.to_json(),
        "default_gain": test.default_gain.to_json(),
        "improvement": (test.improvement or NOTHING).to_json(),
        "forgetting": judgement.shown.forgetting,
        "candidate": candidate,
        **_beside(judgement),
        "seeds": len(judgement.evidence.seeds),
    }


def _beside(judgement: Judgement) -> dict[str, object]:
    """Return, by rule 3, the teacher's part, the corrected own model and the rivals, on test."""
    if judgement.rule < WITH_RIVALS:
        return {}
    evidence, test = judgement.evidence, judgement.test
    gains = {each.first: name for name, each in COMPARISONS.items() if each.second == OWN}
    beaten_by = {each.second: name for name, each in COMPARISONS.items() if each.first == WINNER}
    return {
        "teacher_part": _plain(judgement.teacher_part(Split.TEST)),
        "corrected_gain": _plain(test.intervals.get(CORRECTED_GAIN)),
        **_averaged(test),
        "rivals": {
            name: {
                "setting": arm.setting.to_json(),
                "gain": _plain(test.intervals.get(gains[name])),
                "difference": _plain(test.intervals.get(beaten_by[name])),
                "seeds": len(evidence.seeds if arm.rows is None else arm.rows),
            }
            for name, arm in evidence.rivals.items()
        },
    }


def _averaged(test: Figures) -> dict[str, object]:
    """Return, for a group, what all models averaged gain, and how much better the winner is."""
    names = {"averaged_gain": AVERAGED_GAIN, "beyond_averaged": BEYOND_AVERAGED}
    intervals = {key: test.intervals.get(name) for key, name in names.items()}
    return (
        {} if intervals["averaged_gain"] is None else {key: _plain(gain) for key, gain in intervals.items()}
    )


def _plain(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else interval.to_json()


def decided_on(judgement: Judgement | None, confirmation: ConfirmationConfig) -> dict[str, object]:
    """Return the figures behind the verdict, and the numbers of its rule."""
    rule: dict[str, object] = {
        "split": Split.CONFIRMATION.value,
        "seeds": [],
        "rule": RULE,
        "min_improvement": confirmation.min_improvement,
        "confidence": confirmation.confidence,
    }
    if judgement is None:
        return rule | dict.fromkeys(("candidate_gain", "default_gain", "improvement", "p_beats_default"))
    decisive = judgement.decisive
    return rule | {
        "seeds": list(judgement.evidence.seeds),
        **({} if judgement.basis is None else {"looks": list(judgement.basis.looks)}),
        "rule": judgement.rule,
        "confidence": judgement.confidence,
        "objective": judgement.aims.objective,
        "constraints": _constraints(judgement.forgotten),
        "candidate_gain": None if decisive.winner_gain is None else decisive.winner_gain.to_json(),
        "default_gain": decisive.default_gain.to_json(),
        "improvement": (decisive.improvement or NOTHING).to_json(),
        "p_beats_default": judgement.p_beats_default,
        **_to_beat(judgement),
    }


def _to_beat(judgement: Judgement) -> dict[str, object]:
    """Return, by rule 3, all that the winner has to beat, and the teacher's part, on confirmation."""
    if judgement.rule < WITH_RIVALS:
        return {}
    decisive, arms = judgement.decisive, judgement.evidence.arms
    beats = {
        arm: {
            each.second: interval.to_json() for each, interval in decisive.against(arm, (*AS_IS, *DEFAULTS))
        }
        for arm in (WINNER, DEFAULT_ARM)
        if arm in arms
    }
    teacher_part = judgement.teacher_part(Split.CONFIRMATION)
    return {
        "teacher_part": _plain(teacher_part),
        "corrected_gain": _plain(decisive.intervals.get(CORRECTED_GAIN)),
        "beats": beats,
    }


def _constraints(check: ForgettingCheck | None) -> dict[str, object] | None:
    """Return the forgetting of the arms on confirmation, and whether it is allowed."""
    if check is None:
        return None
    candidate = None
    if check.winner is not None:
        candidate = {"forgetting": check.winner.to_json(), "allowed": check.winner_allowed}
    default = {"forgetting": check.default.to_json(), "allowed": check.default_allowed}
    return {"max_forgetting": check.limit, "candidate": candidate, "default": default}


def asked(trials: Sequence[TrialRecord]) -> dict[str, object]:
    """Return the trials that the user asked for, under `asked`; nothing if there are none."""
    wanted = [trial for trial in trials if trial.role is TrialOrigin.ASKED]
    if not wanted:
        return {}
    return {
        "asked": [
            {
                "trial": trial.number,
                "setting": trial.setting.to_json(),
                "state": trial.state.value,
                "validation_accuracy": trial.accuracy,
                "rank": rank(trial, trials),
                "reason": in_a_line(trial.reason) or None,
            }
            for trial in wanted
        ]
    }


def rank(trial: TrialRecord, trials: Sequence[TrialRecord]) -> int | None:
    """Return the place of a COMPLETE trial among all such, by validation accuracy from 1; else None."""
    if trial.state is not TrialState.COMPLETE:
        return None
    complete = [other for other in trials if other.state is TrialState.COMPLETE]
    return 1 + sum((other.accuracy or 0.0) > (trial.accuracy or 0.0) for other in complete)


def count_by_state(trials: Sequence[TrialRecord]) -> dict[str, int]:
    """Return the number of trials in each state, zeros included."""
    counts = Counter(trial.state for trial in trials)
    return {state.value: counts[state] for state in TrialState}
