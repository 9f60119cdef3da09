"""StudyConfig: the content of a study recipe (`studies/*.yaml`).

The parts that determine what a run computes have a content hash, which is part of the study's name. Parts
that only say how much to do (number of trials, seeds of the confirmation) are not hashed: they may be raised
later, and the same study continues.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from autokd.config.asked import AskedSetting, asked_setting
from autokd.config.base import Frozen, Name, Recipe
from autokd.config.federation import AnyFederation
from autokd.config.numbers import Number, Whole
from autokd.config.target import BALANCED, ClassShares, TargetName
from autokd.config.target import target as read_target
from autokd.config.training import DistillationConfig
from autokd.core.quoting import quoted
from autokd.core.setting import COUNTING, SEARCHABLE, Method, Setting, TransferSet
from autokd.core.verdict_basis import SearchBounds
from autokd.errors import ArgumentError

SEARCH_SEED: Final = 0
"""Seed index of all search trials: with common random numbers, settings differ in nothing else."""
RACE_SEEDS: Final = 1_000
"""First seed index of race runs; the next run has RACE_SEEDS + 1, and so on."""
SWEEP_SEEDS: Final = SEARCH_SEED
"""First seed index of swept runs, the same as that of search trials."""
CONFIRMATION_SEEDS: Final = 2_000
"""First seed index of confirmation runs."""
DELIVERY_SEEDS: Final = 10_000
"""First seed index of distilled models that are delivered."""


_LONGEST: Final = 4
"""Largest budget in multiples of the recipe's, if the recipe does not say it."""


class StoppingConfig(Frozen):
    """ASHA (Li et al. 2020, arXiv:1810.05934): at each rung the best 1/`reduction` of the trials continue.

    The first `grace` trials always run to the end, so that there are complete results to learn from, for this
    pair and for others.
    """

    rungs: tuple[Whole, ...] = Field(default=(3, 6), description="Epochs at which a trial may be stopped.")
    reduction: Whole = Field(default=2, ge=2)
    grace: Whole = Field(
        default=6, ge=0, description="Number of trials per study that are never stopped, with the baseline."
    )

    @field_validator("rungs")
    @classmethod
    def _increasing(cls, rungs: tuple[int, ...]) -> tuple[int, ...]:
        if any(rung < 1 for rung in rungs) or list(rungs) != sorted(set(rungs)):
            raise ValueError("must be increasing epochs from 1")
        return rungs


def rungs_of(rungs: Sequence[int], budget: int) -> tuple[int, ...]:
    """Return the epochs at which a trial of any budget reports, its budget last.

    These are a recipe's rungs below the budget. Above the recipe's own budget, which is the last of its
    rungs, they go on by doubling, so that a long trial is stopped early as a short one is.

    Args:
        rungs: Rungs of a trial of the recipe's budget, that one last. If it is the only one, early stopping
            is off, for longer trials too.
    """
    below = list(rungs) if len(rungs) > 1 else []
    while below and below[-1] < budget:
        below.append(2 * below[-1])
    return (*(rung for rung in below if rung < budget), budget)


class SearchConfig(Frozen):
    """How the settings of one pair are searched.

    Attributes:
        trials: Largest number of trials per pair, with the baseline. By rule 1 the two pairs of a meeting
            share 2 x `trials`.
        min_trials: Number of trials after which a search may end by itself.
        epsilon: A search ends when no setting is believed to gain this much more than the best one known, in
            pp. What the validation examples cannot tell does not count (`autokd.search.ending`).
        confidence: Probability with which this must hold.
        floor: Minimum share of the trials run in a meeting that each of its pairs gets, however unpromising.
        startup_trials: Number of random trials before the sampler learns.
        retries: How often a run is repeated after a failure of the infrastructure.
        asked: Settings that the user wants to see, in a recipe `try`: they run in each pair that is tuned,
            right after the default setting.
        max_epochs: Largest budget of a run where the space searches epochs by doubling; None for four times
            the recipe's epochs.
    """

    omit_if_default: ClassVar[frozenset[str]] = frozenset(
        {"min_trials", "epsilon", "confidence", "asked", "max_epochs"}
    )

    trials: Whole = Field(default=12, ge=2)
    min_trials: Whole = Field(default=3, ge=2)
    epsilon: Number = Field(default=2.0, ge=0)
    confidence: Number = Field(default=0.8, gt=0.5, le=1)
    floor: Number = Field(default=0.5, gt=0, le=1)
    startup_trials: Whole = Field(default=10, ge=1)
    stopping: StoppingConfig = StoppingConfig()
    retries: Whole = Field(default=3, ge=0)
    asked: tuple[AskedSetting, ...] = Field(default=(), alias="try")
    max_epochs: Whole | None = Field(default=None, ge=1)

    @property
    def bounds(self) -> SearchBounds:
        """When a search ends."""
        return SearchBounds(self.trials, self.epsilon, self.confidence)


