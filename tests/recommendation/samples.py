"""Records as a store would return them, with as little said as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from autokd.config.study import CONFIRMATION_SEEDS, RACE_SEEDS, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import (
    Correctness,
    Failure,
    FederationFacts,
    ParticipantFacts,
    RunRecord,
    RunState,
    Stage,
    TrialOrigin,
    TrialRecord,
    TrialState,
)
from autokd.core.setting import DEFAULT, Setting, Split, TransferSet
from autokd.recommendation import Recommendation, judge_pair, recommend
from autokd.recommendation.evidence import Arm, Evidence

BOTH = TransferSet.BOTH
HOT = Setting(temperature=4.0, alpha=0.1, transfer_set=BOTH)
WARM = Setting(temperature=2.0, alpha=0.3, transfer_set=BOTH)
COOL = Setting(temperature=0.5, alpha=0.9, transfer_set=TransferSet.TEACHER)
TUNING = Setting(temperature=3.0, alpha=0.0, transfer_set=BOTH)
PUBLIC = Setting(temperature=2.0, alpha=None, transfer_set=TransferSet.PUBLIC)


def make_trial(
    number: int, setting: Setting, accuracy: float = 0.5, state: TrialState = TrialState.COMPLETE
) -> TrialRecord:
    return TrialRecord(
        number=number,
        setting=setting,
        seed=0,
        role=TrialOrigin.BASELINE if number == 0 else TrialOrigin.SEARCH,
        state=state,
        curve=((10, accuracy),) if state in (TrialState.COMPLETE, TrialState.PRUNED) else (),
        failure=Failure.DIVERGED if state is TrialState.FAIL else None,
        reason="loss became nan at step 3" if state is TrialState.FAIL else "",
    )


def make_trials(*settings: Setting) -> list[TrialRecord]:
    """A baseline, then `settings` from best to worst."""
    return [
        make_trial(0, DEFAULT, 0.5),
        *(make_trial(number, setting, 0.9 - number / 100) for number, setting in enumerate(settings, 1)),
    ]


def race_run(setting: Setting, index: int, right: int, of: int = 10) -> RunRecord:
    return RunRecord(
        stage=Stage.RACE,
        setting=setting,
        seed=RACE_SEEDS + index,
        state=RunState.COMPLETE,
        correct={Split.VALIDATION: np.arange(of) < right},
        forgetting=0.0,
        epochs=10,
    )


def confirmation_run(
    setting: Setting, index: int, correct: Mapping[Split, ArrayLike], forgetting: float = 1.0
) -> RunRecord:
    return RunRecord(
        stage=Stage.CONFIRMATION,
        setting=setting,
        seed=CONFIRMATION_SEEDS + index,
        state=RunState.COMPLETE,
        correct={split: np.asarray(right, dtype=bool) for split, right in correct.items()},
        forgetting=forgetting,
        epochs=10,
    )


def failed_run(
    setting: Setting, index: int, failure: Failure, stage: Stage = Stage.CONFIRMATION
) -> RunRecord:
    first = RACE_SEEDS if stage is Stage.RACE else CONFIRMATION_SEEDS
    return RunRecord(
        stage=stage,
        setting=setting,
        seed=first + index,
        state=RunState.FAIL,
        failure=failure,
        reason=f"it was {failure}",
    )


def confirmation_runs(setting: Setting, correct: Mapping[Split, Correctness]) -> list[RunRecord]:
    """One run per row of the (seeds, examples) arrays."""
    seeds = len(next(iter(correct.values())))
    return [
        confirmation_run(setting, index, {split: rows[index] for split, rows in correct.items()})
        for index in range(seeds)
    ]


def make_federation(
    models: Sequence[Mapping[Split, Correctness]],
    corrected: Sequence[Mapping[Split, Correctness]] | None = None,
) -> FederationFacts:
    """Participants with the given correctness as they are and without their label priors, by split."""
    without_priors = corrected or [{} for _ in models]
    return FederationFacts(
        name="digits-1a2b3c4d",
        classes=("0", "1"),
        labels={split: np.zeros(len(right), dtype=np.int64) for split, right in models[0].items()},
        participants=tuple(
            ParticipantFacts(
                number=number, architecture="cnn", histogram=(5, 5), correct=model, corrected=without_prior
            )
            for number, (model, without_prior) in enumerate(zip(models, without_priors, strict=True))
        ),
    )


def make_plan(**confirmation: object) -> StudyConfig:
    """A whole study recipe; only its confirmation part matters here."""
    training = {"learning_rate": 0.01, "epochs": 10}
    return StudyConfig.model_validate(
        {
            "name": "digits",
            "federation": {
                "name": "digits",
                "dataset": "digits",
                "participants": 2,
                "partition": {"scheme": "iid"},
                "splits": {"validation": 10, "confirmation": 350, "test": 250, "public": 0},
                "architectures": [{"name": "cnn"}],
                "pretraining": training,
            },
            "distillation": training,
            "confirmation": {"resamples": 300, **confirmation},
        }
    )


def recommend_from(
    config: StudyConfig, federation: FederationFacts, records: PairRecords, reverse: PairRecords | None = None
) -> Recommendation:
    """Judge both pairs of a meeting and recommend for the first."""
    other = None if reverse is None else judge_pair(config, federation, reverse)
    return recommend(config, federation, records, judge_pair(config, federation, records), reverse=other)


def make_evidence(winner: Correctness | None, default: Correctness, own: Correctness) -> Evidence:
    """The same correctness on both splits."""

    def both(correct: Correctness) -> dict[Split, Correctness]:
        return {Split.CONFIRMATION: correct, Split.TEST: correct}

    return Evidence(
        seeds=tuple(range(len(default))),
        own=both(own),
        default=Arm(setting=DEFAULT, correct=both(default), forgetting=0.0),
        winner=None if winner is None else Arm(setting=HOT, correct=both(winner), forgetting=0.0),
    )
