"""Fixes what the verdict of a pair rests on, once its search is over: winner or race, looks, priors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.price import Prices
from autokd.core.records import TrialState
from autokd.core.setting import DEFAULT, Setting, Split
from autokd.core.verdict_basis import Belief, VariancePrior, VarianceSample, VerdictBasis
from autokd.recommendation.comparisons import IMPROVEMENT
from autokd.recommendation.race import alike, candidates
from autokd.recommendation.ties import cheapest_of_the_best
from autokd.recommendation.verdict import WITH_RIVALS
from autokd.search.ending import Outlook, Prospects, posterior_draws
from autokd.search.gaussian_process import Posterior
from autokd.search.rivals import RivalChoice
from autokd.statistics.looks import confidence_of_each, correlations
from autokd.statistics.moderation import variance_prior

_FIRST_SHARE: Final = 0.9
"""Share of the error that the first verdict of a pair may use; the rest is for those after extensions."""
_SAFETY: Final = 1.5
"""Factor on the seeds' share of the noise: the larger it is, the less alike looks are taken to be."""
_FEWEST_ALONE: Final = 3
"""Fewest seeds of a look where other pairs show nothing yet: two seeds hardly show how they vary."""
_LIKELY: Final = 0.1
"""Probability of being better by `min_improvement` with which a setting is in the race."""


def needs_basis(config: StudyConfig, records: PairRecords) -> bool:
    """Return whether what the verdict rests on is to be fixed now, for a pair whose search is over."""
    if records.rule == 1 or not any(trial.state is TrialState.COMPLETE for trial in records.baselines):
        return False
    basis = records.basis
    return (
        basis is None
        or len(records.trials) > basis.trials
        or config.search.bounds.beyond(basis.search)
        or config.confirmation.looks[-1] > basis.looks[-1]
    )


def fix_basis(
    config: StudyConfig,
    records: PairRecords,
    *,
    ended: str,
    seen: Prospects | None,
    offset: float,
    others: Mapping[str, Sequence[VarianceSample]],
    prices: Prices | None = None,
    choice: RivalChoice | None = None,
) -> tuple[VerdictBasis, ...]:
    """Return all that the pair's verdicts rest on, the one that holds from now on last.

    An extended pair whose winner and looks stay the same keeps its verdict, with its rivals, unless these
    have become too weak to be fair (`RivalChoice.outdates`). Otherwise the next verdict is a further look at
    the same question, and uses its own part of the error.

    Args:
        ended: Why the search ended.
        seen: What the surrogate believes; None if the sampler has no surrogate.
        offset: What to add to a gain to make it a value on validation, in pp.
        others: Noise of the comparisons of other pairs, by comparison.
        prices: What runs of the pair cost; None if that is not known.
        choice: What the rivals of rule 3 are chosen from; None for no rivals.
    """
    before = records.basis
    winner, race = _winner_or_race(config, records, seen, offset, prices)
    priors = {name: prior for name, samples in others.items() if (prior := variance_prior(samples))}
    looks = planned_looks(config.confirmation, alone=not priors)
    bounds = config.search.bounds
    winners = race.settings if race is not None else () if winner is None else (winner,)
    if records.rule < WITH_RIVALS:
        choice = None
    fair = before is None or choice is None or not winners or not choice.outdates(before.rivals, winners)
    if before is not None and fair and _same(before, winner, race) and looks[-1] <= before.looks[-1]:
        kept = replace(before, trials=len(records.trials), search=bounds, ended=ended)
        return (*records.bases[:-1], kept)
    extension = 0 if before is None else before.extension + 1
    share = seed_share(priors, others)
    rivals, alternatives = {}, {}
    if choice is not None:
        rivals, alternatives = choice.rivals(winners) if winners else {}, choice.alternatives()
    basis = VerdictBasis(
        trials=len(records.trials),
        search=bounds,
        ended=ended,
        winner=winner,
        race=race,
        looks=looks,
        confidence=confidence_of_each(
            1 - error_of(config.confirmation, extension), correlations(looks, share)
        ),
        seed_share=share,
        priors=priors,
        extension=extension,
        rivals=rivals,
        alternatives=alternatives,
    )
    return (*records.bases, basis)


def promise(seen: Prospects | None) -> float:
    """Return what the best known setting is expected to gain beyond default and as-is, in pp."""
    if seen is None or not seen.known.any():
        return 0.0
    default = seen.settings.index(DEFAULT) if DEFAULT in seen.settings else None
    beaten = 0.0 if default is None else max(0.0, float(seen.posterior.mean[default]))
    return float(seen.posterior.mean[seen.known].max()) - beaten


