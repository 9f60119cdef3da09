"""Parts of a recommendation as JSON values: one place that fixes the names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autokd.config.study import ConfirmationConfig
from autokd.core.records import TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Split
from autokd.recommendation.verdict import RULE, Figures, Forgotten, Judgement
from autokd.statistics.paired import NOTHING


def figures(judgement: Judgement | None) -> dict[str, object]:
    """The figures on test, with what they belong to."""
    names = ("setting", "gain", "default_gain", "improvement", "forgetting", "candidate", "seeds")
    if judgement is None:
        return {**dict.fromkeys(names), "default_setting": DEFAULT.to_json(), "seeds": 0}
    test, winner = judgement.test, judgement.evidence.winner
    candidate: dict[str, object] | None = None
    if winner is not None and test.winner_gain is not None:
        candidate = {
            "setting": winner.setting.to_json(),
            "gain": test.winner_gain.to_json(),
            "forgetting": winner.forgetting,
        }
    return {
        "setting": judgement.shown.setting.to_json(),
        "gain": judgement.gain(Split.TEST).to_json(),
        "default_setting": DEFAULT.to_json(),
        "default_gain": test.default_gain.to_json(),
        "improvement": _improvement(test),
        "forgetting": judgement.shown.forgetting,
        "candidate": candidate,
        "seeds": len(judgement.evidence.seeds),
    }


def decided_on(judgement: Judgement | None, plan: ConfirmationConfig) -> dict[str, object]:
    """The figures that the verdict rests on, and the numbers of its rule."""
    rule: dict[str, object] = {
        "rule": RULE if judgement is None else judgement.rule,
        "min_improvement": plan.min_improvement,
        "confidence": plan.confidence,
    }
    if judgement is None:
        gains = dict.fromkeys(("candidate_gain", "default_gain", "improvement", "p_beats_default"))
        return {"split": Split.CONFIRMATION.value, "seeds": [], **rule, **gains}
    found = judgement.decisive
    return {
        "split": Split.CONFIRMATION.value,
        "seeds": list(judgement.evidence.seeds),
        **rule,
        "confidence": judgement.confidence,
        "objective": judgement.aims.objective,
        "constraints": _constraints(judgement.forgotten),
        "candidate_gain": None if found.winner_gain is None else found.winner_gain.to_json(),
        "default_gain": found.default_gain.to_json(),
        "improvement": _improvement(found),
        "p_beats_default": judgement.p_beats_default,
    }


def _constraints(forgotten: Forgotten | None) -> dict[str, object] | None:
    """What the arms forgot on confirmation, and whether that is allowed."""
    if forgotten is None:
        return None
    arms: dict[str, object] = {"max_forgetting": forgotten.limit}
    for name, lost, allowed in (
        ("candidate", forgotten.winner, forgotten.winner_allowed),
        ("default", forgotten.default, forgotten.default_allowed),
    ):
        arms[name] = None if lost is None else {"forgetting": lost.to_json(), "allowed": allowed}
    return arms


def count_by_state(trials: Sequence[TrialRecord]) -> dict[str, int]:
    """Every state is named, at 0 too."""
    counts = Counter(trial.state for trial in trials)
    return {state.value: counts[state] for state in TrialState}


def _improvement(figures: Figures) -> dict[str, float]:
    """Winner minus default; where the default stands alone it is its own winner, and 0 better than itself."""
    return (NOTHING if figures.improvement is None else figures.improvement).to_json()
