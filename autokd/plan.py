"""StudyPlan: everything that a study recipe (`studies/*.yaml`) says, validated and frozen.

Each part that decides what a run computes has a content hash; parts that only say how much to do (number of
trials, confirmation seeds) do not, so that they may be raised later and the same study goes on.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from autokd.frozen import Frozen as Frozen
from autokd.frozen import Located
from autokd.frozen import Name as Name
from autokd.frozen import Option as Option
from autokd.frozen import content_hash as content_hash
from autokd.own import AnySource, Input, NetworkName, OwnFederation, is_own

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


class DirichletPartition(Frozen):
    """Label skew: each class is divided among participants by Dirichlet(beta) shares."""

    scheme: Literal["dirichlet"]
    beta: float = Field(gt=0)
    minimum: int = Field(default=10, ge=2, description="Fewest private examples of a participant.")


class EqualDirichletPartition(Frozen):
    """Label skew at equal sizes: everybody's class shares by Dirichlet(beta), and as many examples."""

    scheme: Literal["dirichlet_equal"]
    beta: float = Field(gt=0)
    examples: int = Field(ge=2)


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
    DirichletPartition | EqualDirichletPartition | ClassesPartition | QuantityPartition | IidPartition,
    Field(discriminator="scheme"),
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


class OwnArchitecture(Located, ArchitectureRecipe):
    """A network that was trained elsewhere, and how its input and output are those of the federation.

    Attributes:
        outputs: How many the network has.
        labels: By class of the federation the output that means it; -1 if the network has none.
        input: What it was trained to take.
    """

    name: NetworkName
    outputs: int = Field(ge=1)
    labels: tuple[int, ...]
    input: Input = Input()


class TrainingRecipe(Frozen):
    """How a network is trained; the optimizer state is always fresh."""

    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = Field(gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Used by sgd only.")
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    batch_size: int = Field(default=32, ge=2)
    epochs: int = Field(ge=1)


class PretrainingRecipe(TrainingRecipe):
    """How a participant is trained before it meets anybody.

    `crop_flip`: each image padded by 4 pixels and cropped at random, and mirrored half of the time.
    """

    newer: ClassVar[frozenset[str]] = frozenset({"augmentation"})
    augmentation: Literal["none", "crop_flip"] = "none"


class DistillationRecipe(TrainingRecipe):
    """How a student goes on training; the same for every setting of a study.

    `batch_norm` says whether BatchNorm statistics move during distillation (`train`) or stay (`frozen`).
    `on_out_of_memory` says what becomes of a run whose batches the device cannot hold: it fails, or each
    batch is worked off in parts, whose gradients are added up (`split`; BatchNorm then looks at parts).
    """

    newer: ClassVar[frozenset[str]] = frozenset({"on_out_of_memory"})
    batch_norm: Literal["train", "frozen"] = "train"
    on_out_of_memory: Literal["fail", "split"] = "fail"


DatasetRecipe = Annotated[
    Annotated[Name, Tag("name")] | Annotated[AnySource, Tag("source")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "source"),
]
"""A built-in data set by name, or where images lie."""


class FederationRecipe(Located):
    """How a federation is made: data, partition, participants, pre-training."""

    name: Name
    dataset: DatasetRecipe
    participants: int = Field(ge=2, le=1000)
    partition: PartitionRecipe
    splits: SplitSizes
    architectures: tuple[ArchitectureRecipe, ...] = Field(
        min_length=1, description="One for all, or one per participant."
    )
    pretraining: PretrainingRecipe
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_or_each(self) -> FederationRecipe:
        if len(self.architectures) not in (1, self.participants):
            raise ValueError(
                f"architectures lists {len(self.architectures)}; give 1 for all or {self.participants}"
            )
        return self

    @property
    def size(self) -> int:
        """Number of participants."""
        return self.participants

    @property
    def described_data(self) -> str:
        """What the images are called in a table."""
        return self.dataset if isinstance(self.dataset, str) else self.name

    @property
    def has_public(self) -> bool:
        """Whether there is a public part to train on."""
        return self.splits.public >= 2

    def architecture(self, participant: int) -> ArchitectureRecipe:
        """The architecture of one participant."""
        return self.architectures[0 if len(self.architectures) == 1 else participant]


AnyFederation = Annotated[
    Annotated[FederationRecipe, Tag("FederationRecipe")] | Annotated[OwnFederation, Tag("OwnFederation")],
    Discriminator(lambda value: "OwnFederation" if is_own(value) else "FederationRecipe"),
]
"""One that autokd makes, or one whose participants were trained elsewhere."""


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
            judgements together keep the error rate of one (`autokd.recommendation.interim_looks`).
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
    federation: AnyFederation
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

    @property
    def forbidden(self) -> Forbidden:
        """What is forbidden, and the transfer set `public` where the federation has no public examples."""
        if self.federation.has_public or "public" in self.forbid.transfer_sets:
            return self.forbid
        return self.forbid.model_copy(update={"transfer_sets": (*self.forbid.transfer_sets, "public")})

    def with_(self, **search: Any) -> StudyPlan:
        """The same plan with other search parameters, validated again."""
        merged = {**self.search.model_dump(), **search}
        checked = StudyPlan.model_validate({**self.model_dump(), "search": merged})
        # As it was: where its file lies is no part of what is dumped.
        return checked.model_copy(update={"federation": self.federation})
