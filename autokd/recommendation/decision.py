"""What the owner of the student should do: one decision for a pair.

A verdict says whether a setting is shown to beat the default and the model as it is. The owner has more
choices, and some of them take no training at all. In the order of their simplicity:

| action | what the owner does |
|---|---|
| `keep` | leaves its model as it is |
| `correct` | divides its model's label prior out; nothing is trained |
| `train_alone` | trains its model without a teacher |
| `learn` | distils from the partner's model |
| `let_partner_learn` | lets the partner distil from its model, and adopts the model that results |
| `adopt` | takes the partner's model, as it is or with its label prior divided out |
| `average` | runs both models and averages their probabilities |

The decision is the simplest action that is not shown to be worse than the best one: the best has the highest
mean on confirmation, and an action is shown to be worse if the interval of the best minus it is above 0, at a
confidence of 1 - 5%/k for k actions. Of two ways of one action, one's own data go before another's and fewer
epochs before more. What the decision gains is told from test, on which nothing was chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from autokd.core.action import Action as Action
from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.records import Correctness
from autokd.core.setting import AnyPair, Setting, Split
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.comparisons import IMPROVEMENT, WINNER_GAIN
from autokd.statistics.paired import NOTHING, Interval

_FEWEST: Final = 2
"""Seeds that show how seeds vary."""
_ORDER: Final = {action: place for place, action in enumerate(Action)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """One way of an action, with the models that result from it.

    Attributes:
        name: A few words for a table, different for each way.
        words: What to do, in a sentence without its subject.
        correct: Correctness on confirmation and test; shape (seeds, examples), or (examples,) where nothing
            is trained.
        pair: The pair or group whose runs these are; None where nothing is trained.
        seeds: Indices of the seeds, one for each row of `correct`; empty where nothing is trained.
        setting: What is trained; None where nothing is.
        epochs: Epochs of its training.
        moves_data: Whether somebody else's private data are trained on.
        told: Its gain by split where a figure of the pair tells that already, in pp: one gain, one interval.
    """

    action: Action
    name: str
    words: str
    correct: Mapping[Split, Correctness]
    pair: AnyPair | None = None
    seeds: tuple[int, ...] = ()
    setting: Setting | None = None
    epochs: int = 0
    moves_data: bool = False
    told: Mapping[Split, Interval] = field(default_factory=dict)

    @property
    def simplicity(self) -> tuple[int, bool, int]:
        """What ways are sorted by, the simplest first."""
        return _ORDER[self.action], self.moves_data, self.epochs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighed:
    """A way with its figures, in pp of the model as it is.

    Attributes:
        confirmation: What it gains where the decision was made.
        test: What it gains where it is told.
        behind: The best way minus it, on confirmation; exactly 0 of the best itself.
    """

    way: Way
    confirmation: Interval
    test: Interval
    behind: Interval

    @property
    def is_worse(self) -> bool:
        """Whether it is shown to be worse than the best."""
        return self.behind.low > 0

    def to_json(self) -> dict[str, object]:
        """Return plain values; gains are on test, and what was decided on confirmation stands beside them."""
        setting = self.way.setting
        return {
            "action": self.way.action.value,
            "name": self.way.name,
            "words": self.way.words,
            "setting": None if setting is None else setting.to_json(),
            "gain": self.test.to_json(),
            "decided_on": {"gain": self.confirmation.to_json(), "best_minus_it": self.behind.to_json()},
            "shown_to_be_worse": self.is_worse,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decision:
    """What to do, and everything that was weighed for it.

    Attributes:
        action: The action of `chosen`, or `more_evidence` in its place.
        chosen: The simplest way that is not shown to be worse than the best; what to do meanwhile, if more
            evidence is wanted.
        weighed: All ways, the simplest first.
        confidence: Confidence of the intervals `behind`.
        wanted: What would decide; empty unless more evidence is wanted.
    """

    action: Action
    chosen: Weighed
    weighed: tuple[Weighed, ...]
    confidence: float
    wanted: str = field(default="")

    @property
    def best(self) -> Weighed:
        """The way with the highest mean on confirmation."""
        return max(self.weighed, key=lambda way: way.confirmation.mean)

    def better_than(self, pair: AnyPair, setting: Setting) -> Weighed | None:
        """Return what is shown to be better than training a pair with `setting`; None if nothing is."""
        ways = (
            weighed for weighed in self.weighed if (weighed.way.pair, weighed.way.setting) == (pair, setting)
        )
        own = next(ways, None)
        return self.best if own is not None and own.is_worse else None

    def brief(self) -> dict[str, object]:
        """Return what to do and what that gains, as plain values."""
        return {
            "action": self.action.value,
            "name": self.chosen.way.name,
            "words": self.chosen.way.words,
            "setting": None if self.chosen.way.setting is None else self.chosen.way.setting.to_json(),
            "gain": self.chosen.test.to_json(),
        }

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            **self.brief(),
            "more_evidence": self.wanted or None,
            "confidence": self.confidence,
            "weighed": [way.to_json() for way in self.weighed],
        }


def decide(
    ways: Sequence[Way],
    bootstrap: Bootstrap,
    *,
    weights: ExampleWeights = EVEN,
    min_improvement: float,
    wanted: str = "",
    choices: int | None = None,
) -> Decision:
    """Weigh ways against each other and choose one.

    Args:
        ways: All that is possible, exactly one of which is `keep`.
        bootstrap: Its confidence is that of one interval; it is corrected here for the number of choices. It
            holds what other pairs have shown about the variance between seeds.
        weights: Weights of the examples on the student's target distribution.
        min_improvement: Smallest gain that is worth anything, in pp.
        wanted: What would decide the pair. More evidence is wanted if there is such a thing, the model would
            be kept, and something may gain `min_improvement`.
        choices: Number of choices to correct for; by default that of the actions.
    """
    (own,) = (way for way in ways if way.action is Action.KEEP)
    on_decisive = bootstrap.for_comparisons(choices or len({way.action for way in ways}))
    split = Split.CONFIRMATION
    by = weights.of(split)

    def gain(way: Way, split: Split) -> Interval:
        if way is own:
            return NOTHING
        if split in way.told:
            return way.told[split]
        return bootstrap.interval(
            way.correct[split],
            own.correct[split],
            split.value,
            "action",
            way.name,
            weights=weights.of(split),
            noise=f"{split.value}/{WINNER_GAIN}",
        )

    gains = {way: gain(way, split) for way in sorted(ways, key=lambda way: way.simplicity)}
    best = max(gains, key=lambda way: gains[way].mean)

    def behind(way: Way) -> Interval:
        if way is best:
            return NOTHING
        first, second = paired(best, way, split)
        with_prior, noise = _with_noise(on_decisive, best, way, split)
        return with_prior.interval(
            first, second, split.value, "behind", best.name, way.name, weights=by, noise=noise
        )

    weighed = tuple(
        Weighed(way=way, confirmation=gained, test=gain(way, Split.TEST), behind=behind(way))
        for way, gained in gains.items()
    )
    chosen = next(way for way in weighed if not way.is_worse)
    may_gain = any(way.confirmation.high >= min_improvement for way in weighed if way is not chosen)
    open_ = bool(wanted) and chosen.way is own and may_gain
    return Decision(
        action=Action.MORE_EVIDENCE if open_ else chosen.way.action,
        chosen=chosen,
        weighed=weighed,
        confidence=on_decisive.confidence,
        wanted=wanted if open_ else "",
    )


def paired(first: Way, second: Way, split: Split) -> tuple[Correctness, Correctness]:
    """Return the correctness of two ways with the same seeds in the same rows.

    Runs of two different pairs have nothing in common but the examples. They are paired by their place, so
    that the variance between seeds of the difference is that of both together.
    """
    ours, other = first.correct[split], second.correct[split]
    if not first.seeds or not second.seeds:
        return ours, other
    common = sorted(set(first.seeds) & set(second.seeds))
    if first.pair != second.pair or len(common) < _FEWEST:
        rows = min(len(first.seeds), len(second.seeds))
        return ours[:rows], other[:rows]
    of_first, of_second = ([way.seeds.index(seed) for seed in common] for way in (first, second))
    return ours[of_first], other[of_second]


def _with_noise(bootstrap: Bootstrap, best: Way, way: Way, split: Split) -> tuple[Bootstrap, str]:
    """Return what is known of how a difference varies between seeds, and the name that it has there.

    A model that needs no run does not vary, the differences of two arms of one pair vary alike, and those of
    two pairs, whose seeds are unrelated, twice as much as one arm does.
    """
    improvement, gain = (f"{split.value}/{name}" for name in (IMPROVEMENT, WINNER_GAIN))
    if not best.seeds or not way.seeds:
        return bootstrap, gain
    if best.pair == way.pair or gain not in bootstrap.priors:
        return bootstrap, improvement if best.pair == way.pair else ""
    doubled = replace(bootstrap.priors[gain], variance=2 * bootstrap.priors[gain].variance)
    return replace(bootstrap, priors={**bootstrap.priors, "unrelated": doubled}), "unrelated"
