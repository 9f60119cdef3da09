"""Chooses the rivals that are confirmed beside a winner, and the alternatives that an explanation compares.

A rival has the winner's freedom: of all settings of its family, the one with the best posterior mean on
validation is taken, by the surrogate that chose the winner. A family is what a rival teaches, at every budget
that the space has; where the rival has no teacher, with every label prior that the space has, too. Without a
surrogate the best trial of the family is taken that ran to the end, if there is one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from autokd.config.space import TEACHERS, Range, Space
from autokd.config.study import StudyConfig
from autokd.core.records import TrialRecord, TrialState
from autokd.core.setting import (
    BUDGET,
    DEFAULT,
    AnyPair,
    Group,
    LabelPrior,
    Setting,
    TransferSet,
    moved,
    plain,
    unassisted,
    with_budget_of,
)
from autokd.core.verdict_basis import DEFAULT_BUDGET, SINGLE_TEACHER, no_teacher
from autokd.recommendation.race import alike, teachers_of
from autokd.search.asked import completed
from autokd.search.candidates import spaced
from autokd.search.kernel import Array

Believe = Callable[[Sequence[Setting]], Array | None]
"""Returns the expected values of settings, shape (settings,); None without a surrogate."""
_VALUES: Final = 7
"""Number of values of a continuous dimension at which a budget is tried."""
_ALIKE: Final = 1e-9
"""Difference of two expected values, in pp, that is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalChoice:
    """What the rivals of one pair are chosen from.

    Attributes:
        pair: What they are of.
        trials: The pair's trials that have ended, with values of the objective in place of accuracies.
        answers: Judged settings of pairs of a group's student with one of its candidates, with the same
            values of their trials.
    """

    config: StudyConfig
    space: Space
    trials: Sequence[TrialRecord]
    believe: Believe
    pair: AnyPair | None = None
    answers: Mapping[Setting, float] = field(default_factory=dict)

    def rivals(self, winners: Iterable[Setting]) -> dict[str, Setting]:
        """Return the rivals of all settings that may be the winner, by their names in a basis."""
        chosen: dict[str, Setting] = {}
        winners = list(winners)
        if (single := self._single(winners)) is not None:
            chosen[SINGLE_TEACHER] = single
        if self._searches_budgets:
            best, recipe = self._best([DEFAULT]), self.config.distillation
            if best is not None and not alike(completed(best, recipe), completed(DEFAULT, recipe)):
                chosen[DEFAULT_BUDGET] = best
        for winner in winners:
            name = no_teacher(winner.transfer_set)
            if winner.alpha == 0 or name in chosen:
                continue
            sets = [winner.transfer_set] if winner.alpha is not None else labelled(self.space)
            best = self._best([each for examples in sets for each in self._untaught(examples)])
            if best is not None:
                chosen[name] = best
        return chosen

    def outdates(self, rivals: Mapping[str, Setting], winners: Iterable[Setting]) -> bool:
        """Return whether rivals chosen before have become too weak to be fair.

        More trials show more about rivals as well as about the winner. So a former one has to give way where
        another one is expected to be better by `min_improvement`; a smaller difference could be luck, and
        each change of the question costs runs and a part of the error.
        """
        least = self.config.confirmation.min_improvement
        for name, rival in self.rivals(winners).items():
            before = rivals.get(name, DEFAULT if name == DEFAULT_BUDGET else None)
            if before is None:
                return True
            if not alike(before, rival) and self._value(rival) - self._value(before) >= least:
                return True
        return False

    def _value(self, setting: Setting) -> float:
        """Return what a setting is worth on validation, in pp; infinitely little if that is not known."""
        believed = self.believe([setting])
        if believed is not None:
            return float(believed[0])
        complete = [trial for trial in self.trials if trial.state is TrialState.COMPLETE]
        ran = [100 * (trial.accuracy or 0.0) for trial in complete if plain(trial.setting) == plain(setting)]
        return max(ran, default=-math.inf)

    def alternatives(self) -> dict[str, Setting]:
        """Return the trained alternatives of an explanation, each at the best budget that is known for it.

        Their names are `default_on_` and `cross_entropy_on_` with a transfer set, and `adjusted_on_` with one
        for the adjusted loss. There are none if the space searches no budget: all have the recipe's then.
        """
        if not self._searches_budgets:
            return {}
        families = {
            f"default_on_{examples}": moved(DEFAULT, examples)
            for examples in self.space.transfer_set
            if examples is not DEFAULT.transfer_set
        }
        for examples in labelled(self.space):
            for name, prior in (("cross_entropy", LabelPrior.NONE), ("adjusted", LabelPrior.ADJUSTED)):
                families[f"{name}_on_{examples}"] = unassisted(examples, prior)
        chosen = {name: self._best([setting]) for name, setting in families.items()}
        return {name: setting for name, setting in chosen.items() if setting is not None}

    def _single(self, winners: Sequence[Setting]) -> Setting | None:
        """Return the best answer of a group's pairs, if a winner has several teachers; if no pair has been
        tuned, the best setting with one teacher that is a winner otherwise, or was tried.
        """
        group = self.pair
        if not isinstance(group, Group):
            return None
        several = [winner for winner in winners if teachers_of(group, winner) > 1]
        if not several or self.answers:
            return max(self.answers, key=self.answers.__getitem__, default=None) if several else None
        searched = self.space.dimensions[TEACHERS]
        assert not isinstance(searched, Range), "teachers are listed"
        alone = [text for text in searched if _is_alone(text, group)]
        family = [_taught_by(winner, text) for winner in several for text in alone]
        good = self._good()
        family += [setting for setting in good if teachers_of(group, setting) == 1]
        return self._likeliest(family, known=good)

    @property
    def _searches_budgets(self) -> bool:
        return any(name in self.space.dimensions for name in BUDGET)

    def _untaught(self, examples: TransferSet) -> Iterator[Setting]:
        """Yield what can be taught without a teacher on some examples."""
        for prior in dict.fromkeys((LabelPrior.NONE, *self.space.label_prior)):
            yield unassisted(examples, prior)

    def _best(self, taught: Sequence[Setting]) -> Setting | None:
        """Return the best setting that teaches one of these things, at any budget; the first one on a tie."""
        known = self._good()
        tried = [setting for setting in known if any(_teaches(setting, other) for other in taught)]
        lattice = [with_budget_of(setting, budget) for setting in taught for budget in budgets(self.space)]
        return self._likeliest([*lattice, *tried], known=known)

    def _good(self) -> dict[Setting, float]:
        """Return the settings that ran to the end and satisfy the constraints, with their values."""
        return {
            plain(trial.setting): trial.accuracy or 0.0
            for trial in self.trials
            if trial.state is TrialState.COMPLETE and self.config.aims.keeps(trial.forgetting)
        }

    def _likeliest(self, family: Sequence[Setting], *, known: Mapping[Setting, float]) -> Setting | None:
        """Return the setting with the best posterior mean, or without a surrogate the best that is known."""
        ended = {plain(trial.setting) for trial in self.trials if trial.state is not TrialState.RUNNING}
        left = [setting for setting in dict.fromkeys(family) if setting in known or setting not in ended]
        believed = self.believe(left) if left else None
        if believed is not None:
            return left[int(np.flatnonzero(believed >= believed.max() - _ALIKE)[0])]
        tried = [setting for setting in left if setting in known]
        return max(tried, key=lambda setting: known[setting], default=None)


