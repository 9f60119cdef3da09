"""Judging a pair in one or two looks: a second look, with more seeds, follows if the first left it undecided.

Two looks of which either may decide err more often than one. So both looks, which the recipe fixes before
anything runs, use a higher confidence: together they err as often as one look at the recipe's confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtr

from autokd.config.study import ConfirmationConfig, Objective, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts, TrialState
from autokd.core.setting import derive_seed
from autokd.errors import StoreError
from autokd.recommendation.evidence import InsufficientEvidence, gather
from autokd.recommendation.race import pending
from autokd.recommendation.verdict import RULE, Judgement, Verdict, judge
from autokd.statistics.label_weights import local_weights_of


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Why a pair cannot be judged yet."""

    reason: str


JudgedPair = Judgement | InsufficientEvidence | Unfinished
"""Result of judging a pair: `InsufficientEvidence` if runs failed, `Unfinished` if runs are missing."""


def judge_pair(config: StudyConfig, federation: FederationFacts, records: PairRecords) -> JudgedPair:
    """Judge a pair from its records; the same records give the same judgement, to the last digit.

    Raises:
        StoreError: If the study was created with a rule that this version does not know.
    """
    if records.rule != RULE:
        raise StoreError(
            f"study {records.study} is judged by rule {records.rule}, and this version of autokd "
            f"knows rule {RULE} only; install a newer autokd"
        )
    seeds, judged = _last_look(config, federation, records)
    if reason := _unfinished(config, records, seeds):
        return Unfinished(reason)
    return judged or _judge(config, federation, records, seeds)


def unfinished(config: StudyConfig, federation: FederationFacts, records: PairRecords) -> str:
    """Return what is missing before a pair can be judged; empty if nothing is."""
    return _unfinished(config, records, seeds_wanted(config, federation, records))


def seeds_wanted(config: StudyConfig, federation: FederationFacts, records: PairRecords) -> int:
    """Return the seeds of the first look, or of the second if the first is complete and left it undecided."""
    return _last_look(config, federation, records)[0]


def _last_look(
    config: StudyConfig, federation: FederationFacts, records: PairRecords
) -> tuple[int, Judgement | InsufficientEvidence | None]:
    """Return the seeds of a pair's last look, and the judgement of that look where it had to be made."""
    first, *later = config.confirmation.looks
    if not later or pending(config, records, seeds=first):
        return first, None
    judged = _judge(config, federation, records, first)
    undecided = isinstance(judged, Judgement) and judged.verdict is Verdict.UNDECIDED
    return (later[-1], None) if undecided else (first, judged)


def _unfinished(config: StudyConfig, records: PairRecords, seeds: int) -> str:
    if not {TrialState.COMPLETE, TrialState.FAIL}.intersection(trial.state for trial in records.baselines):
        return "the default setting has not run to the end"
    missing = pending(config, records, seeds=seeds)
    return f"{len(missing)} race and confirmation runs are to be done" if missing else ""


def _judge(
    config: StudyConfig, federation: FederationFacts, records: PairRecords, seeds: int
) -> Judgement | InsufficientEvidence:
    """Judge a pair by the first `seeds` confirmation seeds; the bootstrap's seed derives from the study."""
    student, aims = records.pair.student, config.aims
    own = federation.participants[student].correct
    local = {} if aims == Objective() else local_weights_of(federation, student)
    evidence = gather(config, own, records, seeds=seeds, local=local)
    if isinstance(evidence, InsufficientEvidence):
        return evidence
    seed, confidence = derive_seed(records.study, "verdict"), look_confidence(config.confirmation)
    return judge(evidence, config.confirmation, seed=seed, aims=aims, confidence=confidence)


def look_confidence(confirmation: ConfirmationConfig) -> float:
    """Return the confidence for the intervals of each look, so that together they err as often as one look.

    Two looks at a mean that grows from n to m seeds correlate by at least √(n/m), which is what they do where
    seeds are all the noise; examples, which both looks share, only make them more alike. At that least
    correlation the chance that either look errs is exactly what is allowed, so with more it is less.
    Source: equal nominal levels at each look, Pocock 1977, Biometrika 64, pp. 191-199.
    """
    first, *later = confirmation.looks
    once = confirmation.confidence
    return _shared_confidence(once, math.sqrt(first / later[-1])) if later else once


@cache
def _shared_confidence(confidence: float, correlation: float) -> float:
    """Return P(|Z| <= z) for the z with P(|X| <= z and |Y| <= z) = confidence, X and Y correlated normals."""
    # Imported here: it takes a while, and only recipes with a second look need it.
    from scipy.optimize import brentq

    nodes, weights = np.polynomial.legendre.leggauss(64)
    rest = math.sqrt(1 - correlation**2)

    def both(z: float) -> float:
        inside = z * nodes
        density = np.exp(-(inside**2) / 2) / math.sqrt(2 * math.pi)
        other = ndtr((z - correlation * inside) / rest) - ndtr((-z - correlation * inside) / rest)
        return float(z * (weights @ (density * other)))

    z = brentq(lambda z: both(z) - confidence, 0.5, 8.0)
    return float(2 * ndtr(z) - 1)
