"""StudyPlan: everything that a study recipe (`studies/*.yaml`) says, validated and frozen.

Each part that decides what a run computes has a content hash; parts that only say how much to do (number of
trials, confirmation seeds) do not, so that they may be raised later and the same study goes on.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

SEARCH_SEED: Final = 0
"""All search trials share one seed index (common random numbers), so that settings differ in nothing else."""
RACE_SEEDS: Final = 1_000
"""Race runs use the seed indices RACE_SEEDS, RACE_SEEDS + 1, ..."""
SWEEP_SEEDS: Final = SEARCH_SEED
"""Swept runs use the seed indices SWEEP_SEEDS, SWEEP_SEEDS + 1, ...: the first as the runs of a search do."""
CONFIRMATION_SEEDS: Final = 2_000
"""Confirmation runs use the seed indices CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + 1, ..."""
DELIVERY_SEEDS: Final = 10_000
"""Distilled models that are handed out use the seed indices DELIVERY_SEEDS, DELIVERY_SEEDS + 1, ..."""

Option = bool | int | float | str | tuple[int, ...]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class Frozen(BaseModel):
    """Unknown fields are refused: a typo must not be ignored silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def content_hash(*parts: object, digits: int = 8) -> str:
    """A short hash of models and plain values; the same on every machine."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


class DirichletPartition(Frozen):
    """Label skew: each class is divided among participants by Dirichlet(beta) shares."""

    scheme: Literal["dirichlet"]
    beta: float = Field(gt=0)
    minimum: int = Field(default=10, ge=2, description="Fewest private examples of a participant.")


class ClassesPartition(Frozen):
    """Each participant holds examples of a fixed number of classes only."""

    scheme: Literal["classes"]
    per_participant: int = Field(ge=1)


class QuantityPartition(Frozen):
    """Same label distribution, different amounts: sizes by Dirichlet(beta)."""

    scheme: Literal["quantity"]
    beta: float = Field(gt=0)
    minimum: int = Field(default=10, ge=2, description="Fewest private examples of a participant.")


class IidPartition(Frozen):
    """Equal random parts."""

    scheme: Literal["iid"]


PartitionRecipe = Annotated[
    DirichletPartition | ClassesPartition | QuantityPartition | IidPartition, Field(discriminator="scheme")
]


class SplitSizes(Frozen):
    """Examples in each common part; what is left over is private."""

    validation: int = Field(ge=1)
    confirmation: int = Field(ge=1)
    test: int = Field(ge=1)
    public: int = Field(ge=0)


class ArchitectureRecipe(Frozen):
    """A network by name, with its own options (see `autokd.federation.architectures`)."""

    name: Name
    options: dict[str, Option] = Field(default_factory=dict)


class TrainingRecipe(Frozen):
    """How a network is trained; the optimizer state is always fresh."""

    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = Field(gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Used by sgd only.")
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    batch_size: int = Field(default=32, ge=2)
    epochs: int = Field(ge=1)


class DistillationRecipe(TrainingRecipe):
    """How a student goes on training; the same for every setting of a study.

    `batch_norm` says whether BatchNorm statistics move during distillation (`train`) or stay (`frozen`).
    """

    batch_norm: Literal["train", "frozen"] = "train"


class FederationRecipe(Frozen):
    """How a federation is made: data, partition, participants, pre-training."""

    name: Name
    dataset: Name
    participants: int = Field(ge=2, le=1000)
    partition: PartitionRecipe
    splits: SplitSizes
    architectures: tuple[ArchitectureRecipe, ...] = Field(
        min_length=1, description="One for all, or one per participant."
    )
    pretraining: TrainingRecipe
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_or_each(self) -> FederationRecipe:
        if len(self.architectures) not in (1, self.participants):
            raise ValueError(
                f"architectures lists {len(self.architectures)}; give 1 for all or {self.participants}"
            )
        return self

    def architecture(self, participant: int) -> ArchitectureRecipe:
        """The architecture of one participant."""
        return self.architectures[0 if len(self.architectures) == 1 else participant]


class StoppingRecipe(Frozen):
    """ASHA (Li et al. 2020, arXiv:1810.05934): at each rung the best 1/`reduction` go on.

    The first trials of a study run to the end, whatever they report: what is learned of settings, for this
    pair and for others, is learned from them.
    """

    rungs: tuple[int, ...] = Field(default=(3, 6), description="Epochs at which a trial may be stopped.")
    reduction: int = Field(default=2, ge=2)
    grace: int = Field(
        default=6, ge=0, description="Trials of a study that are not stopped, the baseline included."
    )

    @field_validator("rungs")
    @classmethod
    def _increasing(cls, rungs: tuple[int, ...]) -> tuple[int, ...]:
        if any(rung < 1 for rung in rungs) or list(rungs) != sorted(set(rungs)):
            raise ValueError("must be increasing epochs from 1")
        return rungs


class SearchRecipe(Frozen):
    """How one pair is searched.

    Attributes:
        trials: Per pair, the baseline included. The two pairs of a meeting share 2 x `trials`.
        floor: Share of `trials` that each pair of a meeting gets at least, whatever the other promises.
        startup_trials: Random ones before the sampler learns.
        retries: How often a run that died of infrastructure is tried again.
    """

    trials: int = Field(default=32, ge=2)
    floor: float = Field(default=0.5, gt=0, le=1)
    startup_trials: int = Field(default=10, ge=1)
    stopping: StoppingRecipe = StoppingRecipe()
    retries: int = Field(default=3, ge=0)


class ConfirmationRecipe(Frozen):
    """How a winner is chosen and judged.

    Attributes:
        candidates: How many settings enter the race.
        race_seeds: Fresh seeds each candidate runs with in the race.
        seeds: Further fresh seeds for the winner and the default, paired.
        max_seeds: An undecided pair gets so many and is judged once more; by default none does. Both
            judgements together keep the error rate of one (`autokd.recommendation.looks`).
        min_improvement: In pp; a pair that cannot gain as much is not worth distilling.
        confidence: Of the intervals.
        resamples: Bootstrap resamples.
    """

    candidates: int = Field(default=3, ge=1)
    race_seeds: int = Field(default=2, ge=1)
    seeds: int = Field(default=5, ge=2)
    max_seeds: int | None = Field(default=None, ge=2)
    min_improvement: float = Field(default=0.5, ge=0)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=4000, ge=200)

    @model_validator(mode="after")
    def _seeds_up_to(self) -> ConfirmationRecipe:
        if self.max_seeds is not None and self.max_seeds < self.seeds:
            raise ValueError(f"max_seeds {self.max_seeds} lies below seeds {self.seeds}")
        return self

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of seeds after which a pair is judged."""
        return (self.seeds,) if self.max_seeds in (None, self.seeds) else (self.seeds, self.max_seeds)


