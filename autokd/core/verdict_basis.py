"""What the verdict of a pair rests on beside its own runs, fixed before the first confirmation run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from autokd.core.setting import Setting, TransferSet

DEFAULT_BUDGET: Final = "default_budget"
"""The rival that is the default at the budget that is believed to be best for it."""
NO_TEACHER: Final = "no_teacher"
"""The rival that learns from the winner's examples without a teacher."""
SINGLE_TEACHER: Final = "single_teacher"
"""The rival of several teachers: the best answer that is known with one of them."""


def no_teacher(examples: TransferSet) -> str:
    """Return the name in a basis of the rival without a teacher of winners on these examples."""
    return f"{NO_TEACHER}/{examples.value}"


class VarianceSample(NamedTuple):
    """What the confirmation runs of one pair show about the noise of one comparison.

    Attributes:
        seeds: Variance between the means of single seeds, in pp².
        dof: Its degrees of freedom, the number of seeds less one.
        examples: The part of the mean's error² that more seeds do not reduce, in pp².
    """

    seeds: float
    dof: int
    examples: float


@dataclass(frozen=True, slots=True)
class VariancePrior:
    """What other pairs have shown about how much a comparison varies between seeds.

    Attributes:
        variance: Variance between the means of single seeds, in pp².
        dof: Number of degrees of freedom that this knowledge is worth.
    """

    variance: float
    dof: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What the surrogate believes of some settings' values on validation, in pp.

    Attributes:
        settings: The settings, the one believed to be best first.
        mean: Expected value of each; the accuracy, unless the study has another objective.
        covariance: Covariance of the values, row by row, in pp².
        noise: Variance of a single run around its setting's value, in pp².
        prices: What a run of each costs, in training examples; empty if that is not known, as in earlier
            versions, and then no setting wins because it is cheaper.
    """

    settings: tuple[Setting, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    noise: float
    prices: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "settings": [setting.to_json() for setting in self.settings],
            "mean": list(self.mean),
            "covariance": [list(row) for row in self.covariance],
            "noise": self.noise,
            **({"prices": list(self.prices)} if self.prices else {}),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Belief:
        """Return what `to_json` wrote."""
        return cls(
            settings=tuple(map(Setting.from_json, plain["settings"])),
            mean=tuple(map(float, plain["mean"])),
            covariance=tuple(tuple(map(float, row)) for row in plain["covariance"]),
            noise=float(plain["noise"]),
            prices=tuple(map(int, plain.get("prices", ()))),
        )


class SearchBounds(NamedTuple):
    """When a search ends.

    Attributes:
        trials: Largest number of trials.
        epsilon: Gain in pp that no other setting is believed to have.
        confidence: Probability of that.
    """

    trials: int
    epsilon: float
    confidence: float

    def beyond(self, other: SearchBounds) -> bool:
        """Return whether these ask for more than others did."""
        return (
            self.trials > other.trials or self.epsilon < other.epsilon or self.confidence > other.confidence
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictBasis:
    """What a verdict by rule 2 or 3 rests on beside the pair's own runs.

    It is stored before the first confirmation run and never computed again. So a recommendation stays a
    function of the pair's stored records, although the winner and the priors depend on other pairs.

    Attributes:
        trials: Number of the pair's trials that it was made from.
        search: What was asked of the search: `trials`, `epsilon` and `confidence` of the recipe's `search`.
        ended: Why the search ended, in one sentence.
        winner: The setting that is judged beside the default; None if the default is judged alone, or as long
            as a race decides.
        race: The settings that a race decides between; None without a race.
        looks: Numbers of seeds after which the pair is judged, increasing.
        confidence: Confidence of the intervals at each look, so that all looks together err as one.
        seed_share: Variance between single seeds as a multiple of the examples' part of the error, for which
            `confidence` was computed; infinite where nothing is known.
        priors: By split and comparison, e.g. `confirmation/improvement`; empty if the pair stands alone.
        extension: 0 for the first verdict of a pair, 1 after it was extended once, and so on.
        rivals: By rule 3, settings that are confirmed beside winner and default: `default_budget`, and for
            each set of examples that a winner may have, e.g. `no_teacher/both` (see `no_teacher`); for a
            group also `single_teacher`.
        alternatives: By rule 3, settings that an explanation compares, at the budget believed to be best, by
            the name of the alternative; empty if the space searches no budget.
        paused: Why the confirmation was left before its last look; empty if it was not.
    """

    trials: int
    search: SearchBounds
    ended: str
    winner: Setting | None
    race: Belief | None = None
    looks: tuple[int, ...]
    confidence: float
    seed_share: float
    priors: Mapping[str, VariancePrior] = field(default_factory=dict)
    extension: int = 0
    rivals: Mapping[str, Setting] = field(default_factory=dict)
    alternatives: Mapping[str, Setting] = field(default_factory=dict)
    paused: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "trials": self.trials,
            "search": list(self.search),
            "ended": self.ended,
            "winner": None if self.winner is None else self.winner.to_json(),
            "race": None if self.race is None else self.race.to_json(),
            "looks": list(self.looks),
            "confidence": self.confidence,
            # JSON has no infinity.
            "seed_share": self.seed_share if self.seed_share < float("inf") else None,
            "priors": {name: [prior.variance, prior.dof] for name, prior in self.priors.items()},
            "extension": self.extension,
            # Left out where there are none, as in earlier versions: a stored answer is recognised by this.
            **{
                name: {key: setting.to_json() for key, setting in settings.items()}
                for name, settings in (("rivals", self.rivals), ("alternatives", self.alternatives))
                if settings
            },
            "paused": self.paused,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> VerdictBasis:
        """Return what `to_json` wrote.

        Raises:
            LookupError, TypeError, ValueError: If it is something else.
        """
        most, epsilon, confidence = plain["search"]
        winner, race, share = plain["winner"], plain["race"], plain["seed_share"]
        return cls(
            trials=int(plain["trials"]),
            search=SearchBounds(int(most), float(epsilon), float(confidence)),
            ended=str(plain["ended"]),
            winner=None if winner is None else Setting.from_json(winner),
            race=None if race is None else Belief.from_json(race),
            looks=tuple(map(int, plain["looks"])),
            confidence=float(plain["confidence"]),
            seed_share=float("inf") if share is None else float(share),
            priors={name: VariancePrior(*map(float, prior)) for name, prior in plain["priors"].items()},
            extension=int(plain["extension"]),
            rivals=_settings(plain.get("rivals", {})),
            alternatives=_settings(plain.get("alternatives", {})),
            paused=str(plain.get("paused", "")),
        )


def _settings(plain: Mapping[str, Any]) -> dict[str, Setting]:
    return {str(name): Setting.from_json(setting) for name, setting in plain.items()}
