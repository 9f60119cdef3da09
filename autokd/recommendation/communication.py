"""What crosses the network for a setting, in bytes, by where data and models lie.

The student trains where its data lie. To learn from the teacher on examples that it has itself, it needs the
teacher's weights; on the teacher's own examples, these examples, and the teacher's logits on them, which the
teacher works out at home; on shared ones, the logits alone. Where alpha is 0 no teacher is asked. The method
`seen_classes` needs to know how many private examples of each class the teacher has, too.

    transfer set   weights of the teacher   logits (float32)     raw private examples of the teacher
    student        yes
    teacher                                 on its examples      yes
    both           yes                                           yes
    public                                  on public examples
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from autokd.core.records import FederationFacts
from autokd.core.setting import Method, Pair, Setting, TransferSet

LOGIT_BYTES: Final = 4
COUNT_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """In bytes, uncompressed, once per distillation."""

    weights: int = 0
    logits: int = 0
    class_counts: int = 0
    raw_examples: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.logits + self.class_counts + self.raw_examples

    def __str__(self) -> str:
        """In words, `nothing` for nothing."""
        parts = {
            "weights": self.weights,
            "logits": self.logits,
            "class counts": self.class_counts,
            "raw private examples": self.raw_examples,
        }
        told = [f"{_size(size)} of {what}" for what, size in parts.items() if size]
        return " and ".join(told) or "nothing"

    def to_json(self) -> dict[str, int]:
        """By kind, and all of it."""
        return {
            "weights": self.weights,
            "logits": self.logits,
            "class_counts": self.class_counts,
            "raw_examples": self.raw_examples,
            "total": self.total,
        }


def communication_cost(setting: Setting, pair: Pair, federation: FederationFacts) -> Cost | None:
    """What moves to the student's side for one distillation; None where sizes are not known."""
    teacher = federation.participants[pair.teacher]
    if teacher.weight_bytes is None or federation.example_bytes is None or federation.public is None:
        return None
    examples, answer = sum(teacher.histogram), LOGIT_BYTES * len(federation.classes)
    asked = setting.alpha != 0
    counts = COUNT_BYTES * len(federation.classes) if asked and setting.method is Method.SEEN_CLASSES else 0
    weights = teacher.weight_bytes if asked else 0
    match setting.transfer_set:
        case TransferSet.STUDENT | TransferSet.VALIDATION:
            return Cost(weights=weights, class_counts=counts)
        case TransferSet.TEACHER:
            return Cost(
                logits=examples * answer if asked else 0,
                class_counts=counts,
                raw_examples=examples * federation.example_bytes,
            )
        case TransferSet.BOTH:
            return Cost(
                weights=weights, class_counts=counts, raw_examples=examples * federation.example_bytes
            )
        case TransferSet.PUBLIC:
            return Cost(logits=federation.public * answer, class_counts=counts)


def _size(size: float) -> str:
    """With a unit; 1 kB is 1,000 bytes."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