class Constraints(Frozen):
    """What a setting may cost the student on its own label distribution, in pp; none by default.

    Forgetting is the local accuracy that is lost, so both limits bound the same figure: the lower one counts.
    """

    max_forgetting: float | None = Field(default=None, ge=0)
    max_local_loss: float | None = Field(default=None, ge=0)

    @property
    def limit(self) -> float | None:
        """The lower of the two, in pp."""
        return min(
            (one for one in (self.max_forgetting, self.max_local_loss) if one is not None), default=None
        )


Objective = Literal["gain", "gain_local", "gain_minus_forgetting"]


class Aims(Frozen):
    """What a setting is wanted for, and what it must keep.

    Attributes:
        objective: `gain` of accuracy on the common split; `gain_local`, of accuracy on the student's own
            label distribution, which is minus its forgetting; or `gain_minus_forgetting`, the sum of both.
    """

    objective: Objective = "gain"
    constraints: Constraints = Constraints()

    def value(self, gain: float, forgetting: float) -> float:
        """What a run is worth, in pp, by its gain and its forgetting in pp."""
        match self.objective:
            case "gain":
                return gain
            case "gain_local":
                return -forgetting
            case "gain_minus_forgetting":
                return gain - forgetting

    def keeps(self, forgetting: float) -> bool:
        """Whether the constraints hold, for a forgetting in pp."""
        limit = self.constraints.limit
        return limit is None or forgetting <= limit


class Forbidden(Frozen):
    """What may not be used, whatever the space holds.

    The transfer set `student` cannot be among it: the default setting is the baseline of every study.
    """

    transfer_sets: tuple[Literal["teacher", "both", "public"], ...] = ()
    positions: tuple[Literal["student", "teacher"], ...] = ()

    @field_validator("positions")
    @classmethod
    def _leaves_one(cls, positions: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(positions)) > 1:
            raise ValueError("forbids both positions; nothing would be left to tune")
        return positions


class StudyPlan(Frozen):
    """What to tune and how: the content of a study recipe."""

    name: Name
    federation: FederationRecipe
    distillation: DistillationRecipe
    space: str = Field(default="default", min_length=1, description="A shipped space's name or a YAML file.")
    search: SearchRecipe = SearchRecipe()
    confirmation: ConfirmationRecipe = ConfirmationRecipe()
    objective: Objective = "gain"
    constraints: Constraints = Constraints()
    forbid: Forbidden = Forbidden()

    @model_validator(mode="after")
    def _rungs_inside_the_budget(self) -> StudyPlan:
        rungs, epochs = self.search.stopping.rungs, self.distillation.epochs
        if rungs and rungs[-1] >= epochs:
            raise ValueError(
                f"search.stopping.rungs {list(rungs)} must lie below the {epochs} epochs of a run"
            )
        return self

    @property
    def rungs(self) -> tuple[int, ...]:
        """All epochs at which a search trial reports, the full budget last."""
        return (*self.search.stopping.rungs, self.distillation.epochs)

    @property
    def aims(self) -> Aims:
        """Objective and constraints together."""
        return Aims(objective=self.objective, constraints=self.constraints)

    def with_(self, **search: Any) -> StudyPlan:
        """The same plan with other search parameters, validated again."""
        merged = {**self.search.model_dump(), **search}
        return StudyPlan.model_validate({**self.model_dump(), "search": merged})
