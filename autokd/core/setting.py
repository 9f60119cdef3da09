"""Settings, which are tuned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from autokd.core.arguments import constructed, member, real, whole
from autokd.core.pair import AnyPair as AnyPair
from autokd.core.pair import Group as Group
from autokd.core.pair import Pair as Pair
from autokd.errors import ArgumentError
from autokd.text.quoting import quoted


class TransferSet(StrEnum):
    """The examples that a student is distilled on."""

    STUDENT = "student"
    """The student's private data."""
    TEACHER = "teacher"
    """The teacher's private data: raw examples are moved to the student."""
    BOTH = "both"
    """The union of the two."""
    PUBLIC = "public"
    """Shared and unlabelled: the loss is T²·KL alone, and alpha has no meaning."""
    STUDENT_PUBLIC = "student_public"
    """The student's private data and public examples, in each batch as many of these as of those."""
    VALIDATION = "validation"
    """The labelled validation split. It is in no search space: only an alternative is trained on it."""


SEARCHABLE: Final = (
    TransferSet.STUDENT,
    TransferSet.TEACHER,
    TransferSet.BOTH,
    TransferSet.PUBLIC,
    TransferSet.STUDENT_PUBLIC,
)
"""The transfer sets that a search space may contain."""


class Method(StrEnum):
    """How targets are made of the frozen models' outputs (sources: `autokd.distillation.targets`)."""

    PLAIN = "plain"
    """The teacher's softened outputs."""
    DATA_PARTITIONING = "data_partitioning"
    """For each example, the outputs of the teacher or of the initial student, whichever is better."""
    LOGIT_STANDARDISATION = "logit_standardisation"
    """The teacher's outputs; the logits of both models are standardised for each example."""
    ENSEMBLE = "ensemble"
    """The mean of the logits of the teacher and of the initial student."""
    SEEN_CLASSES = "seen_classes"
    """Both models' outputs, weighted in each class by their numbers of private examples of it."""
    TRUST = "trust"
    """The teacher's outputs, weighted by its confidence in the label."""
    BALANCED = "balanced"
    """Both models' outputs with their label priors divided out, by their numbers of private examples."""
    BALANCED_ESTIMATED = "balanced_estimated"
    """`balanced` with the teacher's label prior estimated by its mean output on the public examples."""
    SUREST = "surest"
    """For each example, the outputs of the model that is surest of its answer, whatever the label."""


COUNTING: Final = (Method.SEEN_CLASSES, Method.BALANCED)
"""The methods that need the teacher's number of private examples of each class."""


ASKING: Final = (Method.SUREST, Method.SEEN_CLASSES, Method.BALANCED, Method.BALANCED_ESTIMATED)
"""The methods of any number of models that by themselves ask the student's initial model, too."""
OF_SEVERAL: Final = (Method.PLAIN, *ASKING)
"""The methods that make targets of any number of models; the plain one takes the mean of their logits."""


class LabelPrior(StrEnum):
    """How the loss on labelled examples treats the uneven class shares of these examples."""

    NONE = "none"
    """Cross-entropy: the student learns the class shares of its examples, too."""
    ADJUSTED = "adjusted"
    """Cross-entropy on logits + log(n(c) + 1), n(c) the number of labelled examples of class c."""


class BatchNorm(StrEnum):
    """Whether BatchNorm statistics are updated while a student is distilled."""

    TRAIN = "train"
    FROZEN = "frozen"


class Schedule(StrEnum):
    """How the learning rate changes while a student is distilled (see `autokd.models.training`)."""

    CONSTANT = "constant"
    COSINE = "cosine"
    """It falls towards 0 over the epochs of the run."""


class Split(StrEnum):
    """The common held-out parts, disjoint from each other and from all private data."""

    VALIDATION = "validation"
    """Used by the search and the race."""
    CONFIRMATION = "confirmation"
    """Used by the verdict."""
    TEST = "test"
    """Only reported; nothing is decided on it."""


class Position(StrEnum):
    """Which of a meeting's two pairs to use, seen from one participant's side."""

    STUDENT = "student"
    TEACHER = "teacher"


