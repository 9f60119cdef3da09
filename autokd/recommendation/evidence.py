"""Evidence of a verdict: models as they are and the arms, on the same examples with paired seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from autokd.config.study import StudyConfig
from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness, Failure, RunRecord, RunState, Stage, TrialRecord, TrialState
from autokd.core.setting import Setting, Split
from autokd.recommendation.race import DEFAULT_ARM, WINNER, arms, confirmation_seeds
from autokd.statistics.paired import Weights
from autokd.text.reasons import in_a_line

OWN, CORRECTED = "own", "corrected"
"""Names of the two models that need no run: the own one as it is, and with its label prior divided out."""
AVERAGED = "averaged"
"""Name of the mean of all models of a group, priors divided out: no run, but each of them has to answer."""
JUDGED = (Split.CONFIRMATION, Split.TEST)
"""The splits that confirmation runs are evaluated on."""
_FEWEST: Final = 2
"""Two seeds are the fewest that show how seeds vary."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """The students of one setting, by seed.

    Attributes:
        correct: By split, shape (seeds, examples).
        forgetting: Mean over seeds on the test split, in pp; None if no run reports it.
        diverged: Number of seeds that ended without a student; the own model stands in for it.
        rows: Places of its seeds among those of the evidence; None if it has them all.
    """

    setting: Setting
    correct: Mapping[Split, Correctness]
    forgetting: float | None
    diverged: int = 0
    rows: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """All that the verdict of a pair depends on.

    Attributes:
        seeds: Indices of the paired confirmation runs; row i of winner and default is seed i.
        own: Correctness of the student's model as it is, by split, shape (examples,); if it is untrained, so
            that its initial weights depend on the seed, (seeds, examples) as the arms.
        winner: The race's choice; None if the default stands alone.
        local: Weight of each example on the student's own label distribution, by split
            (`autokd.statistics.label_weights`); empty if only gain counts.
        weights: Weights of the examples on the target distribution: what a gain is measured with.
        corrected: Correctness of the student's model with its label prior divided out, by split; None by
            rules 1 and 2.
        rivals: Further arms by name (`autokd.core.verdict_basis`); none by rules 1 and 2.
        averaged: Correctness of all models of a group together, by split; None for a pair.
        lost: Names of the rivals of which fewer than two runs came to an end.
    """

    seeds: tuple[int, ...]
    own: Mapping[Split, Correctness]
    default: Arm
    winner: Arm | None
    local: Mapping[Split, Weights] = field(default_factory=dict)
    weights: ExampleWeights = EVEN
    corrected: Mapping[Split, Correctness] | None = None
    rivals: Mapping[str, Arm] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    averaged: Mapping[Split, Correctness] | None = None

    @property
    def arms(self) -> dict[str, Arm]:
        """All arms by name."""
        winner = {} if self.winner is None else {WINNER: self.winner}
        return {**winner, DEFAULT_ARM: self.default, **self.rivals}

    @property
    def models(self) -> dict[str, Mapping[Split, Correctness]]:
        """The models that need no run, by name."""
        models = {OWN: self.own, CORRECTED: self.corrected, AVERAGED: self.averaged}
        return {name: model for name, model in models.items() if model is not None}

    def paired(self, first: str, second: str, split: Split) -> tuple[Correctness, Correctness] | None:
        """Return two arms or models with the same seeds in the same rows; None if one of them is not there.

        The shapes are (seeds, examples), and (examples,) of a model that needs no run.
        """
        arms, models = self.arms, self.models
        if not all(name in arms or name in models for name in (first, second)):
            return None
        chosen = [arms[name].rows for name in (first, second) if name in arms]
        common = set(range(len(self.seeds))).intersection(*(rows for rows in chosen if rows is not None))
        if chosen and len(common) < _FEWEST:
            return None

        def correct(name: str) -> Correctness:
            if name in models:
                fixed = models[name][split]
                return fixed if fixed.ndim == 1 else fixed[sorted(common)]
            arm, rows = arms[name], sorted(common)
            if arm.rows is not None:
                rows = [arm.rows.index(row) for row in rows]
            elif len(rows) == len(self.seeds):
                return arm.correct[split]
            return arm.correct[split][rows]

        return correct(first), correct(second)


@dataclass(frozen=True, slots=True)
class InsufficientEvidence:
    """Why a pair cannot be judged although its runs have ended."""

    reason: str

    @classmethod
    def of(cls, lacking: str, records: Iterable[TrialRecord | RunRecord]) -> InsufficientEvidence:
        """Return it with the reason of the last failure among `records`."""
        reasons = [record.reason for record in records if record.failure is not None and record.reason]
        return cls(f"{lacking} ({in_a_line(reasons[-1])})" if reasons else lacking)


def gather(
    config: StudyConfig,
    own: Mapping[Split, Correctness],
    records: PairRecords,
    *,
    seeds: int,
    local: Mapping[Split, Weights],
    corrected: Mapping[Split, Correctness] | None = None,
    initial: Mapping[Split, Correctness] | None = None,
    averaged: Mapping[Split, Correctness] | None = None,
) -> Evidence | InsufficientEvidence:
    """Pair the confirmation runs of all arms by seed.

    A run that diverged counts as the own model: whoever follows the advice and meets a diverging run keeps
    the own model. To drop it would praise a setting for the seeds that it survived. A run lost to
    infrastructure says nothing about its setting: its seed is left out of winner and default; one of a rival
    is left out where the rival is compared.

    Args:
        own: As in `Evidence`; so are `local`, `corrected` and `averaged`.
        seeds: Number of seeds that count, from the first on.
        initial: As in `ParticipantFacts`; takes the place of `own` where there is one.
    """
    baselines = records.baselines
    if not any(trial.state is TrialState.COMPLETE for trial in baselines):
        return InsufficientEvidence.of("the default setting never ran to the full budget", baselines)
    settings = arms(config, records)
    default, best = settings[DEFAULT_ARM], settings.get(WINNER)
    runs = [
        run for run in records.runs if run.stage is Stage.CONFIRMATION and run.setting in settings.values()
    ]
    counted = [run for run in runs if run.seed in confirmation_seeds(seeds)]
    ended = {name: ended_runs(setting, counted) for name, setting in settings.items()}
    defaults, winners = ended.pop(DEFAULT_ARM), ended.pop(WINNER, {})
    if not any(run.state is RunState.COMPLETE for run in defaults.values()):
        return InsufficientEvidence.of("no confirmation run of the default setting came to an end", runs)
    paired = defaults.keys() & winners.keys()
    alone = best is None or len(paired) < _FEWEST <= len(defaults)
    judged = tuple(sorted(defaults if alone else paired))
    if len(judged) < _FEWEST:
        return InsufficientEvidence.of("fewer than two seeds of the confirmation came to an end", runs)
    rivals: dict[str, Arm] = {}
    for name, by_seed in {} if alone else ended.items():
        rows = tuple(row for row, seed in enumerate(judged) if seed in by_seed)
        if len(rows) >= _FEWEST:
            rival = arm(settings[name], [by_seed[judged[row]] for row in rows], own)
            rivals[name] = rival if len(rows) == len(judged) else replace(rival, rows=rows)
    return Evidence(
        seeds=judged,
        own={split: _initially(initial[split], judged) if initial else own[split] for split in JUDGED},
        default=arm(default, [defaults[seed] for seed in judged], own),
        winner=None if best is None or alone else arm(best, [winners[seed] for seed in judged], own),
        local=local,
        weights=records.weights,
        corrected={split: corrected[split] for split in JUDGED} if corrected else None,
        rivals=rivals,
        averaged=averaged,
        lost=frozenset() if alone else frozenset(ended.keys() - rivals.keys()),
    )


def _initially(initial: Correctness, seeds: Sequence[int]) -> Correctness:
    """Return the rows of confirmation seeds; seeds that were not evaluated repeat those that were."""
    first = confirmation_seeds(1)[0]
    return initial[[(seed - first) % len(initial) for seed in seeds]]


def ended_runs(setting: Setting, runs: Sequence[RunRecord]) -> dict[int, RunRecord]:
    """Return for each seed the run of a setting that is COMPLETE, or else one that diverged."""
    by_seed: dict[int, RunRecord] = {}
    for run in runs:
        diverged = run.failure is Failure.DIVERGED and run.seed not in by_seed
        if run.setting == setting and (run.state is RunState.COMPLETE or diverged):
            by_seed[run.seed] = run
    return by_seed


def arm(setting: Setting, runs: Sequence[RunRecord], own: Mapping[Split, Correctness]) -> Arm:
    """Return the students of runs that ended, in their order; `own` stands in for those that diverged."""
    students = [run.correct if run.state is RunState.COMPLETE else own for run in runs]
    lost = [0.0 if run.failure is Failure.DIVERGED else run.forgetting for run in runs]
    known = [forgetting for forgetting in lost if forgetting is not None]
    return Arm(
        setting=setting,
        correct={split: np.stack([correct[split] for correct in students]) for split in JUDGED},
        forgetting=float(np.mean(known)) if known else None,
        diverged=sum(run.state is not RunState.COMPLETE for run in runs),
    )
