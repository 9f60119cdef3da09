"""What a sweep found for one pair: the best of its settings, chosen on validation and told on test."""

from __future__ import annotations

from dataclasses import dataclass

from autokd.claims.grid_results import SweptArm, arms_of, best
from autokd.config.confirmation import ConfirmationConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import ParticipantFacts, RunState
from autokd.core.setting import DEFAULT, Pair, Setting, Split, plain
from autokd.recommendation.bootstrap import Bootstrap
from autokd.statistics.paired import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class BestSwept:
    """The best swept setting of a pair; gains are on test, in pp of its student.

    Attributes:
        settings: Number of settings that it is the best of.
        seeds: Seeds of each; the interval of one seed knows the noise of examples only.
        default_gain: Gain of the default setting; None if the grid does not have it.
    """

    pair: Pair
    setting: Setting
    settings: int
    seeds: int
    gain: Interval
    default_gain: Interval | None

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "setting": self.setting.to_json(),
            "settings": self.settings,
            "seeds": self.seeds,
            "gain": self.gain.to_json(),
            "default_gain": None if self.default_gain is None else self.default_gain.to_json(),
        }


def best_swept(
    records: PairRecords, student: ParticipantFacts, confirmation: ConfirmationConfig
) -> BestSwept | None:
    """Return the best swept setting of a pair; None before a run has completed."""
    complete = [plain(run.setting) for run in records.sweep_runs if run.state is RunState.COMPLETE]
    if not complete:
        return None
    anchor = DEFAULT if DEFAULT in complete else complete[0]
    arms, bootstrap = arms_of(records, anchor), Bootstrap.of(confirmation, records.study)

    def gain(arm: SweptArm, name: str) -> Interval:
        own, weights = student.correct[Split.TEST], records.weights.of(Split.TEST)
        return bootstrap.interval(arm.correct[Split.TEST], own, "sweep", name, weights=weights)

    chosen, correct = best(arms, among=arms), arms[anchor].correct[Split.TEST]
    return BestSwept(
        pair=records.of_pair,
        setting=chosen,
        settings=len(arms),
        seeds=1 if correct.ndim == 1 else len(correct),
        gain=gain(arms[chosen], "best"),
        default_gain=gain(arms[DEFAULT], "default") if DEFAULT in arms else None,
    )
