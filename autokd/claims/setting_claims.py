"""Claims of the poster about settings: most pairs need their own T and α, and no setting suits all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np
from scipy.special import ndtri

from autokd.claims.claim import SHARE, Claim, measured, not_measurable, of_more_pairs, over_pairs
from autokd.claims.grid_results import Arms, best, others_on
from autokd.config.confirmation import ConfirmationConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import TrialOrigin, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet, derive_seed, moved
from autokd.recommendation.judgement import Judgement
from autokd.statistics.paired import POINTS, paired_interval

WORTH: Final = 0.5
"""Improvement, in pp, from which T and α count as better."""


def share_that_needs_tuning(
    swept: Mapping[Pair, Arms],
    searched: Mapping[Pair, PairRecords],
    confirmation: ConfirmationConfig,
    *,
    examples: Mapping[Pair, float],
) -> Claim:
    """Check the share of pairs whose T and α matter on the default's transfer set.

    Searches are used where they show more pairs than sweeps; `examples` is the effective number of validation
    examples.
    """
    claim = partial(
        measured,
        "share_that_needs_tuning",
        "2/3 of the pairs need another T and α than the default's T = 1, α = 0.5",
        threshold=1 / 2,
        expected=2 / 3,
        unit=SHARE,
    )
    home = DEFAULT.transfer_set
    by_search = claim(
        _by_search(searched, examples),
        source="search",
        how=f"the best of k trials on {home} examples and the baseline, chosen and counted on the same "
        f"validation examples; counted where it is better by {WORTH:g} pp and by more than the best of k "
        "equally good settings would be by chance in 5% (binomial noise, as if not paired), so rather "
        "too few are; a sweep tells it better",
        lacking=f"needs swept pairs, or searched ones with several full trials on {home} examples",
    )
    if not swept:
        return by_search
    by_set: dict[TransferSet, dict[Pair, float]] = {
        transfer_set: _by_sweep(swept, transfer_set, confirmation)
        for transfer_set in (TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH)
    }
    single = any(arms[DEFAULT].correct[Split.TEST].ndim == 1 for arms in swept.values())
    by_sweep = claim(
        by_set[home],
        source="sweep",
        how=f"T and α chosen on validation among those on {home} examples; counted where on confirmation "
        f"they beat the default's by {WORTH:g} pp and the {confirmation.confidence:.0%} interval lies above 0"
        + ("; one seed, so that interval knows the noise of examples only" if single else ""),
        lacking="needs more swept pairs",
        beside={f"on {other}": values for other, values in by_set.items() if other is not home},
    )
    return of_more_pairs(by_sweep, by_search)


def no_single_setting(swept: Mapping[Pair, Arms]) -> Claim:
    """Check what each pair's own best setting gains beyond the one that is best over all pairs."""
    key, statement = "no_single_setting", "no single setting is the best for all pairs"
    common = set.intersection(*map(set, swept.values())) if swept else set()
    if not common:
        return not_measurable(key, statement, "needs swept pairs (autokd sweep)")
    means = {
        setting: float(np.mean([arms[setting].accuracy(Split.VALIDATION) for arms in swept.values()]))
        for setting in common
    }
    single = max(common, key=lambda setting: (means[setting], str(setting)))
    return measured(
        key,
        statement,
        {pair: _gain(arms, best(arms, among=common), beyond=single) for pair, arms in swept.items()},
        source="sweep",
        how=f"each pair's own best setting minus {single}, the best over all pairs; both chosen on "
        "validation, told on test",
        lacking="needs more swept pairs",
    )


def tuning_pays(swept: Mapping[Pair, Arms], judged: Mapping[Pair, Judgement]) -> Claim:
    """Check what the setting found gains beyond the default."""
    source, how = "confirmation", "the race's winner minus the default, fresh seeds, on test"
    values = {
        pair: 0.0 if judgement.test.improvement is None else judgement.test.improvement.mean
        for pair, judgement in judged.items()
    }
    if over_pairs(values) is None and swept:
        source, how = "sweep", "the best setting, chosen on validation, minus the default, on test"
        values = {pair: _gain(arms, best(arms, among=arms), beyond=DEFAULT) for pair, arms in swept.items()}
    return measured(
        "tuning_pays",
        "appropriate tuning improves the gain significantly",
        values,
        source=source,
        how=how,
        lacking="needs more tuned or swept pairs",
    )


def _gain(arms: Arms, chosen: Setting, *, beyond: Setting) -> float:
    return POINTS * (arms[chosen].accuracy(Split.TEST) - arms[beyond].accuracy(Split.TEST))


def _by_sweep(
    swept: Mapping[Pair, Arms], transfer_set: TransferSet, confirmation: ConfirmationConfig
) -> dict[Pair, float]:
    """Return 1 for each pair whose T and α matter on a transfer set, else 0."""
    matters = {}
    for pair, arms in swept.items():
        default = arms.get(moved(DEFAULT, transfer_set))
        others = others_on(arms, transfer_set)
        if default is None or not others:
            continue
        difference = paired_interval(
            arms[best(arms, among=others)].correct[Split.CONFIRMATION],
            default.correct[Split.CONFIRMATION],
            confidence=confirmation.confidence,
            resamples=confirmation.resamples,
            seed=derive_seed("observations", str(pair), transfer_set.value),
            weights=default.weights.of(Split.CONFIRMATION),
        )
        matters[pair] = float(difference.mean >= WORTH and difference.low > 0)
    return matters


def _by_search(searched: Mapping[Pair, PairRecords], examples: Mapping[Pair, float]) -> dict[Pair, float]:
    """Return the same from trials, for the pairs with another full trial on the default's transfer set."""
    matters = {}
    for pair, records in searched.items():
        full = [
            trial
            for trial in records.trials
            if trial.state is TrialState.COMPLETE and trial.setting.transfer_set is DEFAULT.transfer_set
        ]
        baseline = next((trial.accuracy for trial in full if trial.role is TrialOrigin.BASELINE), None)
        others = [trial.accuracy or 0.0 for trial in full if trial.setting != DEFAULT]
        if baseline is None or not others:
            continue
        variance = sum(share * (1 - share) for share in (baseline, max(others))) / examples[pair]
        chance = float(ndtri(1 - 0.05 / len(others))) * math.sqrt(variance)
        matters[pair] = float(max(others) - baseline >= max(WORTH / POINTS, chance))
    return matters
