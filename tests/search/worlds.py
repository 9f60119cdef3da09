"""Worlds in which a run is a formula and takes no time: whole studies without torch or Ray."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np

from autokd.config.search import rungs_of
from autokd.config.space import Space
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
from autokd.core.run_spec import RunFailure, RunSpec
from autokd.core.setting import AnyPair, Group, Pair, Setting, Split, TransferSet, derive_seed
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.execution.run_context import swept_rungs
from autokd.execution.search_queue import SearchQueue
from autokd.search import transfer
from autokd.search.costs import Costs
from autokd.search.pair_features import PairFeatures
from autokd.search.progress import VerdictSummary
from autokd.search.spending import Budget
from autokd.search.study_names import study_name
from autokd.search.tpe import Sampler
from autokd.statistics.moderation import VariancePool
from autokd.store import Store
from autokd.workflows import session, tensor_formats

FORWARD, BACKWARD = Pair(0, 1), Pair(1, 0)
SIZES = {Split.VALIDATION: 200, Split.CONFIRMATION: 350, Split.TEST: 250}
OWN = 0.5
"""Accuracy of every participant as it is."""
CORRECTED = 0.52
"""Accuracy of every participant with its label prior divided out."""
TOGETHER = 0.05
"""What each doubling of the number of teachers of a group adds to the accuracy."""
BEST_RATE = 0.4
"""Learning rate with which every setting reaches most; the recipe's is 0.1."""
TINY: Mapping[str, object] = {
    "name": "tiny",
    "federation": {
        "name": "formula",
        "dataset": "digits",
        "participants": 4,
        "partition": {"scheme": "iid"},
        "splits": {"validation": 200, "confirmation": 350, "test": 250, "public": 50},
        "architectures": [{"name": "mlp"}],
        "pretraining": {"learning_rate": 0.1, "epochs": 1},
    },
    "distillation": {"learning_rate": 0.1, "epochs": 10},
    "search": {"trials": 6, "startup_trials": 3, "stopping": {"rungs": [3, 6], "reduction": 2, "grace": 0}},
    "confirmation": {"candidates": 2, "race_seeds": 1, "seeds": 2, "resamples": 200},
}


def tiny_plan(**search: object) -> StudyConfig:
    return StudyConfig.model_validate(TINY).with_(**search)


def open_space(**fields: object) -> Space:
    everything = {
        "name": "open",
        "temperature": {"low": 0.5, "high": 16, "log": True},
        "alpha": {"low": 0, "high": 1},
        "transfer_set": ["student", "teacher", "both", "public"],
    }
    return Space.model_validate(everything | fields)


def facts(participants: int = 4) -> FederationFacts:
    labels = {split: np.arange(size) % 10 for split, size in SIZES.items()}
    own = {split: first(OWN, size) for split, size in SIZES.items()}
    corrected = {split: first(CORRECTED, size) for split, size in SIZES.items()}
    return FederationFacts(
        name="formula-00000000",
        classes=tuple("0123456789"),
        labels=labels,
        participants=tuple(
            ParticipantFacts(
                number=number, architecture="mlp", histogram=(10,) * 10, correct=own, corrected=corrected
            )
            for number in range(participants)
        ),
        public=50,
    )


def costs(config: StudyConfig, pair: Pair, space: Space | None = None) -> Costs:
    return Costs.of_pair(config, space or open_space(), facts(), pair)


def features(pair: Pair) -> PairFeatures:
    """Teacher and student differ from pair to pair in how much data they have, and in nothing else."""
    same = dict.fromkeys((field.name for field in fields(PairFeatures)), 0.5)
    sizes = {"teacher_examples": 3 + pair.teacher / 10, "student_examples": 3 + pair.student / 10}
    return PairFeatures(**{**same, **sizes})


