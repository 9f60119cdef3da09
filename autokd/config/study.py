"""StudyConfig: the content of a study recipe (`studies/*.yaml`).

The parts that determine what a run computes have a content hash, which is part of the study's name. Parts
that only say how much to do (number of trials, seeds of the confirmation) are not hashed: they may be raised
later, and the same study continues.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from autokd.config.asked import asked_setting
from autokd.config.base import Frozen, Name, Recipe
from autokd.config.confirmation import ConfirmationConfig
from autokd.config.effort import FIELDS, Effort
from autokd.config.federation import AnyFederation
from autokd.config.numbers import Whole
from autokd.config.objective import Constraints, Objective, ObjectiveName
from autokd.config.search import SearchConfig
from autokd.config.target import BALANCED, ClassShares, TargetName
from autokd.config.target import target as read_target
from autokd.config.training import DistillationConfig
from autokd.core.setting import COUNTING, SEARCHABLE, Method, Setting, TransferSet
from autokd.errors import ArgumentError
from autokd.text.quoting import one_of, quoted

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
    def _is_a_target(cls, value: object) -> object:
        return read_target(value)

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
        forbidden = self.forbid.transfer_sets
        if self.federation.has_public and "public" not in forbidden:
            return self.forbid
        both = (TransferSet.PUBLIC.value, TransferSet.STUDENT_PUBLIC.value)
        return self.forbid.model_copy(update={"transfer_sets": tuple(dict.fromkeys((*forbidden, *both)))})

    def with_(self, **search: Any) -> StudyConfig:
        """Return a validated copy with other search parameters."""
        merged = {**self.search.model_dump(by_alias=True), **search}
        copy = StudyConfig.model_validate({**self.model_dump(), "search": merged})
        # The dump does not contain where the recipe's file is, so the federation is taken over as it was.
        return copy.model_copy(update={"federation": self.federation})

    def with_effort(self, effort: Effort | str) -> StudyConfig:
        """Return a copy that searches and confirms as an effort says (`autokd.config.effort`).

        Raises:
            ArgumentError: If there is no such effort.
        """
        if effort not in list(Effort):
            raise ArgumentError("effort", f"must be {one_of(Effort)}, not {quoted(effort)}")
        fields = FIELDS[Effort(effort)]
        if not fields:
            return self
        parts = {
            "search": {**self.search.model_dump(by_alias=True), **fields["search"]},
            "confirmation": {**self.confirmation.model_dump(), **fields["confirmation"]},
        }
        copy = StudyConfig.model_validate({**self.model_dump(), **parts})
        return copy.model_copy(update={"federation": self.federation})

    def with_asked(self, asked: Iterable[object]) -> StudyConfig:
        """Return a copy that also tries these settings (see `asked_setting`), each once.

        Raises:
            ArgumentError: If one of them is not valid, or uses a transfer set that is forbidden.
        """
        settings = list(self.search.asked)
        for text in asked:
            try:
                setting = asked_setting(text)
                if problem := self._forbids(setting):
                    raise ValueError(problem)
            except ValueError as error:
                shown = text if isinstance(text, str | Setting) else quoted(text)
                raise ArgumentError("try_", f"{shown}: {error}") from None
            settings.append(setting)
        if len(settings) == len(self.search.asked):
            return self
        return self.with_(**{"try": tuple(dict.fromkeys(settings))})
