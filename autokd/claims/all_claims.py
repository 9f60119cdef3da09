"""The poster's claims in the federation at hand, checked on stored records alone.

They use the runs of sweeps where there are some, else of searches, and confirmations, where these suffice,
for what concerns a pair's answer. Each claim names its source, its treatment of noise and its pairs.
"""

from __future__ import annotations

from collections.abc import Mapping

from autokd.claims import position_claims, setting_claims
from autokd.claims.claim import Claim, not_measurable
from autokd.claims.grid_results import arms_of
from autokd.config.confirmation import ConfirmationConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts
from autokd.core.setting import Pair, Split
from autokd.recommendation.judgement import Judgement


def observe(
    records: Mapping[Pair, PairRecords],
    judgements: Mapping[Pair, Judgement],
    federation: FederationFacts,
    confirmation: ConfirmationConfig,
    *,
    dataset: str,
) -> tuple[Claim, ...]:
    """Return all claims, including those that cannot be checked here.

    Args:
        records: Records of each pair in the store.
        judgements: Judgements of the pairs that have one.
        federation: The models as they are.
        confirmation: Confidence and resamples.
        dataset: Name of the data that the federation is made of.
    """
    swept = {pair: arms for pair, stored in records.items() if (arms := arms_of(stored))}
    searched = {pair: stored for pair, stored in records.items() if stored.trials}
    networks = ", ".join(sorted({participant.architecture for participant in federation.participants}))
    validation = len(federation.labels[Split.VALIDATION])
    examples = {
        pair: stored.weights.effective(Split.VALIDATION, validation) for pair, stored in searched.items()
    }
    worths, source = position_claims.measured_worths(judgements, swept, federation)
    return (
        setting_claims.share_that_needs_tuning(swept, searched, confirmation, examples=examples),
        setting_claims.no_single_setting(swept),
        setting_claims.tuning_pays(swept, judgements),
        position_claims.position(worths, source),
        position_claims.times_of_position(worths),
        position_claims.forgetting_by_set(swept, searched),
        not_measurable(
            "other_distillation",
            "joint distillation needs careful tuning, unlike offline and online distillation",
            "autokd runs joint distillation only",
        ),
        not_measurable(
            "poster_figures",
            "its tables: gains of participants 1, 4 and 9 with ResNet-18 on CIFAR-10",
            f"here are {len(federation.participants)} participants ({networks}) on {dataset}; the poster's "
            "partition, grids and training recipe are not known",
        ),
    )
