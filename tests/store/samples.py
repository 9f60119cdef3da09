"""Values that store tests write."""

from __future__ import annotations

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from autokd.core.records import (
    Failure,
    FederationFacts,
    ParticipantFacts,
    RungReport,
    RungScores,
    RunRecord,
    RunState,
    Stage,
)
from autokd.core.setting import (
    DEFAULT,
    SEARCHABLE,
    BatchNorm,
    LabelPrior,
    Method,
    Schedule,
    Setting,
    Split,
    TransferSet,
)

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "temperature": FloatDistribution(0.5, 16, log=True),
    "alpha": FloatDistribution(0, 1),
    "transfer_set": CategoricalDistribution([each.value for each in SEARCHABLE]),
}
ODD = Setting(temperature=0.1 + 0.2 + 1 / 3, alpha=1 / 3, transfer_set=TransferSet.BOTH)
"""No short decimal number is equal to these."""
FURTHER = Setting(
    temperature=3.0,
    alpha=0.25,
    transfer_set=TransferSet.BOTH,
    method=Method.DATA_PARTITIONING,
    learning_rate=1 / 3,
    epochs=20,
    batch_norm=BatchNorm.FROZEN,
    label_prior=LabelPrior.ADJUSTED,
    schedule=Schedule.COSINE,
)
PUBLIC = Setting(temperature=2.5, alpha=None, transfer_set=TransferSet.PUBLIC)


def rung(epoch: int, accuracy: float = 0.5) -> RungReport:
    return RungReport(
        epoch=epoch,
        accuracy=accuracy,
        forgetting=-1.25,
        local_accuracy=2 / 3,
        soft_loss=0.125,
        hard_loss=None,
        seconds=0.1,
    )


def bits(examples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(examples) < 0.6


def complete_run(
    *, setting: Setting = DEFAULT, seed: int = 2000, stage: Stage = Stage.CONFIRMATION
) -> RunRecord:
    correct = {Split.CONFIRMATION: bits(350, seed), Split.TEST: bits(253, seed)}
    if stage in (Stage.RACE, Stage.SWEEP):
        correct[Split.VALIDATION] = bits(200, seed)
    return RunRecord(
        stage=stage,
        setting=setting,
        seed=seed,
        state=RunState.COMPLETE,
        correct=correct,
        forgetting=-0.1,
        local_accuracy=1 / 3,
        epochs=10,
        seconds=0.25,
    )


def swept_run(rungs: int = 8) -> RunRecord:
    """With numbers that no short decimal number is equal to."""
    return RunRecord(
        stage=Stage.SWEEP,
        setting=PUBLIC,
        seed=0,
        state=RunState.COMPLETE,
        correct={split: bits(200 + place, place) for place, split in enumerate(Split)},
        forgetting=-0.1,
        local_accuracy=1 / 3,
        epochs=rungs,
        seconds=0.25,
        curve=tuple(
            RungScores(
                epoch=epoch,
                accuracy={split: epoch / (3 * rungs + place) for place, split in enumerate(Split)},
                forgetting={split: -1 / 3 - epoch - place for place, split in enumerate(Split)},
                seconds=0.1 * epoch,
            )
            for epoch in range(1, rungs + 1)
        ),
    )


def failed_run(*, setting: Setting = DEFAULT, seed: int = 2000) -> RunRecord:
    return RunRecord(
        stage=Stage.CONFIRMATION,
        setting=setting,
        seed=seed,
        state=RunState.FAIL,
        failure=Failure.OUT_OF_MEMORY,
        reason="T² · α → 老",
    )


def facts(name: str) -> FederationFacts:
    return FederationFacts(
        name=name,
        classes=("null", "eins", "zwölf"),
        labels={split: np.arange(7, dtype=np.int64) % 3 for split in Split},
        participants=tuple(
            ParticipantFacts(
                number=number,
                architecture="cnn",
                histogram=(number, 0, 12),
                correct={split: bits(7, number) for split in Split},
            )
            for number in range(11)
        ),
    )