@constructed
@dataclass(frozen=True, slots=True)
class Setting:
    """One point of the space that is searched for a pair.

    Attributes:
        temperature: T > 0, which softens the outputs of both models.
        alpha: Weight of the distillation term in [0, 1]; None if and only if the transfer set is `public`.
            0 is plain fine-tuning without the teacher.
        learning_rate: Initial learning rate; None for the recipe's.
        epochs: Full budget of the run; None for the recipe's.
        batch_norm: Whether BatchNorm statistics are updated; None for the recipe's.
        label_prior: Loss on labelled examples; always `none` on `public`, which has none.
        schedule: How the learning rate changes over the run's own epochs; None for the recipe's.
        teachers: Which of a `Group`'s candidates teach, ascending; the student's number among them stands for
            its own initial model. None for all candidates; then, as in a pair, the method says whether the
            own model is asked, too.
    """

    temperature: float
    alpha: float | None
    transfer_set: TransferSet
    method: Method = Method.PLAIN
    learning_rate: float | None = None
    epochs: int | None = None
    batch_norm: BatchNorm | None = None
    label_prior: LabelPrior = LabelPrior.NONE
    schedule: Schedule | None = None
    teachers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if not isinstance(value, kind) and not (value is None and name in ("batch_norm", "schedule")):
                object.__setattr__(self, name, member(name, value, kind))
        real("temperature", self.temperature, above=0)
        if self.alpha is not None and not 0 <= real("alpha", self.alpha) <= 1:
            raise ArgumentError("alpha", f"must be a number in [0, 1], not {quoted(self.alpha)}")
        if (self.alpha is None) != (self.transfer_set is TransferSet.PUBLIC):
            way_out = (
                "must be None on public, which has no labels" if self.alpha is not None else "is missing"
            )
            raise ArgumentError("alpha", f"{way_out}: it does not fit transfer set {self.transfer_set}")
        if self.learning_rate is not None:
            real("learning_rate", self.learning_rate, above=0)
        if self.epochs is not None:
            object.__setattr__(self, "epochs", whole("epochs", self.epochs, least=1))
        if self.alpha is None and self.label_prior is not LabelPrior.NONE:
            raise ArgumentError("label_prior", f"{self.label_prior} has no meaning without labels, on public")
        if self.teachers is not None:
            if not self.teachers or list(self.teachers) != sorted(set(self.teachers)) or self.teachers[0] < 0:
                problem = f"must be increasing numbers from 0, at least one, not {self.teachers}"
                raise ArgumentError("teachers", problem)
            if len(self.teachers) > 1 and self.method not in OF_SEVERAL:
                several = ", ".join(OF_SEVERAL)
                raise ArgumentError("method", f"{self.method} is of one teacher; of several are: {several}")

    def __str__(self) -> str:
        alpha = "-" if self.alpha is None else f"{self.alpha:.3g}"
        return f"T={self.temperature:.3g} α={alpha} on {self.transfer_set}{self.more}"

    @property
    def more(self) -> str:
        """Description of everything beyond T, α and transfer set; empty if there is nothing."""
        words = {
            "": "" if self.method is Method.PLAIN else self.method.value.replace("_", " "),
            "label prior ": "" if self.label_prior is LabelPrior.NONE else self.label_prior,
            "learning rate ": "" if self.learning_rate is None else f"{self.learning_rate:.3g}",
            "schedule ": self.schedule or "",
            "epochs ": self.epochs or "",
            "BatchNorm ": self.batch_norm or "",
            "taught by ": "" if self.teachers is None else " ".join(map(str, self.teachers)),
        }
        return "".join(f", {name}{value}" for name, value in words.items() if value)

    def values(self) -> dict[str, float | str | None]:
        """Return every dimension by name as plain values; None is the recipe's value, or a missing alpha.

        Only settings of a group have teachers, a text like `0 3 7`.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if (teachers := values.pop("teachers")) is not None:
            values["teachers"] = " ".join(map(str, teachers))
        return {name: value.value if isinstance(value, StrEnum) else value for name, value in values.items()}

    def parameters(self) -> dict[str, float | str]:
        """Return the `values` that a search draws: without the recipe's, and without those of no meaning."""
        drawn = {name: value for name, value in self.values().items() if value is not None}
        if self.alpha is None:
            del drawn["label_prior"]
        return drawn

    def to_json(self) -> dict[str, float | str | None]:
        """Return `values` without the dimensions beyond T, α and transfer set that have their default."""
        return {name: value for name, value in self.values().items() if _DEFAULTS.get(name, ...) != value}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Setting:
        """Return the setting that `to_json` wrote; a missing alpha is None.

        Raises:
            KeyError: If temperature or transfer set is missing.
            ValueError: If a value is not valid.
        """
        batch_norm, schedule, teachers = (plain.get(name) for name in ("batch_norm", "schedule", "teachers"))
        return cls(
            temperature=plain["temperature"],
            alpha=plain.get("alpha"),
            transfer_set=TransferSet(plain["transfer_set"]),
            method=Method(plain.get("method", Method.PLAIN)),
            learning_rate=plain.get("learning_rate"),
            epochs=plain.get("epochs"),
            batch_norm=None if batch_norm is None else BatchNorm(batch_norm),
            label_prior=LabelPrior(plain.get("label_prior", LabelPrior.NONE)),
            schedule=None if schedule is None else Schedule(schedule),
            teachers=None if teachers is None else tuple(map(int, teachers.split())),
        )


