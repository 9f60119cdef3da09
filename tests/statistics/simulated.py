"""Correctness as a probit model with crossed effects: the truth is known in closed form.

    score[s, e] = level + difficulty_e + taste_e + shift_s + flutter_se

where all models share the difficulty, an arm has its taste, one of its seeds a shift, and the model is right
where the score is positive. With `DIGITS` the accuracies of single runs scatter by about 2 pp over seeds, and
two arms disagree on about a fifth of the examples: as restless as the pairs of the built-in digits get.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from autokd.core.records import Correctness


@dataclass(frozen=True)
class Noise:
    difficulty: float = 1.0
    taste: float = 0.3
    shift: float = 0.05
    flutter: float = 0.4

    @property
    def scale(self) -> float:
        return float(np.hypot(np.hypot(self.difficulty, self.taste), np.hypot(self.shift, self.flutter)))


DIGITS = Noise()
# Where one part of the noise rules, an interval that forgets it shows.
FLUTTER_ONLY = Noise(taste=0.0, shift=0.0, flutter=0.5)
SEEDS_RULE = replace(DIGITS, shift=0.2)
EXAMPLES_RULE = Noise(taste=0.7, shift=0.02, flutter=0.1)
NOISES = {
    "digits": DIGITS,
    "flutter only": FLUTTER_ONLY,
    "seeds rule": SEEDS_RULE,
    "examples rule": EXAMPLES_RULE,
}


def draw_arms(
    rng: np.random.Generator,
    accuracies: tuple[float, ...],
    noise: Noise,
    *,
    fixed: float | Sequence[float] | None = None,
    seeds: int = 5,
    examples: int = 350,
) -> list[Correctness]:
    """One array of shape (seeds, examples) per expected accuracy in [0, 1].

    With `fixed`, further ones of shape (examples,): models that need no run, of these expected accuracies
    over examples.
    """
    difficulty = rng.normal(0, noise.difficulty, examples)

    def draw(accuracy: float, noise: Noise, seeds: int) -> Correctness:
        taste = rng.normal(0, noise.taste, examples)
        shift = rng.normal(0, noise.shift, (seeds, 1))
        flutter = rng.normal(0, noise.flutter, (seeds, examples))
        level = norm.ppf(accuracy) * noise.scale
        return np.asarray(level + difficulty + taste + shift + flutter > 0)

    arms = [draw(accuracy, noise, seeds) for accuracy in accuracies]
    still = replace(noise, shift=0.0)
    models = (fixed,) if isinstance(fixed, float) else fixed or ()
    return [*arms, *(draw(accuracy, still, 1)[0] for accuracy in models)]
