"""The alternatives to the recommended setting, and the runs that comparing with them takes.

| alternative | what it is |
|---|---|
| as it is | the student's own model, unchanged |
| partner | the teacher's model, adopted unchanged |
| average | the mean of both models' probabilities, nothing trained |
| corrected | each of these three with label priors divided out, nothing trained |
| default | T = 1, α = 0.5, on each transfer set that may be used |
| learning rate | the default with the best of a few learning rates, chosen on validation |
| cross-entropy | the same examples, budget and label prior without the teacher (α = 0) |
| adjusted | the adjusted loss without a teacher, on each labelled transfer set that may be used |
| elsewhere | the best setting over all pairs without either participant |
| validation | fine-tuning on the labelled validation split, which the search could use as well |

Where a study searches budgets, the winner chose its own on validation. So the alternatives have the budgets
that the same surrogate believed to be best for them (`VerdictBasis.alternatives`): the default, cross-entropy
and the adjusted loss on each transfer set, and no further learning rates. `corrected` and `adjusted` are
compared in studies of rule 3 only.

An alternative that is trained runs with the seeds of the confirmation, so that both are paired, and is
evaluated on the same splits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.records import RunRecord, Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import (
    DEFAULT,
    LabelPrior,
    Pair,
    Setting,
    Split,
    TransferSet,
    moved,
    plain,
    unassisted,
    untaught,
)
from autokd.explanation.best_elsewhere import BestAverageSetting
from autokd.recommendation.race import race_runs, race_seeds

RATES: Final = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Learning rates that the default is tried with, as multiples of the recipe's."""
_UNASSISTED: Final = (
    (LabelPrior.NONE, "cross_entropy", "cross-entropy on"),
    (LabelPrior.ADJUSTED, "adjusted", "adjusted cross-entropy on"),
)
ON_VALIDATION: Final = Setting(temperature=1.0, alpha=0.0, transfer_set=TransferSet.VALIDATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPair:
    """A pair with the setting to compare, and the facts that decide its alternatives.

    Attributes:
        setting: Setting that is compared with the alternatives.
        confirmed: Settings that have confirmation runs.
        seeds: Seed indices of the confirmation.
        transfer_sets: Transfer sets that may be used.
        learning_rate: Learning rate of the recipe.
        rate_seeds: Number of seeds with which each learning rate runs in the choice.
        retries: Number of retries of a run that failed for lack of infrastructure.
        elsewhere: Best setting over other pairs; None if there is none to choose from.
        weights: Weights of the examples on the target distribution of the pair's student.
        with_priors: Whether alternatives that correct label priors are compared, as by rule 3.
        budgets: Alternatives at budgets of their own, by their names (see `RivalChoice.alternatives`); empty
            if none are searched.
    """

    pair: Pair
    setting: Setting
    confirmed: tuple[Setting, ...]
    seeds: tuple[int, ...]
    transfer_sets: tuple[TransferSet, ...]
    learning_rate: float
    rate_seeds: int
    retries: int
    elsewhere: BestAverageSetting | None = None
    weights: ExampleWeights = EVEN
    with_priors: bool = False
    budgets: Mapping[str, Setting] = field(default_factory=dict)


class Trained(NamedTuple):
    """An alternative that is trained; `key` is its name in JSON, `words` its name for people."""

    key: str
    words: str
    setting: Setting
    note: str = ""


def trained(compared: ComparedPair, rate: Setting | None) -> tuple[Trained, ...]:
    """Return the trained alternatives; `rate` is the default with the chosen learning rate, if known."""
    alternatives = [Trained("default", "the default", DEFAULT)]
    alternatives += [
        _on(compared, "default", "the default on", moved(DEFAULT, transfer_set))
        for transfer_set in compared.transfer_sets
        if transfer_set is not DEFAULT.transfer_set
    ]
    if rate is not None:
        factor = 1.0 if rate.learning_rate is None else rate.learning_rate / compared.learning_rate
        alternatives.append(Trained("default_learning_rate", f"the default, rate ×{factor:.3g}", rate))
    if compared.setting.alpha is not None:
        adjusted = "" if compared.setting.label_prior is LabelPrior.NONE else "adjusted "
        words = f"{adjusted}cross-entropy only on {compared.setting.transfer_set}"
        alternatives.append(Trained("cross_entropy", words, untaught(compared.setting)))
    labelled = [each for each in compared.transfer_sets if each is not TransferSet.PUBLIC]
    for prior, key, words in _UNASSISTED:
        alternatives += [
            _on(compared, key, words, unassisted(examples, prior))
            for examples in labelled
            if compared.budgets or (compared.with_priors and prior is LabelPrior.ADJUSTED)
        ]
    if (best := compared.elsewhere) is not None:
        note = f"{best.setting}, ran on {best.pairs} of {best.known} pairs without either participant"
        note += f", {best.gain:+.1f} pp there on validation"
        alternatives.append(Trained("elsewhere", "best setting of other pairs", best.setting, note))
    note = "the labelled examples that the search chose on; never judged on them"
    alternatives.append(Trained("validation", "fine-tuning on validation", ON_VALIDATION, note))
    return tuple(alternatives)


def _on(compared: ComparedPair, name: str, words: str, setting: Setting) -> Trained:
    """Return an alternative on some transfer set, at a budget of its own if it has one."""
    key, examples = f"{name}_on_{setting.transfer_set}", setting.transfer_set
    chosen = compared.budgets.get(key, setting)
    own = f"at its best budget{chosen.more}" if key in compared.budgets else ""
    return Trained(key, f"{words} {examples}", chosen, own)


def wanted(
    compared: ComparedPair, runs: Sequence[RunRecord], *, steps: Sequence[Setting] = ()
) -> tuple[RunSpec, ...]:
    """Return all runs of the alternatives that are known to be needed, done or not, most urgent first.

    Runs that the confirmation has are left out. `runs`, those that ended so far, decide which learning rate
    is repeated with more seeds; `steps` are the settings between the default and `compared.setting`.
    """
    choosing = [
        RunSpec(compared.pair, setting, seed, Stage.RACE)
        for seed in race_seeds(compared.rate_seeds)
        for setting in rates(compared)
    ]
    if compared.budgets:
        choosing = []
    settings = [each.setting for each in trained(compared, chosen_rate(compared, runs))]
    return (*choosing, *repeated(compared, [*settings, *steps]))


def repeated(compared: ComparedPair, settings: Sequence[Setting]) -> tuple[RunSpec, ...]:
    """Return a run of each setting with each seed, seed by seed, without settings that were confirmed."""
    confirmed = set(map(plain, compared.confirmed))
    missing = [setting for setting in dict.fromkeys(map(plain, settings)) if setting not in confirmed]
    return tuple(
        RunSpec(compared.pair, setting, seed, Stage.RIVAL) for seed in compared.seeds for setting in missing
    )


def rates(compared: ComparedPair) -> tuple[Setting, ...]:
    """Return the default with each learning rate."""
    return tuple(
        DEFAULT if factor == 1 else replace(DEFAULT, learning_rate=factor * compared.learning_rate)
        for factor in RATES
    )


def chosen_rate(compared: ComparedPair, runs: Sequence[RunRecord]) -> Setting | None:
    """Return the default with the learning rate that has the best mean validation accuracy.

    A rate drops out if one of its runs failed for good, for instance because it diverged. The lower rate wins
    a tie. None while the choice is not made, if no rate is left, and where budgets are searched.
    """
    if compared.budgets:
        return None
    seeds = race_seeds(compared.rate_seeds)
    races = {setting: race_runs(runs, setting, seeds, compared.retries) for setting in rates(compared)}
    if None in races.values():
        return None

    def accuracy(setting: Setting) -> float:
        return math.fsum(run.accuracy(Split.VALIDATION, compared.weights) for run in races[setting] or ())

    return max((setting for setting, race in races.items() if race), key=accuracy, default=None)
