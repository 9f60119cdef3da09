"""Where the gain comes from: a chain of measured models from the one as it is to the answer.

| step | from | to |
|---|---|---|
| prior | the own model | the own model with its label prior divided out; nothing is trained |
| budget | what the chain has reached | trained on its own examples alone, for the answer's budget |
| examples | without a teacher on its own examples | without a teacher on the answer's examples |
| teacher | without a teacher | taught with the default's T and α |
| T and α | taught with the default's T and α | the answer |
| position | the answer | the reversed pair, whose model the student adopts |

Each step is the difference of two models that were measured, so whatever the answer is they add up to its
gain over the own model. A step that the answer does not have is left out, with the reason. What is trained on
the way has the answer's budget, method and label prior.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from autokd.core.example_weights import ExampleWeights
from autokd.core.records import Correctness
from autokd.core.setting import (
    DEFAULT,
    LabelPrior,
    Method,
    Setting,
    Split,
    TransferSet,
    moved,
    plain,
    untaught,
)
from autokd.explanation.attribution import Attribution, Step
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.comparisons import IMPROVEMENT, WINNER_GAIN
from autokd.recommendation.evidence import JUDGED
from autokd.statistics.paired import Interval

_CORRECTING = (Method.BALANCED, Method.BALANCED_ESTIMATED)
"""Methods whose targets have label priors divided out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The models between the own one and the answer.

    Attributes:
        corrected: Whether the chain begins with the own model's label prior divided out.
        settings: What is trained in each further step, in the order of `Step`; the last one is the answer.
        left_out: Why the other steps are not there.
    """

    corrected: bool
    settings: Mapping[Step, Setting]
    left_out: Mapping[Step, str] = field(default_factory=dict)


class Measured(NamedTuple):
    """What a step leads to.

    Attributes:
        correct: By split; shape (seeds, examples), or (examples,) where nothing is trained. All models that
            are trained have the same number of seeds.
    """

    step: Step
    correct: Mapping[Split, Correctness]


def chain(answer: Setting, *, can_correct: bool = True) -> Chain:
    """Return the steps to an answer, without its position.

    Args:
        can_correct: Whether it is known what the own model with its label prior divided out gets right.
    """
    setting, left_out = plain(answer), dict[Step, str]()
    corrects = setting.label_prior is LabelPrior.ADJUSTED or setting.method in _CORRECTING
    if not corrects:
        left_out[Step.PRIOR] = "the setting corrects no label prior"
    elif not can_correct:
        left_out[Step.PRIOR] = "not available in studies of earlier versions"
    alone = untaught(moved(setting, TransferSet.STUDENT))
    settings = {Step.BUDGET: alone}
    if setting.alpha is None:
        left_out[Step.EXAMPLES] = "public examples have no labels, so what they teach is the teacher's"
    elif setting.transfer_set is TransferSet.STUDENT:
        left_out[Step.EXAMPLES] = "the setting uses the student's own examples only"
    else:
        settings[Step.EXAMPLES] = untaught(setting)
    if setting.alpha == 0:
        left_out |= dict.fromkeys((Step.TEACHER, Step.TUNING), "the setting has no teacher")
        return Chain(corrected=corrects and can_correct, settings=settings, left_out=left_out)
    alpha = None if setting.alpha is None else DEFAULT.alpha
    settings[Step.TEACHER] = taught = replace(setting, temperature=DEFAULT.temperature, alpha=alpha)
    if taught == setting:
        left_out[Step.TUNING] = "T and α are the default's"
    else:
        settings[Step.TUNING] = setting
    return Chain(corrected=corrects and can_correct, settings=settings, left_out=left_out)


def gain_by_step(
    own: Mapping[Split, Correctness],
    models: Sequence[Measured],
    *,
    bootstrap: Bootstrap,
    weights: ExampleWeights,
    left_out: Mapping[Step, str],
    gain: Mapping[Split, Interval] | None = None,
) -> Attribution:
    """Return what each step adds to the own model, with intervals.

    Args:
        models: What the steps lead to, in their order; the last is the answer.
        gain: The whole gain, if it is known already.
    """
    before: Mapping[Split, Correctness] = own
    parts: dict[Step, dict[Split, Interval]] = {}
    for step, correct in models:
        parts[step] = {
            split: _difference(correct, before, split, f"step {step.value}", bootstrap, weights)
            for split in JUDGED
        }
        before = correct
    total = gain or {
        split: _difference(before, own, split, "all steps", bootstrap, weights) for split in JUDGED
    }
    return Attribution(parts=parts, total=total, left_out=left_out, beyond_default=False)


def _difference(
    first: Mapping[Split, Correctness],
    second: Mapping[Split, Correctness],
    split: Split,
    name: str,
    bootstrap: Bootstrap,
    weights: ExampleWeights,
) -> Interval:
    trained = [correct[split].ndim > 1 for correct in (first, second)]
    # Runs of other pairs show how such a difference varies between seeds.
    noise = f"{split.value}/{IMPROVEMENT if all(trained) else WINNER_GAIN}" if any(trained) else ""
    return bootstrap.interval(
        first[split], second[split], split.value, name, weights=weights.of(split), noise=noise
    )