@contextmanager
def instead_of_a_federation(stored: FederationFacts) -> Iterator[None]:
    """Let commands find these facts in place of a prepared federation; nothing can be trained."""

    def correct(participant: int, split: Split) -> np.ndarray:
        return stored.participants[participant].correct[split]

    federation = SimpleNamespace(
        warnings=(), name=stored.name, participants=stored.participants, facts=lambda: stored, correct=correct
    )
    with (
        patch.object(session, "find", return_value=federation),
        patch.object(session, "notices", return_value=[]),
        # There are no examples to be too few.
        patch.object(session, "tell_warnings"),
        patch.object(transfer, "pair_features", lambda federation, pair: features(pair)),
        patch.object(tensor_formats, "chosen_format", lambda *arguments: FORMER_FORMAT),
    ):
        yield


def first(accuracy: float, size: int) -> np.ndarray:
    """The first examples of a split are right."""
    right: np.ndarray = np.arange(size) < round(accuracy * size)
    return right


def accuracy(spec: RunSpec, epoch: int, epochs: int = 10) -> float:
    """What a student reaches: best at T = 4, alpha = 0.3 on `both`; seeds shift it a little.

    A learning rate of its own lifts it by up to 0.15, and so much less as it is away from `BEST_RATE`.
    """
    setting = spec.setting
    alpha = 0.6 if setting.alpha is None else setting.alpha
    shape = 0.12 * math.exp(-((math.log2(setting.temperature) - 2) ** 2)) - 0.2 * (alpha - 0.3) ** 2
    data = {TransferSet.BOTH: 0.1, TransferSet.TEACHER: 0.03}.get(setting.transfer_set, 0.0)
    if setting.learning_rate is not None:
        data += 0.15 * math.exp(-((math.log2(setting.learning_rate / BEST_RATE)) ** 2))
    together = 0.0
    if isinstance(spec.pair, Group) and setting.teachers and alpha:
        together = TOGETHER * math.log2(sum(number != spec.pair.student for number in setting.teachers))
    luck = (derive_seed(str(spec.pair), spec.seed) % 100) / 5000
    # Longer than usual, it learns ever more slowly.
    learned = epoch / epochs if epoch <= epochs else 1 + 0.1 * math.log2(epoch / epochs)
    return OWN - 0.05 + (shape + data + 0.1 * (spec.pair.teachers == (1,)) + together) * learned + luck


def report(spec: RunSpec, epoch: int) -> RungReport:
    reached = accuracy(spec, epoch)
    return RungReport(
        epoch=epoch,
        accuracy=reached,
        forgetting=0.0,
        local_accuracy=reached,
        soft_loss=1.0,
        hard_loss=1.0,
        seconds=0.1,
    )


def record(spec: RunSpec) -> RunRecord:
    assert spec.stage is not None
    epochs = spec.setting.epochs or 10
    reached = accuracy(spec, epochs)
    splits = {Stage.RACE: (Split.VALIDATION,), Stage.CONFIRMATION: (Split.CONFIRMATION, Split.TEST)}
    return RunRecord(
        stage=spec.stage,
        setting=spec.setting,
        seed=spec.seed,
        state=RunState.COMPLETE,
        correct={split: first(reached, SIZES[split]) for split in splits.get(spec.stage, tuple(Split))},
        forgetting=0.0,
        local_accuracy=reached,
        epochs=epochs,
        curve=tuple(scores(spec, epoch) for epoch in swept_rungs(10)) if spec.stage is Stage.SWEEP else (),
    )


def scores(spec: RunSpec, epoch: int) -> RungScores:
    reached = accuracy(spec, epoch)
    return RungScores(epoch, dict.fromkeys(Split, reached), dict.fromkeys(Split, 0.0), 0.1 * epoch)


Fate = Callable[[RunSpec], RunFailure | None]
"""Returns the failure of a run at its first report, if it fails."""


def lives(spec: RunSpec) -> RunFailure | None:
    return None


def diverges(where: Callable[[Setting], bool]) -> Fate:
    return lambda spec: RunFailure(Failure.DIVERGED, "loss became nan") if where(spec.setting) else None


class Killed(Exception):
    """The driver was killed."""


