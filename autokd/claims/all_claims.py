"""The poster's claims in the federation at hand, checked on stored records alone.

They use the runs of sweeps where there are some, else of searches, and confirmations, where these suffice,
for what concerns a pair's answer. Each claim names its source, its treatment of noise and its pairs.
"""

from __future__ import annotations

from collections.abc import Mapping

from autokd.claims.claim import Claim, not_measurable, over_pairs
from autokd.claims.grid_results import arms_of
from autokd.claims.position_claims import (
    forgetting_by_set,
    judged_models,
    position,
    swept_models,
    times_of_position,
    worths_of,
)
from autokd.claims.setting_claims import no_single_setting, share_that_needs_tuning, tuning_pays
from autokd.config.study import ConfirmationConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts
from autokd.core.setting import Pair, Split
from autokd.recommendation.verdict import Judgement


def observe(
    records: Mapping[Pair, PairRecords],
    judgements: Mapping[Pair, Judgement],
    federation: FederationFacts,
    plan: ConfirmationConfig,
    *,
    dataset: str,
) -> tuple[Claim, ...]:
    """Return all claims, including those that cannot be checked here.

    Args:
        records: Stored records by pair.
        judgements: Judgements of the pairs that have one.
        federation: Its models as they are.
        plan: Confidence and resamples.
        dataset: Name of the data that the federation is made of.
    """
    swept = {pair: arms for pair, stored in records.items() if (arms := arms_of(stored.sweep_runs))}
    searched = {pair: stored.trials for pair, stored in records.items() if stored.trials}
    worths, source = worths_of(judged_models(judgements), federation), "confirmation"
    if over_pairs({side: worth.right for side, worth in worths.items()}) is None and swept:
        worths, source = worths_of(swept_models(swept), federation), "sweep"
    examples = len(federation.labels[Split.VALIDATION])
    return (
        share_that_needs_tuning(swept, searched, plan, examples=examples),
        no_single_setting(swept),
        tuning_pays(swept, judgements),
        position(worths, source),
        times_of_position(worths),
        forgetting_by_set(swept, searched, {pair: records[pair].reports for pair in searched}),
        not_measurable(
            "other_distillation",
            "joint distillation needs careful tuning, unlike offline and online distillation",
            "autokd runs joint distillation only",
        ),
        _poster_figures(federation, dataset),
    )


def _poster_figures(federation: FederationFacts, dataset: str) -> Claim:
    """Return that the poster's own figures cannot be checked: its partition, grids and recipe are unknown."""
    networks = sorted({participant.architecture for participant in federation.participants})
    here = f"{len(federation.participants)} participants ({', '.join(networks)}) on {dataset}"
    return not_measurable(
        "poster_figures",
        "its tables: gains of participants 1, 4 and 9 with ResNet-18 on CIFAR-10",
        f"here are {here}; the poster's partition, grids and training recipe are not known",
    )
