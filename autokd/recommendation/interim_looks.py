"""Judging a pair in several looks: the next look, with more seeds, follows if the last one may still change.

Looks of which any may decide err more often than one. So all looks, which are fixed before the first
confirmation run, use a higher confidence: together they err as often as one look at the recipe's confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.objective import Objective
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts, TrialState
from autokd.core.setting import Group, derive_seed
from autokd.core.verdict_basis import VerdictBasis
from autokd.errors import StoreError
from autokd.recommendation.evidence import InsufficientEvidence, gather
from autokd.recommendation.judgement import Judgement, judge
from autokd.recommendation.power import can_still_change
from autokd.recommendation.race import looks_of, pending, to_be_run, winner
from autokd.recommendation.verdict import RULE, WITH_RIVALS, Verdict
from autokd.statistics.label_weights import local_weights_of
from autokd.statistics.looks import confidence_of_each, correlations
from autokd.text.quoting import counted


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Why a pair cannot be judged yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class OutOfBudget:
    """Why a pair has no judgement: the budget ended before its first look was complete."""

    reason: str


JudgedPair = Judgement | InsufficientEvidence | Unfinished | OutOfBudget
"""Result of judging a pair: `InsufficientEvidence` if runs failed, `Unfinished` if runs are missing."""


def judge_pair(config: StudyConfig, federation: FederationFacts, records: PairRecords) -> JudgedPair:
    """Judge a pair from its records; the same records give the same judgement, to the last digit.

    What was judged before a search was extended holds until what the extension found is judged, too.

    Raises:
        StoreError: If the study was created with a rule that this version does not know.
    """
    if not 1 <= records.rule <= RULE:
        raise StoreError(
            f"study {records.study} is judged by rule {records.rule}, and this version of autokd "
            f"knows rules up to {RULE}; install a newer autokd"
        )
    judged = _by_last_basis(config, federation, records)
    whole = isinstance(judged, Judgement) and not _lost_its_winner(config, records, judged)
    if whole or len(records.bases) < 2:
        return judged
    before = judge_pair(config, federation, replace(records, bases=records.bases[:-1]))
    return before if isinstance(before, Judgement) else judged


def extension(records: PairRecords, judgement: Judgement | None) -> str:
    """Return what is being done beyond a judgement, in words; empty if it rests on all that there is."""
    if judgement is None or judgement.basis is None or records.basis is None:
        return ""
    if judgement.basis.extension < records.basis.extension:
        return "what a longer search has found is not confirmed yet; until then, this is the answer of before"
    further = len(records.trials) - records.basis.trials
    return f"its search goes on, with {counted(further, 'trial')} since this answer" if further > 0 else ""


def _by_last_basis(config: StudyConfig, federation: FederationFacts, records: PairRecords) -> JudgedPair:
    seeds, judged = _last_look(config, federation, records)
    if reason := _unfinished(config, records, seeds):
        if records.basis is not None and records.basis.paused:
            return _when_paused(config, federation, records, records.basis)
        return Unfinished(reason)
    return judged or _judge(config, federation, records, seeds)


def _when_paused(
    config: StudyConfig, federation: FederationFacts, records: PairRecords, basis: VerdictBasis
) -> Judgement | InsufficientEvidence | OutOfBudget:
    """Judge a pair by the last complete look of a confirmation that was left."""
    complete = [seeds for seeds in basis.looks if not pending(config, records, seeds=seeds)]
    return _judge(config, federation, records, complete[-1]) if complete else OutOfBudget(basis.paused)


def unfinished(
    config: StudyConfig, federation: FederationFacts, records: PairRecords, *, seeds: int | None = None
) -> str:
    """Return what is missing before a pair can be judged; empty if nothing is, or if a budget left it.

    Args:
        seeds: What `seeds_wanted` returns, if that is known: to find out it judges look after look.
    """
    if records.basis is not None and records.basis.paused:
        return ""
    return _unfinished(config, records, seeds or seeds_wanted(config, federation, records))


def seeds_wanted(
    config: StudyConfig, federation: FederationFacts, records: PairRecords, *, since: int = 0
) -> int:
    """Return the seeds of the look that comes next, or of the last one if that was complete.

    Args:
        since: What it returned before the last runs ended; earlier looks are not judged again.
    """
    return _last_look(config, federation, records, since=since)[0]


def _last_look(
    config: StudyConfig, federation: FederationFacts, records: PairRecords, *, since: int = 0
) -> tuple[int, Judgement | InsufficientEvidence | None]:
    """Return the seeds of a pair's last look, and the judgement of that look where it had to be made."""
    looks = looks_of(config, records)
    for seeds in looks[:-1]:
        if seeds < since:
            continue
        if pending(config, records, seeds=seeds):
            return seeds, None
        judged = _judge(config, federation, records, seeds)
        if not _goes_on(config, records, judged, looks[-1]):
            return seeds, judged
    return looks[-1], None