def labelled(space: Space) -> tuple[TransferSet, ...]:
    """Return the labelled transfer sets that may be used, `student` first."""
    # The default learns from `student`, so every study may use it.
    sets = (DEFAULT.transfer_set, *space.transfer_set)
    return tuple(each for each in dict.fromkeys(sets) if each is not TransferSet.PUBLIC)


def budgets(space: Space) -> tuple[Setting, ...]:
    """Return the default at every budget of a space, the recipe's first; a range has `_VALUES` values."""
    searched = {name: space.dimensions[name] for name in BUDGET if name in space.dimensions}
    lists = {
        name: spaced(dimension, _VALUES) if isinstance(dimension, Range) else dimension
        for name, dimension in searched.items()
    }
    lattice = (
        Setting.from_json({**DEFAULT.to_json(), **dict(zip(lists, values, strict=True))})
        for values in itertools.product(*lists.values())
    )
    return tuple(dict.fromkeys((DEFAULT, *lattice)))


def _teaches(setting: Setting, taught: Setting) -> bool:
    """Return whether a setting teaches the same at some budget."""
    return alike(setting, with_budget_of(taught, setting))


def _is_alone(text: str, group: Group) -> bool:
    """Return whether one of the group's candidates teaches alone, with the student's own model or without."""
    return len({int(number) for number in text.split()} - {group.student}) == 1


def _taught_by(setting: Setting, text: str) -> Setting:
    return replace(setting, teachers=tuple(map(int, text.split())))