class World:
    """A search queue with its store and studies; a new one on the same folder is a driver after a kill."""

    def __init__(
        self,
        folder: Path,
        config: StudyConfig,
        *,
        meetings: Sequence[Sequence[AnyPair]] = ((FORWARD, BACKWARD),),
        space: Space | None = None,
        address: str | None = None,
        prepare: Callable[[Store, Collection[str]], object] = lambda store, studies: None,
        sampler: Sampler | None = None,
        conclude: Callable[[Sequence[PairRecords]], Mapping[AnyPair, VerdictSummary]] = lambda over: {},
        rule: int | Mapping[AnyPair, int] = 1,
        tensor_format: TensorFormat = FORMER_FORMAT,
        budget: Budget | None = None,
        noise: VariancePool | None = None,
        space_of: Callable[[AnyPair], Space] | None = None,
    ) -> None:
        self.config, self.space, self.rule = config, space or open_space(), rule
        self.tensor_format = tensor_format
        self.store = Store.open(address or f"sqlite:///{folder / 'store.db'}")
        self.facts = facts()
        self.store.put_federation(self.facts)
        self.names = {
            pair: study_name(self.facts.name, config, self.space, pair)
            for meeting in meetings
            for pair in meeting
        }
        for name in self.names.values():
            self.store.create_study(name, attributes={})
        prepare(self.store, self.names.values())
        self.queue = SearchQueue(
            config=config,
            space=self.space,
            federation=self.facts,
            meetings=meetings,
            read=self.records,
            store=self.store,
            sampler=sampler,
            conclude=conclude,
            budget=budget,
            noise=noise,
            space_of=space_of,
        )

    def work(self, *, workers: int = 1, fate: Fate = lives, reports: int | None = None) -> int:
        """Do all runs; the workers report in turn.

        Args:
            workers: Number of runs at once.
            fate: Says which runs fail.
            reports: Number of reports after which the driver is killed, with all runs in progress.

        Returns:
            Number of reports.

        Raises:
            Killed: After `reports`.
        """
        reported, serial = 0, 0
        live: dict[str, tuple[RunSpec, list[int]]] = {}
        while not self.queue.finished:
            while len(live) < workers and (spec := self.queue.assign(f"run-{serial}")) is not None:
                budget = self.config.budget(spec.setting)
                rungs = list(rungs_of(self.config.rungs, budget)) if spec.stage is None else []
                live[f"run-{serial}"] = (spec, rungs)
                serial += 1
            assert live or self.done, "nothing is live, nothing is handed out, and yet it is not finished"
            for key, (spec, rungs) in list(live.items()):
                if reported == reports:
                    raise Killed
                reported += 1
                if self._report(key, spec, rungs, fate):
                    del live[key]
        return reported

    def _report(self, key: str, spec: RunSpec, rungs: list[int], fate: Fate) -> bool:
        """Report once for a run; return True if that was its end."""
        failure = fate(spec)
        if failure is not None:
            self.queue.end(key, failure)
            return True
        if spec.stage is not None:
            self.queue.end(key, record(spec))
            return True
        answer = report(spec, rungs.pop(0))
        if rungs and self.queue.report(key, answer):
            return False
        self.queue.end(key, answer)
        return True

    @property
    def done(self) -> bool:
        """Whether nothing is left; a queue may find that out only when it is asked for a run."""
        return self.queue.finished

    def trials(self, pair: AnyPair = FORWARD) -> tuple[TrialRecord, ...]:
        return self.store.trials(self.names[pair])

    def runs(self, pair: AnyPair = FORWARD) -> tuple[RunRecord, ...]:
        return self.store.runs(self.names[pair])

    def records(self, pair: AnyPair = FORWARD) -> PairRecords:
        name = self.names[pair]
        return PairRecords(
            pair=pair,
            study=name,
            rule=self.rule if isinstance(self.rule, int) else self.rule[pair],
            tensor_format=self.tensor_format,
            bases=self.store.bases(name),
            trials=self.trials(pair),
            runs=self.runs(pair),
        )

    def close(self) -> None:
        self.store.close()


def made(trials: Sequence[TrialRecord]) -> list[tuple[Setting, TrialState, object]]:
    """Return setting, state and curve of each trial that did not fail, in order."""
    return [
        (trial.setting, trial.state, trial.curve) for trial in trials if trial.state is not TrialState.FAIL
    ]
