"""Parts of a recommendation as JSON values: one place that fixes the names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autokd.plan import ConfirmationRecipe
from autokd.recommendation.statistics import NOTHING
from autokd.recommendation.verdict import Figures, Judgement
from autokd.records import TrialRecord, TrialState
from autokd.setting import DEFAULT, Split


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


def decided_on(judgement: Judgement | None, plan: ConfirmationRecipe) -> dict[str, object]:
    """The figures that the verdict rests on, and the numbers of its rule."""
    rule = {"min_improvement": plan.min_improvement, "confidence": plan.confidence}
    if judgement is None:
        gains = dict.fromkeys(("candidate_gain", "default_gain", "improvement"))
        return {"split": Split.CONFIRMATION.value, "seeds": [], **rule, **gains}
    found = judgement.confirmation
    return {
        "split": Split.CONFIRMATION.value,
        "seeds": list(judgement.evidence.seeds),
        **rule,
        "candidate_gain": None if found.winner_gain is None else found.winner_gain.to_json(),
        "default_gain": found.default_gain.to_json(),
        "improvement": _improvement(found),
    }


def count_by_state(trials: Sequence[TrialRecord]) -> dict[str, int]:
    """Every state is named, at 0 too."""
    counts = Counter(trial.state for trial in trials)
    return {state.value: counts[state] for state in TrialState}


def _improvement(figures: Figures) -> dict[str, float]:
    """Winner minus default; where the default stands alone it is its own winner, and 0 better than itself."""
    return (NOTHING if figures.improvement is None else figures.improvement).to_json()