def why_ended(
    config: StudyConfig,
    records: PairRecords,
    view: Outlook | None,
    *,
    exhausted: bool = False,
    closed: bool = False,
) -> str:
    """Return why a search has ended, in one sentence."""
    tried = len({trial.setting for trial in records.trials})
    after = f"search ended after {tried} settings"
    if view is not None and view.ends:
        sure = math.floor(100 * view.sure)
        return f"{after}: with {sure}% no other setting gains {view.epsilon:.1f} pp more"
    if closed:
        return f"{after}: the budget has no room for more"
    if exhausted:
        return f"{after}: these are all that the space has"
    return f"{after}: its {config.search.trials} trials are used up"


def planned_looks(confirmation: ConfirmationConfig, *, alone: bool) -> tuple[int, ...]:
    """Return the looks of a pair."""
    looks = confirmation.looks
    return tuple(seeds for seeds in looks if not alone or seeds >= min(_FEWEST_ALONE, looks[-1]))


def error_of(confirmation: ConfirmationConfig, extension: int) -> float:
    """Return the part of the error that one verdict of a pair may use; all parts add up to the whole."""
    whole = 1 - confirmation.confidence
    return whole * (_FIRST_SHARE if extension == 0 else (1 - _FIRST_SHARE) / 2**extension)


def _same(before: VerdictBasis, winner: Setting | None, race: Belief | None) -> bool:
    settings = None if race is None else set(race.settings)
    return before.winner == winner and settings == (
        None if before.race is None else set(before.race.settings)
    )


def seed_share(priors: Mapping[str, VariancePrior], others: Mapping[str, Sequence[VarianceSample]]) -> float:
    """Return the variance between seeds as a multiple of the examples' part, on the safe side."""
    name = f"{Split.CONFIRMATION.value}/{IMPROVEMENT}"
    if name not in priors:
        return math.inf
    examples = float(np.mean([sample.examples for sample in others[name]]))
    return _SAFETY * priors[name].variance / examples if examples > 0 else math.inf


def _winner_or_race(
    config: StudyConfig, records: PairRecords, seen: Prospects | None, offset: float, prices: Prices | None
) -> tuple[Setting | None, Belief | None]:
    """Return the setting to judge, or those that a race decides between.

    Where no race does, it is the cheapest of those believed to be within `min_improvement` of the best.
    """
    if seen is None:
        return next(iter(candidates(config, records.trials)), None), None
    known = np.flatnonzero(seen.known)
    if not known.size:
        return None, None
    order = known[np.argsort(-seen.posterior.mean[known], kind="stable")]
    if alike(seen.settings[order[0]], DEFAULT):
        return None, None
    field = _field(config.confirmation, seen, order)
    if len(field) > 1 and race_worth(config.confirmation, seen, field) >= config.confirmation.min_improvement:
        return None, Belief(
            settings=tuple(seen.settings[place] for place in field),
            mean=tuple(float(seen.posterior.mean[place]) + offset for place in field),
            covariance=tuple(
                tuple(map(float, row)) for row in seen.posterior.covariance[np.ix_(field, field)]
            ),
            noise=seen.noise,
            prices=_prices(prices, [seen.settings[place] for place in field]),
        )
    tried = [seen.settings[place] for place in order]
    cheap = cheapest_of_the_best(
        seen.posterior.mean[order].tolist(),
        _prices(prices, tried),
        within=config.confirmation.min_improvement,
    )
    return None if alike(tried[cheap], DEFAULT) else tried[cheap], None


def _prices(prices: Prices | None, settings: Iterable[Setting]) -> tuple[int, ...]:
    return () if prices is None else tuple(map(prices.of_run, settings))


def _field(confirmation: ConfirmationConfig, seen: Prospects, order: NDArray[np.intp]) -> list[int]:
    """Return the places of the settings that may well be better than the best one by `min_improvement`."""
    draws = posterior_draws(seen.posterior, seed=0)
    chosen = [int(order[0])]
    for place in order[1:]:
        setting = seen.settings[place]
        if any(alike(setting, other) for other in (DEFAULT, *(seen.settings[place] for place in chosen))):
            continue
        better = draws[:, place] - draws[:, order[0]] > confirmation.min_improvement
        if better.mean() >= _LIKELY and len(chosen) < confirmation.candidates:
            chosen.append(int(place))
    return chosen


def race_worth(confirmation: ConfirmationConfig, seen: Prospects, field: Sequence[int]) -> float:
    """Return how much the expected gain of the choice rises by a race, in pp.

    After n runs of each setting the means move by K(K + noise/n)⁻¹K, whatever the runs will be; the choice is
    then the largest of the moved means.
    """
    covariance = seen.posterior.covariance[np.ix_(field, field)]
    noise = seen.noise / confirmation.race_seeds * np.eye(len(field))
    moved = covariance @ np.linalg.solve(covariance + noise, covariance)
    mean = seen.posterior.mean[list(field)]
    draws = posterior_draws(Posterior(mean, moved), seed=1)
    return float(draws.max(axis=1).mean() - mean.max())
