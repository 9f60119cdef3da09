"""The poster's observations in the federation at hand: from what the store has, and nothing runs for them.

Made of swept runs where there are some, else of searches; what is said of a pair's answer is made of
confirmations where they suffice. Each says which, how noise was dealt with, and of how many pairs it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autokd.core.records import FederationFacts, RungReport, RunRecord, TrialRecord
from autokd.core.setting import Pair, Split
from autokd.plan import ConfirmationRecipe
from autokd.recommendation.observation import Observation, over_pairs, unknown
from autokd.recommendation.observed_meetings import (
    forgetting_by_set,
    judged_models,
    position,
    swept_models,
    times_of_position,
    worths_of,
)
from autokd.recommendation.observed_settings import no_single_setting, share_that_needs_tuning, tuning_pays
from autokd.recommendation.swept import arms_of
from autokd.recommendation.verdict import Judgement


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenPair:
    """What the store has of one pair.

    Attributes:
        judgement: None if it is not tuned, or failed.
        reports: What each trial reported, by its number.
        swept: Runs of its sweep.
    """

    judgement: Judgement | None = None
    trials: Sequence[TrialRecord] = ()
    reports: Mapping[int, Sequence[RungReport]] = field(default_factory=dict)
    swept: Sequence[RunRecord] = ()


def observe(
    seen: Mapping[Pair, SeenPair], federation: FederationFacts, plan: ConfirmationRecipe, *, dataset: str
) -> tuple[Observation, ...]:
    """All observations, those that cannot be made included.

    Args:
        seen: By pair.
        federation: For the models as they are.
        plan: Confidence and resamples.
        dataset: What the federation is made of, by name.
    """
    swept = {pair: arms for pair, one in seen.items() if (arms := arms_of(one.swept))}
    judged = {pair: one.judgement for pair, one in seen.items() if one.judgement is not None}
    searched = {pair: one.trials for pair, one in seen.items() if one.trials}
    worths, source = worths_of(judged_models(judged), federation), "confirmation"
    if over_pairs({side: one.right for side, one in worths.items()}) is None and swept:
        worths, source = worths_of(swept_models(swept), federation), "sweep"
    examples = len(federation.labels[Split.VALIDATION])
    return (
        share_that_needs_tuning(swept, searched, plan, examples=examples),
        no_single_setting(swept),
        tuning_pays(swept, judged),
        position(worths, source),
        times_of_position(worths),
        forgetting_by_set(swept, searched, {pair: seen[pair].reports for pair in searched}),
        unknown(
            "other_distillation",
            "joint distillation needs careful tuning, unlike offline and online distillation",
            "autokd runs joint distillation only",
        ),
        *_of_the_poster_s_own(federation, dataset),
    )


def _of_the_poster_s_own(federation: FederationFacts, dataset: str) -> tuple[Observation, ...]:
    """Its figures themselves: nobody else knows its partition, grids and recipe."""
    networks = sorted({one.architecture for one in federation.participants})
    here = f"{len(federation.participants)} participants ({', '.join(networks)}) on {dataset}"
    return (
        unknown(
            "poster_figures",
            "its tables: gains of participants 1, 4 and 9 with ResNet-18 on CIFAR-10",
            f"here are {here}; the poster's partition, grids and training recipe are not known",
        ),
    )
