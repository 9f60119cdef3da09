"""What the runs of a pair cost in a search space, as work in runs, epochs and training examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final

from autokd.config.search import rungs_of
from autokd.config.space import Space
from autokd.config.study import StudyConfig
from autokd.core.price import Load, Prices, largest_load, mean_load
from autokd.core.records import FederationFacts, RunRecord, TrialRecord, TrialState
from autokd.core.setting import BUDGET, DEFAULT, AnyPair, Setting, TransferSet
from autokd.recommendation.verdict import WITH_RIVALS
from autokd.search.asha import is_exempt

_PRIOR: Final = 4
"""Weight of the recipe's expectation, in observations."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Costs of the runs of one pair.

    Attributes:
        prices: What a run costs.
        transfer_sets: Transfer sets of the space, each as likely in a trial that is not known yet.
        budgets: Epochs that a trial may have, each as likely.
        searches_budgets: Whether the space has a dimension of the budget, so that the default may have one of
            its own.
    """

    prices: Prices
    transfer_sets: tuple[TransferSet, ...]
    budgets: tuple[int, ...]
    searches_budgets: bool = False

    @classmethod
    def of_pair(cls, config: StudyConfig, space: Space, federation: FederationFacts, pair: AnyPair) -> Costs:
        """Return the costs of a pair of a federation that was loaded, as it is where runs are done."""
        prices = Prices.of_pair(federation, pair, epochs=config.distillation.epochs)
        assert prices is not None, "a federation that is trained in knows its public examples"
        return cls(
            prices=prices,
            transfer_sets=space.transfer_set,
            budgets=space.budgets(config),
            searches_budgets=any(name in space.dimensions for name in BUDGET),
        )

    def of(self, setting: Setting) -> Load:
        """Return the cost of a run that is not stopped early."""
        return self.prices.load(setting)

    def spent(self, runs: Iterable[TrialRecord | RunRecord]) -> Load:
        """Return the cost of trials and runs as far as they came."""
        return sum((self.prices.load(run.setting, run.epochs) for run in runs), Load())

    @cached_property
    def default(self) -> Load:
        """Cost of a run of the default setting."""
        return self.of(DEFAULT)

    @cached_property
    def usual(self) -> Load:
        """Cost of a run of a setting that is not known yet, if it is not stopped early."""
        return mean_load([self._trained(examples, budget) for examples, budget in self._kinds()])

    @cached_property
    def largest(self) -> Load:
        """The most that a trial may cost."""
        return largest_load(self._trained(examples, budget) for examples, budget in self._kinds())

    def arms(self, rule: int, winner: Setting | None) -> Load:
        """Return the expected cost of one seed of the arms of a confirmation.

        By rule 3 most winners have a rival without a teacher, on the same examples, and where budgets are
        searched the default has one at a budget of its own; both are taken to train as long as the winner.
        """
        best = self.usual if winner is None else self.of(winner)
        longer = Load(1, best.epochs, best.epochs * self.prices.student)
        return self.default + self._beside(rule, best, longer)

    def most_arms(self, rule: int) -> Load:
        """Return the most that one seed of the arms of a confirmation costs."""
        longest = self._trained(DEFAULT.transfer_set, self.budgets[-1])
        return self.default + self._beside(rule, self.largest, longest)

    def _beside(self, rule: int, winner: Load, longer_default: Load) -> Load:
        if rule < WITH_RIVALS:
            return winner
        return winner * 2 + longer_default if self.searches_budgets else winner * 2

    def of_a_trial(self, config: StudyConfig, trials: Iterable[TrialRecord]) -> Load:
        """Return the expected cost of a trial that may be stopped early.

        It is the recipe's expectation (1/`reduction` of the trials at a rung continue), averaged with the
        trials that have ended.
        """
        expected = {budget: expected_epochs(config, budget) for budget in self.budgets}
        usual = mean_load([self._trained(examples, expected[budget]) for examples, budget in self._kinds()])
        ended = (trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED))
        seen = [trial for trial in ended if not is_exempt(config.search.stopping, trial)]
        return (usual * _PRIOR + self.spent(seen)) * (1 / (_PRIOR + len(seen)))

    def left_of(self, config: StudyConfig, trial: TrialRecord) -> Load:
        """Return the expected cost of the rest of a trial in progress, as one run."""
        budget = config.budget(trial.setting)
        if is_exempt(config.search.stopping, trial):
            epochs = float(budget - trial.epochs)
        else:
            epochs = expected_epochs(config, budget, since=trial.epochs)
        return self.prices.load(trial.setting, epochs)

    def _kinds(self) -> Iterator[tuple[TransferSet, int]]:
        return product(self.transfer_sets, self.budgets)

    def _trained(self, transfer_set: TransferSet, epochs: float) -> Load:
        return Load(1, epochs, epochs * self.prices.of_epoch(transfer_set))


def expected_epochs(config: StudyConfig, budget: int, *, since: int = 0) -> float:
    """Return the epochs that the recipe expects of a trial of one budget, of which some are trained.

    A trial that has reported at a rung and still runs goes on to the next one.
    """
    rungs: Sequence[int] = [rung for rung in rungs_of(config.rungs, budget) if rung > since]
    expected, share, before = 0.0, 1.0, since
    for rung in rungs:
        expected += share * (rung - before)
        share, before = share / config.search.stopping.reduction, rung
    return expected
