"""Whole federations whose numbers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Final

import numpy as np

from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import (
    Failure,
    FederationFacts,
    ParticipantFacts,
    RungReport,
    RungScores,
    RunRecord,
    RunState,
    Stage,
    TrialRecord,
    TrialState,
)
from autokd.core.setting import DEFAULT, Pair, Setting, Split
from autokd.report import PairData, ReportData, ReportFacts, page
from tests.recommendation.samples import confirmation_runs, make_plan, recommend_from
from tests.report.samples import HOT, TRIALS, model, right

JUDGED = (Split.CONFIRMATION, Split.TEST)
GOOD = (0.05, 0.2)
"""What the default and the winner add to a student's accuracy: `tuned`."""
BAD = (-0.2, -0.1)
"""The verdict is `skip`."""
LOST: Final = None
"""The default never ran to the end: `failed`."""
Gains = tuple[float, float] | None


def make_federation(
    accuracies: Sequence[float], *, name: str = "digits-1a2b3c4d", classes: Sequence[str] = ("0", "1")
) -> FederationFacts:
    """A hundred examples a split, the classes in turn; participant p has 10 + p private ones of each."""
    labels = np.arange(100) % len(classes)
    return FederationFacts(
        name=name,
        classes=tuple(classes),
        labels=dict.fromkeys(Split, labels),
        participants=tuple(
            ParticipantFacts(
                number=number,
                architecture="cnn",
                histogram=(10 + number,) * len(classes),
                correct=model(accuracy),
            )
            for number, accuracy in enumerate(accuracies)
        ),
    )


def make_material(
    accuracies: Sequence[float],
    gains: Mapping[Pair, Gains],
    *,
    federation: FederationFacts | None = None,
    trials: Sequence[TrialRecord] = TRIALS,
    winner: Setting = HOT,
    unfinished: Sequence[Pair] = (),
    swept: Mapping[Pair, Sequence[RunRecord]] | None = None,
) -> ReportData:
    """What a store would hold of these pairs.

    Args:
        accuracies: Of the participants as they are, in hundredths.
        gains: Of default and winner, by pair.
        federation: Instead of one with these accuracies.
        trials: Of every pair.
        winner: What wins of these.
        unfinished: Pairs with trials and nothing else.
        swept: Runs of a sweep.
    """
    known = federation or make_federation(accuracies)
    config = _plan(len(accuracies))
    searched = {
        pair: _searched(known.name, pair, accuracies, gain, trials, winner) for pair, gain in gains.items()
    }
    pairs = [
        PairData(
            records=replace(
                measured,
                reports={trial.number: reports(trial) for trial in measured.trials},
                sweep_runs=(swept or {}).get(pair, ()),
            ),
            recommendation=recommend_from(config, known, measured, reverse=searched.get(pair.reverse)),
        )
        for pair, measured in searched.items()
    ]
    pairs += [
        PairData(
            records=PairRecords(
                pair=pair,
                study=f"{known.name}/digits-0/{pair}",
                trials=trials,
                reports={trial.number: reports(trial) for trial in trials},
            ),
            missing=f"pair {pair} has no recommendation yet: 7 runs are to be done",
        )
        for pair in unfinished
    ]
    return ReportData(
        config=config,
        space={
            "name": "default",
            "temperature": {"low": 0.5, "high": 16.0},
            "transfer_set": ["student", "teacher", "both", "public"],
        },
        federation=known,
        pairs=sorted(pairs, key=lambda pair: pair.pair),
        sweep_epochs=760,
        versions={"autokd": "0.1.0"},
        options=" --home elsewhere",
    )


def page_of(material: ReportData, pair: Pair | None = None) -> str:
    """The page of all pairs, or of one."""
    return page(ReportFacts(material, pair))


def everybody(participants: int) -> list[Pair]:
    return [Pair(teacher, student) for teacher, student in permutations(range(participants), 2)]


def reports(trial: TrialRecord) -> tuple[RungReport, ...]:
    """Forgetting is a tenth of the trial's number, in pp; ten epochs take a second."""
    return tuple(
        RungReport(
            epoch=epoch,
            accuracy=accuracy,
            forgetting=trial.number / 10,
            local_accuracy=accuracy,
            soft_loss=1.0,
            hard_loss=1.0,
            seconds=epoch / 10,
        )
        for epoch, accuracy in trial.curve
    )


def swept_run(setting: Setting, accuracy: float, *, seed: int = 0) -> RunRecord:
    scores = RungScores(10, dict.fromkeys(Split, accuracy), dict.fromkeys(Split, 0.0), 1.0)
    return RunRecord(
        stage=Stage.SWEEP,
        setting=setting,
        seed=seed,
        state=RunState.COMPLETE,
        correct=model(accuracy),
        epochs=10,
        curve=(scores,),
    )


def _plan(participants: int) -> StudyConfig:
    config = make_plan(race_seeds=1, candidates=1)
    federation = config.federation.model_copy(update={"participants": participants})
    return config.model_copy(update={"federation": federation})


def _searched(
    name: str,
    pair: Pair,
    accuracies: Sequence[float],
    gains: Gains,
    trials: Sequence[TrialRecord],
    winner: Setting,
) -> PairRecords:
    study = f"{name}/digits-0/{pair}"
    if gains is None:
        dead = replace(
            trials[0],
            state=TrialState.FAIL,
            curve=(),
            failure=Failure.DIVERGED,
            reason="loss became nan at step 3",
        )
        return PairRecords(pair=pair, study=study, trials=[dead])
    own = accuracies[pair.student]
    runs = [
        run
        for setting, gain in zip((DEFAULT, winner), gains, strict=True)
        for run in confirmation_runs(setting, {split: right(own + gain, 100, 5) for split in JUDGED})
    ]
    return PairRecords(pair=pair, study=study, trials=trials, runs=runs)
