"""Why a pair has its verdict, or none yet, in one sentence."""

from __future__ import annotations

from autokd.config.study import StudyConfig
from autokd.config.target import BALANCED
from autokd.core.pair_records import PairRecords
from autokd.core.setting import described
from autokd.core.verdict_basis import DEFAULT_BUDGET
from autokd.recommendation.comparisons import BEYOND_BUDGET, CORRECTED_GAIN
from autokd.recommendation.evidence import InsufficientEvidence
from autokd.recommendation.interim_looks import OutOfBudget
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.verdict import Verdict


def unjudged(judged: InsufficientEvidence | OutOfBudget, records: PairRecords) -> str:
    """Return why there is no judgement."""
    winner = None if records.basis is None else records.basis.winner
    if isinstance(judged, InsufficientEvidence) or winner is None:
        return judged.reason
    return f"{judged.reason}; the search would try {described(winner)}"


def reason(judgement: Judgement, config: StudyConfig) -> str:
    """Return why this verdict, in one sentence with numbers of the confirmation split."""
    figures, winner = judgement.decisive, judgement.evidence.winner
    objective = judgement.aims.objective
    gains = f"the default gains {figures.default_gain}"
    if winner is None:
        gains += "; no other setting came through confirmation"
    else:
        first = f"{described(winner.setting)} gains {figures.winner_gain}"
        gains = f"{first}, {gains}, difference {figures.improvement}"
        if figures.teacher_part is not None:
            gains += f"; {figures.teacher_part} of it is the teacher's"
    gains += _beside(judgement)
    if judgement.verdict is Verdict.SKIP:
        gains += f"; {config.confirmation.min_improvement:g} pp would be worth it"
    lost = judgement.evidence.default.diverged + (0 if winner is None else winner.diverged)
    if lost:
        gains += f"; {lost} runs diverged and count as no gain"
    where = "on confirmation" if judgement.aims.is_gain else f"by {objective} on confirmation"
    if config.target == BALANCED:
        where = f"by balanced accuracy, {where}"
    elif config.target != "common":
        where = f"on the target distribution, {where}"
    return f"{where}: {gains}{_rejected(judgement)}"


def _beside(judgement: Judgement) -> str:
    """Return what else had to be beaten, in words."""
    figures, words = judgement.decisive.intervals, ""
    if judgement.budget_only:
        words += "; it differs from the default in its budget only"
    elif DEFAULT_BUDGET in judgement.evidence.lost:
        words += "; the runs of the default at its budget failed, so it is not shown to be beaten"
    elif (beyond := figures.get(BEYOND_BUDGET)) is not None:
        rival = judgement.evidence.rivals[DEFAULT_BUDGET].setting
        words += f"; difference {beyond} to the default at its budget{rival.more}"
    if (corrected := figures.get(CORRECTED_GAIN)) is not None:
        words += f"; the own model without its label prior gains {corrected}"
    return words


def _rejected(judgement: Judgement) -> str:
    """Return the arms that the study's constraints rule out, in words; empty if none."""
    check, winner = judgement.forgotten, judgement.evidence.winner
    if check is None:
        return ""
    arms = [("the default", check.default, check.default_allowed)]
    if winner is not None and check.winner is not None:
        arms.insert(0, (described(winner.setting), check.winner, check.winner_allowed))
    return "".join(
        f"; {arm} is rejected: it forgets {forgotten}, and {check.limit:g} pp are allowed"
        for arm, forgotten, allowed in arms
        if not allowed
    )