_KINDS: Final[Mapping[str, type[StrEnum]]] = {
    "transfer_set": TransferSet,
    "method": Method,
    "batch_norm": BatchNorm,
    "label_prior": LabelPrior,
    "schedule": Schedule,
}
_DEFAULTS: Final = {
    "method": Method.PLAIN.value,
    "learning_rate": None,
    "epochs": None,
    "batch_norm": None,
    "label_prior": LabelPrior.NONE.value,
    "schedule": None,
    "teachers": None,
}
"""What a setting is, in the dimensions beyond T, α and transfer set, if nothing is said."""

ADDED: Final = ("label_prior", "schedule", "teachers")
"""The dimensions that tables have only where they are used, so that others keep their columns."""

DEFAULT = Setting(temperature=1.0, alpha=0.5, transfer_set=TransferSet.STUDENT)
"""The default setting: the baseline to beat."""

BUDGET: Final = ("learning_rate", "schedule", "epochs", "batch_norm")
"""Dimensions that say how long and how fast a run trains; the others say what is taught."""


def tabulated(settings: Iterable[Setting]) -> list[dict[str, float | str | None]]:
    """Return the `values` of settings, without those that were `ADDED` where all have their default."""
    rows = [setting.values() for setting in settings]
    unused = [name for name in ADDED if all(row.get(name) == _DEFAULTS[name] for row in rows)]
    return [{name: value for name, value in row.items() if name not in unused} for row in rows]


def untaught(setting: Setting) -> Setting:
    """Return the setting with the same examples and budget, and no teacher."""
    return plain(replace(setting, alpha=0.0))


def unassisted(examples: TransferSet, prior: LabelPrior) -> Setting:
    """Return the setting that learns from labelled examples without a teacher, at the recipe's budget."""
    return replace(untaught(moved(DEFAULT, examples)), label_prior=prior)


def with_budget_of(setting: Setting, other: Setting) -> Setting:
    """Return the setting with the budget of another one."""
    return replace(setting, **{name: getattr(other, name) for name in BUDGET})


def moved(setting: Setting, transfer_set: TransferSet) -> Setting:
    """Return the setting on another transfer set; if it has no alpha, with the default's."""
    if transfer_set is TransferSet.PUBLIC:
        return replace(setting, alpha=None, transfer_set=transfer_set, label_prior=LabelPrior.NONE)
    alpha = DEFAULT.alpha if setting.alpha is None else setting.alpha
    return replace(setting, alpha=alpha, transfer_set=transfer_set)


def plain(setting: Setting) -> Setting:
    """Return the setting without parts that have no effect.

    These are T and method where no teacher is used (α = 0), and the label prior where no label is (α = 1).
    """
    if setting.alpha == 0:
        return replace(setting, temperature=1.0, method=Method.PLAIN, teachers=None)
    # A teacher that is trusted less leaves the rest to the label.
    if setting.alpha == 1 and setting.method is not Method.TRUST:
        return replace(setting, label_prior=LabelPrior.NONE)
    return setting


def described(setting: Setting) -> str:
    """Return a setting in words; one without a teacher is called fine-tuning."""
    if setting.alpha == 0:
        return f"fine-tuning on {setting.transfer_set}{plain(setting).more} (α = 0: the teacher is not used)"
    return str(setting)


def derive_seed(*parts: str | int) -> int:
    """Return a seed in [0, 2⁶³) from names and numbers, the same on every machine."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