class ConfirmationConfig(Frozen):
    """How the winner of a search is chosen and judged.

    Attributes:
        candidates: Number of settings in the race.
        race_seeds: Number of fresh seeds of each candidate in the race.
        seeds: Number of further fresh seeds, on which the winner and the default are compared in pairs.
        early_looks: Smaller numbers of seeds after which a pair is judged already, and ended if further seeds
            would hardly change its verdict.
        max_seeds: Number of seeds after which an undecided pair is judged once more; None for never. All
            judgements together keep the error rate of one (`autokd.recommendation.interim_looks`).
        min_improvement: Smallest gain worth distilling for, in pp.
        confidence: Confidence level of the intervals.
        resamples: Number of bootstrap resamples.
    """

    omit_if_default = frozenset({"early_looks"})

    candidates: Whole = Field(default=3, ge=1)
    race_seeds: Whole = Field(default=2, ge=1)
    seeds: Whole = Field(default=5, ge=2)
    early_looks: tuple[Whole, ...] = (2, 3)
    max_seeds: Whole | None = Field(default=None, ge=2)
    min_improvement: Number = Field(default=0.5, ge=0)
    confidence: Number = Field(default=0.95, gt=0.5, lt=1)
    resamples: Whole = Field(default=4000, ge=200, le=100_000)

    @field_validator("early_looks")
    @classmethod
    def _of_two_seeds(cls, looks: tuple[int, ...]) -> tuple[int, ...]:
        if any(seeds < 2 for seeds in looks) or list(looks) != sorted(set(looks)):
            raise ValueError("must be increasing numbers of seeds, and at least 2 to show how seeds vary")
        return looks

    @model_validator(mode="after")
    def _seeds_up_to(self) -> ConfirmationConfig:
        if self.max_seeds is not None and self.max_seeds < self.seeds:
            raise ValueError(f"max_seeds {self.max_seeds} lies below seeds {self.seeds}")
        return self

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of seeds after which a pair is judged."""
        return (*(seeds for seeds in self.early_looks if seeds < self.seeds), *self.fixed_looks)

    @property
    def fixed_looks(self) -> tuple[int, ...]:
        """The looks of rule 1, which has no early ones."""
        return (self.seeds,) if self.max_seeds in (None, self.seeds) else (self.seeds, self.max_seeds)


class Constraints(Frozen):
    """What a setting may cost the student on its own label distribution, in pp; unlimited by default.

    Both limits bound the same quantity, since forgetting is the lost local accuracy: the lower one counts.
    """

    max_forgetting: Number | None = Field(default=None, ge=0)
    max_local_loss: Number | None = Field(default=None, ge=0)

    @property
    def limit(self) -> float | None:
        """The lower of the two limits, in pp."""
        limits = (self.max_forgetting, self.max_local_loss)
        return min((limit for limit in limits if limit is not None), default=None)


ObjectiveName = Literal["gain", "balanced", "gain_local", "gain_minus_forgetting"]


class Objective(Frozen):
    """What a setting is optimised for, and the constraints that it must satisfy.

    Attributes:
        objective: `gain` is the gain in accuracy on the common split; `balanced` the gain in the mean over
            classes of the accuracy within a class: all classes have equal shares; `gain_local` the gain on
            the student's own label distribution (minus its forgetting); `gain_minus_forgetting` both.
    """

    objective: ObjectiveName = "gain"
    constraints: Constraints = Constraints()

    def value(self, gain: float, forgetting: float) -> float:
        """Return the value of a run in pp, from its gain and its forgetting in pp."""
        match self.objective:
            case "gain" | "balanced":
                return gain
            case "gain_local":
                return -forgetting
            case "gain_minus_forgetting":
                return gain - forgetting

    @property
    def is_gain(self) -> bool:
        """Whether its value is the gain itself, on whatever target distribution."""
        return self.objective in ("gain", "balanced")

    def keeps(self, forgetting: float) -> bool:
        """Return whether a forgetting (in pp) satisfies the constraints."""
        limit = self.constraints.limit
        return limit is None or forgetting <= limit


class Forbidden(Frozen):
    """Transfer sets, positions and private class counts that may not be used, whatever the space contains.

    The transfer set `student` cannot be forbidden: the default setting is the baseline of every study. Where
    `public` is forbidden, public examples are not trained on at all: `student_public` is forbidden, too.

    Attributes:
        class_counts: Whether no participant tells another how many private examples of each class it has. No
            method may need them then; `balanced_estimated` takes the place of `balanced`.
    """

    omit_if_default = frozenset({"class_counts"})

    transfer_sets: tuple[Literal["teacher", "both", "public", "student_public"], ...] = ()
    positions: tuple[Literal["student", "teacher"], ...] = ()
    class_counts: bool = False

    @field_validator("positions")
    @classmethod
    def _leaves_one(cls, positions: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(positions)) > 1:
            raise ValueError("forbids both positions; nothing would be left to tune")
        return positions

    def methods(self, wanted: Sequence[Method]) -> tuple[Method, ...]:
        """Return those of the methods that may be used, and the one that needs no counts for `balanced`."""
        replaced = [
            Method.BALANCED_ESTIMATED if self.class_counts and method is Method.BALANCED else method
            for method in wanted
        ]
        return tuple(method for method in dict.fromkeys(replaced) if not self.refuses(method))

    def refuses(self, method: Method) -> str:
        """Return why a method may not be used, with a way out; empty if it may."""
        if self.class_counts and method in COUNTING:
            return "it needs private class counts, which are forbidden (forbid.class_counts)"
        if method is Method.BALANCED_ESTIMATED and "public" in self.transfer_sets:
            return "it needs public examples, which are not there or forbidden (forbid.transfer_sets)"
        return ""


class SeveralConfig(Frozen):
    """How several participants may teach one student.

    Attributes:
        most: How many may teach together at most.
        transfer_sets: By default none for which a teacher gives away examples.
    """

    most: Annotated[Whole, Field(ge=2)] = 16
    transfer_sets: tuple[Literal["student", "teacher", "both", "public", "student_public"], ...] = Field(
        default=("student", "public", "student_public"), min_length=1
    )


class StudyConfig(Recipe):
    """What to tune and how: the content of a study recipe.

    Attributes:
        target: The class shares that accuracies are judged by: `common`, those of the common splits; `own`,
            those of the student's own private data; or shares by class name.
    """

    omit_if_default = frozenset({"target", "several"})

    name: Name
    federation: AnyFederation
    distillation: DistillationConfig
    space: str = Field(default="default", min_length=1, description="A shipped space's name or a YAML file.")
    search: SearchConfig = SearchConfig()
    confirmation: ConfirmationConfig = ConfirmationConfig()
    objective: ObjectiveName = "gain"
    constraints: Constraints = Constraints()
    forbid: Forbidden = Forbidden()
    target: TargetName | ClassShares = "common"
    several: SeveralConfig = SeveralConfig()

    @field_validator("target", mode="before")
    @classmethod
    def _is_a_target(cls, given: object) -> object:
        return read_target(given)

    @model_validator(mode="before")
    @classmethod
    def _balanced(cls, written: Any) -> Any:
        """Let the objective `balanced` name its target, with which every figure of the study is weighted."""
        if not isinstance(written, Mapping):
            return written
        objective, aimed_at = written.get("objective"), written.get("target")
        if objective != BALANCED:
            if aimed_at == BALANCED:
                raise ValueError("target: balanced is written objective: balanced")
            return written
        if aimed_at not in (None, "common", BALANCED):
            raise ValueError(
                "objective: balanced gives all classes equal shares, target others; say one of them"
            )
        return {**written, "target": BALANCED}

    @model_validator(mode="after")
    def _rungs_inside_the_budget(self) -> StudyConfig:
        rungs, epochs = self.search.stopping.rungs, self.distillation.epochs
        if rungs and rungs[-1] >= epochs:
            raise ValueError(
                f"search.stopping.rungs {list(rungs)} must lie below the {epochs} epochs of a run"
            )
        return self

    @model_validator(mode="after")
    def _doubles_from_the_budget(self) -> StudyConfig:
        most, epochs = self.search.max_epochs, self.distillation.epochs
        if most is not None and most < epochs:
            raise ValueError(
                f"search.max_epochs {most} lies below the {epochs} epochs of a run (distillation.epochs)"
            )
        return self

    @model_validator(mode="after")
    def _asked_settings_are_allowed(self) -> StudyConfig:
        problems = [problem for setting in self.search.asked if (problem := self._forbids(setting))]
        if problems:
            raise ValueError(f"search.try: {problems[0]}")
        return self

    def _forbids(self, setting: Setting) -> str:
        """Return why a setting may not be tried, with a way out; empty if it may."""
        wanted, forbidden = setting.transfer_set, self.forbidden.transfer_sets
        if wanted not in forbidden:
            reason = self.forbidden.refuses(setting.method)
            allowed = ", ".join(self.forbidden.methods(tuple(Method)))
            return f"method={setting.method} cannot be used: {reason}; allowed: {allowed}" if reason else ""
        allowed = ", ".join(name for name in SEARCHABLE if name not in forbidden)
        reason = (
            "the study recipe forbids it (forbid.transfer_sets)"
            if wanted in self.forbid.transfer_sets or "public" in self.forbid.transfer_sets
            else "the federation has too few public examples"
        )
        return f"transfer_set={wanted} cannot be used: {reason}; allowed: {allowed}"

    @property
    def rungs(self) -> tuple[int, ...]:
        """All epochs at which a search trial of the recipe's budget reports, that budget last."""
        return (*self.search.stopping.rungs, self.distillation.epochs)

    @property
    def max_epochs(self) -> int:
        """Largest budget of a run where the space searches epochs by doubling."""
        return self.search.max_epochs or _LONGEST * self.distillation.epochs

    def budget(self, setting: Setting) -> int:
        """Return the epochs of a run that is not stopped early."""
        return setting.epochs or self.distillation.epochs

    @property
    def aims(self) -> Objective:
        """Objective and constraints together."""
        return Objective(objective=self.objective, constraints=self.constraints)

    @property
    def forbidden(self) -> Forbidden:
        """`forbid`, with both transfer sets of public examples if there are none or `public` is forbidden."""
        given = self.forbid.transfer_sets
        if self.federation.has_public and "public" not in given:
            return self.forbid
        both = (TransferSet.PUBLIC.value, TransferSet.STUDENT_PUBLIC.value)
        return self.forbid.model_copy(update={"transfer_sets": tuple(dict.fromkeys((*given, *both)))})

    def with_(self, **search: Any) -> StudyConfig:
        """Return a validated copy with other search parameters."""
        merged = {**self.search.model_dump(by_alias=True), **search}
        copy = StudyConfig.model_validate({**self.model_dump(), "search": merged})
        # The dump does not contain where the recipe's file is, so the federation is taken over as it was.
        return copy.model_copy(update={"federation": self.federation})

    def with_asked(self, asked: Iterable[object]) -> StudyConfig:
        """Return a copy that also tries these settings (see `asked_setting`), each once.

        Raises:
            ArgumentError: If one of them is not valid, or uses a transfer set that is forbidden.
        """
        settings = list(self.search.asked)
        for given in asked:
            try:
                setting = asked_setting(given)
                if problem := self._forbids(setting):
                    raise ValueError(problem)
            except ValueError as error:
                shown = given if isinstance(given, str | Setting) else quoted(given)
                raise ArgumentError("try_", f"{shown}: {error}") from None
            settings.append(setting)
        if len(settings) == len(self.search.asked):
            return self
        return self.with_(**{"try": tuple(dict.fromkeys(settings))})
