"""Communication cost of a setting in bytes, given where data and models are.

The student trains where its data are. On its own examples it needs the teacher's weights; on the teacher's
examples, those examples and the teacher's logits, which the teacher computes locally; on public examples, the
logits alone. With alpha = 0 the teacher is not used. The methods `seen_classes` and `balanced` also need the
number of the teacher's private examples of each class. `balanced_estimated` needs the teacher's mean output
on the public examples instead: the student computes it from the weights or the logits that it gets; with the
teacher's examples alone it is sent.

    transfer set   weights of the teacher   logits (float32)     raw private examples of the teacher
    student        yes
    teacher                                 on its examples      yes
    both           yes                                           yes
    public                                  on public examples
    student_public   yes

Of several teachers each sends its part.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass, fields
from typing import Final

from autokd.core.records import FederationFacts
from autokd.core.setting import COUNTING, AnyPair, Method, Setting, TransferSet

LOGIT_BYTES: Final = 4
COUNT_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Bytes sent to the student for one distillation, uncompressed."""

    weights: int = 0
    logits: int = 0
    class_counts: int = 0
    raw_examples: int = 0

    @property
    def total(self) -> int:
        return sum(astuple(self))

    def __str__(self) -> str:
        """Return the cost in words; `nothing` if it is zero."""
        names = ("weights", "logits", "class counts", "raw private examples")
        parts = zip(names, astuple(self), strict=True)
        return " and ".join(f"{in_bytes(size)} of {name}" for name, size in parts if size) or "nothing"

    def to_json(self) -> dict[str, int]:
        """Return the bytes of each kind and in total."""
        return {**asdict(self), "total": self.total}


def communication_cost(setting: Setting, pair: AnyPair, federation: FederationFacts) -> Cost | None:
    """Return what all who teach send to the student for one distillation; None if sizes are not known."""
    candidates = set(pair.teachers)
    teachers = pair.teachers if setting.teachers is None else candidates.intersection(setting.teachers)
    costs = [_of_teacher(setting, number, federation) for number in sorted(teachers)]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return None
    return Cost(**{part.name: sum(getattr(cost, part.name) for cost in known) for part in fields(Cost)})


def _of_teacher(setting: Setting, number: int, federation: FederationFacts) -> Cost | None:
    teacher = federation.participants[number]
    if teacher.weight_bytes is None or federation.example_bytes is None or federation.public is None:
        return None
    taught, transfer_set = setting.alpha != 0, setting.transfer_set
    examples, classes = sum(teacher.histogram), len(federation.classes)
    answered = {TransferSet.TEACHER: examples, TransferSet.PUBLIC: federation.public}.get(transfer_set)
    takes_examples = transfer_set in (TransferSet.TEACHER, TransferSet.BOTH)
    estimated = transfer_set is TransferSet.TEACHER and setting.method is Method.BALANCED_ESTIMATED
    return Cost(
        weights=teacher.weight_bytes if taught and answered is None else 0,
        logits=LOGIT_BYTES * classes * (answered + estimated) if taught and answered is not None else 0,
        class_counts=COUNT_BYTES * classes if taught and setting.method in COUNTING else 0,
        raw_examples=examples * federation.example_bytes if takes_examples else 0,
    )


def in_bytes(size: float) -> str:
    """Return a size with its unit; 1 kB is 1,000 bytes."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