def _goes_on(
    config: StudyConfig, records: PairRecords, judged: Judgement | InsufficientEvidence, last: int
) -> bool:
    """Return whether a complete look is followed by the next one."""
    if records.rule == 1:
        return isinstance(judged, Judgement) and judged.verdict is Verdict.UNDECIDED
    if isinstance(judged, InsufficientEvidence):
        # A seed that was lost may be made up for by a further one.
        return True
    if _lost_its_winner(config, records, judged) or judged.evidence.lost:
        # So many of the winner's seeds were lost that the default was judged alone, or of a rival's.
        return True
    return can_still_change(judged, config.confirmation.min_improvement, seeds=last)


def _lost_its_winner(config: StudyConfig, records: PairRecords, judged: Judgement) -> bool:
    """Return whether the default was judged alone since the winner's runs failed."""
    return judged.evidence.winner is None and winner(config, records) is not None


def _unfinished(config: StudyConfig, records: PairRecords, seeds: int) -> str:
    states = {trial.state for trial in records.baselines}
    complete = TrialState.COMPLETE in states
    again = TrialState.RUNNING in states or to_be_run(records.baselines, config.search.retries)
    if not complete and again:
        return "the default setting has not run to the end"
    if records.rule > 1 and records.basis is None and complete:
        return "its search has not ended"
    missing = pending(config, records, seeds=seeds)
    return f"{len(missing)} race and confirmation runs are to be done" if missing else ""


def _judge(
    config: StudyConfig, federation: FederationFacts, records: PairRecords, seeds: int
) -> Judgement | InsufficientEvidence:
    """Judge a pair by the first `seeds` confirmation seeds; the bootstrap's seed derives from the study."""
    student, aims = records.pair.student, config.aims
    own = federation.participants[student]
    local = {} if aims == Objective() else local_weights_of(federation, student)
    corrected = own.corrected if records.rule >= WITH_RIVALS else None
    averaged = None
    if isinstance(records.pair, Group) and federation.averaged is not None:
        averaged = federation.averaged(records.pair.meeting)
    evidence = gather(
        config,
        own.correct,
        records,
        seeds=seeds,
        local=local,
        corrected=corrected,
        initial=own.initial,
        averaged=averaged,
    )
    if isinstance(evidence, InsufficientEvidence):
        return evidence
    seed = derive_seed(records.study, "verdict")
    confidence = look_confidence(config.confirmation) if records.basis is None else None
    return judge(
        evidence,
        config.confirmation,
        seed=seed,
        aims=aims,
        confidence=confidence,
        basis=records.basis,
        rule=records.rule,
    )


def look_confidence(confirmation: ConfirmationConfig) -> float:
    """Return the confidence of each look by rule 1, which knows nothing of how the looks correlate.

    Two looks at a mean that grows from n to m seeds correlate by at least √(n/m), which is what they do where
    seeds are all the noise. At that least correlation the chance that either look errs is exactly what is
    allowed, so with more it is less.
    """
    return confidence_of_each(confirmation.confidence, correlations(confirmation.fixed_looks, math.inf))
