"""What the settings have in common over all pairs: which are best, what matters, and what is forgotten."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autokd.core.records import RunState, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet
from autokd.recommendation import Verdict
from autokd.recommendation.race import alike
from autokd.report.facts.means import Mean, mean_over_pairs
from autokd.report.material import Material, PairMaterial

LEVELS: Final = 5
"""A continuous dimension is cut into as many equally full parts to see how much it matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """How many of the chosen settings lie in a part of a dimension.

    Attributes:
        counts: By transfer set; those that occur in no bin are absent.
    """

    label: str
    counts: Mapping[TransferSet, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFacts:
    """The setting that the race chose, pair by pair.

    Attributes:
        chosen: By pair; pairs in which the default stands alone are absent.
        temperatures: By the nearest power of two, from the lowest chosen to the highest.
        alphas: In fifths; 0, which uses no teacher, stands alone, and so does `public`, which has no α.
        other: Of `chosen`, pairs whose T or α differs from the default's.
        tuned: Pairs of which it is shown that the chosen setting beats the default.
        judged: All pairs that have a verdict.
    """

    chosen: Mapping[Pair, Setting]
    temperatures: tuple[Bin, ...]
    alphas: tuple[Bin, ...]
    other: int
    tuned: int
    judged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much of the accuracy's variance a dimension explains by itself.

    Attributes:
        share: In [0, 1]; see `importance`.
        levels: Of the dimension.
    """

    dimension: str
    share: float
    levels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceFacts:
    """Of each dimension that varied, most important first.

    Attributes:
        runs: On how many runs this rests, of how many pairs.
        swept: Whether they are the sweep's, which tries every setting alike, or the search's.
    """

    dimensions: tuple[Importance, ...]
    runs: int
    pairs: int
    swept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What the search's trials that ran to the end forgot on one transfer set, in pp on validation.

    Attributes:
        trials: How many.
        quantiles: Least, quarter, half, three quarters, most, over trials.
        mean: Over pairs, each counting once.
    """

    transfer_set: TransferSet
    trials: int
    quantiles: tuple[float, float, float, float, float]
    mean: Mean


def best_facts(material: Material) -> BestFacts:
    """What the race chose, whatever the verdict on it was."""
    found = material.found
    chosen = {
        pair: one.judgement.evidence.winner.setting
        for pair, one in found.items()
        if one.judgement is not None and one.judgement.evidence.winner is not None
    }
    return BestFacts(
        chosen=chosen,
        temperatures=_temperatures(list(chosen.values())),
        alphas=_alphas(list(chosen.values())),
        other=sum(_differs(setting) for setting in chosen.values()),
        tuned=sum(one.verdict is Verdict.TUNED for one in found.values()),
        judged=len(found),
    )


def importance(material: Material) -> ImportanceFacts:
    """The share of the variance within pairs that each dimension explains alone.

    Accuracies on validation are taken relative to their pair's mean, so good students count as bad ones do.
    Between the levels of a dimension lies the share ε² = (between - (k - 1)·w) / total of their squares, with
    w the mean square within levels, k levels, and one degree of freedom less for each pair; below 0 it is 0
    (Kelley 1935, "An unbiased correlation ratio measure"). What dimensions explain only together is in no
    share. Of searched pairs only trials that ran to the end count; a search looks more often where it
    is good, so its shares are those of what it tried.
    """
    swept = {one.pair: _swept(one) for one in material.pairs}
    from_sweep = any(swept.values())
    samples = swept if from_sweep else {one.pair: _searched(one) for one in material.pairs}
    enough = {pair: runs for pair, runs in samples.items() if len(runs) > 1}
    settings = [setting.values() for runs in enough.values() for setting, _ in runs]
    relative = [
        accuracy - float(np.mean([value for _, value in runs]))
        for runs in enough.values()
        for _, accuracy in runs
    ]
    shares = [
        Importance(
            dimension=name,
            levels=len(set(levels)),
            share=explained(levels, relative, groups=len(enough)),
        )
        for name in DEFAULT.values()
        for levels in [_levels([setting[name] for setting in settings])]
        if len(set(levels)) > 1
    ]
    return ImportanceFacts(
        dimensions=tuple(sorted(shares, key=lambda one: -one.share)),
        runs=len(relative),
        pairs=len(enough),
        swept=from_sweep,
    )


def explained(levels: Sequence[Hashable], values: Sequence[float], *, groups: int) -> float:
    """ε² of one dimension, in [0, 1].

    Args:
        levels: Of each run.
        values: Of each run, relative to the mean of its group.
        groups: Whose means were taken away.
    """
    found = np.asarray(values, dtype=np.float64)
    total = float((found**2).sum())
    by_level = {level: found[[one == level for one in levels]] for level in set(levels)}
    between = sum(len(part) * float(part.mean()) ** 2 for part in by_level.values())
    extra = len(by_level) - 1
    freedom = len(found) - groups - extra
    if total == 0 or freedom <= 0:
        return 0.0
    return max(0.0, (between - extra * (total - between) / freedom) / total)


def forgotten(material: Material) -> tuple[Forgotten, ...]:
    """By transfer set, in their order; those without a trial are absent."""
    lost: dict[TransferSet, dict[Pair, list[float]]] = {}
    for one in material.pairs:
        for trial in one.records.trials:
            reports = one.records.reports.get(trial.number)
            if trial.state is TrialState.COMPLETE and reports:
                of_pairs = lost.setdefault(trial.setting.transfer_set, {})
                of_pairs.setdefault(one.pair, []).append(reports[-1].forgetting)
    facts = []
    for transfer_set in TransferSet:
        pairs = lost.get(transfer_set, {})
        mean = mean_over_pairs(
            {pair: float(np.mean(values)) for pair, values in pairs.items()}, material.plan
        )
        if mean is not None:
            values = [value for found in pairs.values() for value in found]
            least, quarter, half, most_of, most = map(float, np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
            facts.append(
                Forgotten(
                    transfer_set=transfer_set,
                    trials=len(values),
                    quantiles=(least, quarter, half, most_of, most),
                    mean=mean,
                )
            )
    return tuple(facts)


def _temperatures(settings: Sequence[Setting]) -> tuple[Bin, ...]:
    powers = [round(math.log2(setting.temperature)) for setting in settings]
    return tuple(
        _bin(f"{2.0**power:g}", settings, [one == power for one in powers])
        for power in range(min(powers, default=0), max(powers, default=-1) + 1)
    )


def _alphas(settings: Sequence[Setting]) -> tuple[Bin, ...]:
    alphas = [setting.alpha for setting in settings]
    bins = [_bin("0", settings, [alpha == 0 for alpha in alphas])]
    for low, high in pairwise((0.0, 0.2, 0.4, 0.6, 0.8, 1.0)):
        inside = [alpha is not None and low < alpha <= high for alpha in alphas]
        bins.append(_bin(f"≤ {high:g}", settings, inside))
    bins.append(_bin("none", settings, [alpha is None for alpha in alphas]))
    return tuple(bins) if settings else ()


def _bin(label: str, settings: Sequence[Setting], inside: Sequence[bool]) -> Bin:
    there = [setting.transfer_set for setting, within in zip(settings, inside, strict=True) if within]
    return Bin(
        label=label,
        counts={
            one: there.count(one)
            for one in TransferSet
            if any(setting.transfer_set is one for setting in settings)
        },
    )


def _differs(setting: Setting) -> bool:
    """In T or α, whatever the transfer set; without a teacher α differs and T has no effect."""
    if setting.alpha is None or DEFAULT.alpha is None:
        return True
    return not alike(Setting(setting.temperature, setting.alpha, DEFAULT.transfer_set), DEFAULT)


def _searched(one: PairMaterial) -> list[tuple[Setting, float]]:
    return [
        (trial.setting, trial.accuracy)
        for trial in one.records.trials
        if trial.state is TrialState.COMPLETE and trial.accuracy is not None
    ]


def _swept(one: PairMaterial) -> list[tuple[Setting, float]]:
    return [
        (run.setting, run.accuracy(Split.VALIDATION))
        for run in one.records.sweep_runs
        if run.state is RunState.COMPLETE
    ]


def _levels(values: Sequence[Any]) -> list[Hashable]:
    """Values as they are where there are few of them; else which part of the numbers each lies in."""
    numbers = sorted(value for value in values if isinstance(value, int | float))
    if len(set(values)) <= LEVELS + 1 or not numbers:
        return list(values)
    if len(set(numbers)) <= LEVELS + 1:
        return list(values)
    cuts: NDArray[np.float64] = np.quantile(numbers, np.arange(1, LEVELS) / LEVELS)
    return [
        int(np.searchsorted(cuts, value, side="right")) if isinstance(value, int | float) else value
        for value in values
    ]
