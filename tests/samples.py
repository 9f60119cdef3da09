"""Values that tests of several layers draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from autokd.core.setting import BatchNorm, LabelPrior, Method, Schedule, Setting, TransferSet

temperatures = st.floats(min_value=1e-3, max_value=1e3)
alphas = st.floats(min_value=0, max_value=1)
_more = {
    "method": st.sampled_from(Method),
    "learning_rate": st.none() | st.floats(min_value=1e-5, max_value=1),
    "epochs": st.none() | st.integers(1, 1000),
    "batch_norm": st.none() | st.sampled_from(BatchNorm),
    "schedule": st.none() | st.sampled_from(Schedule),
}
_priors = st.sampled_from(LabelPrior)
_labelled = [transfer_set for transfer_set in TransferSet if transfer_set is not TransferSet.PUBLIC]
settings = st.one_of(
    st.builds(Setting, temperatures, alphas, st.sampled_from(_labelled), label_prior=_priors, **_more),
    st.builds(Setting, temperatures, st.none(), st.just(TransferSet.PUBLIC), **_more),
)
"""Any setting there can be."""


def verdict_by_rule(recommendation: Mapping[str, Any]) -> str:
    """Return the verdict that follows from the intervals on confirmation in a recommendation's JSON.

    Without a candidate, as when every other setting failed, only the default is judged.
    """
    decided = recommendation["decided_on"]
    gain, default, improvement = (decided[name] for name in ("candidate_gain", "default_gain", "improvement"))
    # Rules 1 and 2 know one model as it is, and one default.
    beats = decided.get("beats") or {
        **({"winner": {"own": gain, "default": improvement}} if gain else {}),
        "default": {"own": default},
    }

    def as_is(arm: str) -> list[dict[str, float]]:
        return [beats[arm][model] for model in ("own", "corrected") if model in beats[arm]]

    if all(any(interval["high"] < decided["min_improvement"] for interval in as_is(arm)) for arm in beats):
        return "skip"
    if "winner" in beats and all(interval["low"] > 0 for interval in beats["winner"].values()):
        return "tuned"
    return "default" if all(interval["low"] > 0 for interval in as_is("default")) else "undecided"
