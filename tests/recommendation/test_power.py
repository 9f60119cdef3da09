from __future__ import annotations

import re

import numpy as np
import pytest

from autokd.config.confirmation import ConfirmationConfig
from autokd.recommendation.judgement import Judgement, judge
from autokd.recommendation.power import MOST_SEEDS, what_would_decide
from autokd.recommendation.verdict import Verdict
from autokd.statistics.paired import variance_components
from tests.recommendation.samples import make_evidence
from tests.statistics.simulated import DIGITS, EXAMPLES_RULE, Noise, draw_arms

QUICK = ConfirmationConfig(resamples=200)


def undecided(
    noise: Noise, accuracies: tuple[float, float], own: float, *, seeds: int = 5
) -> list[Judgement]:
    rng = np.random.default_rng(0)
    judgements = [
        judge(make_evidence(*draw_arms(rng, accuracies, noise, fixed=own, seeds=seeds)), QUICK, seed=1)
        for _ in range(20)
    ]
    return [judgement for judgement in judgements if judgement.verdict is Verdict.UNDECIDED]


def test_only_an_undecided_pair_has_prospects() -> None:
    rng = np.random.default_rng(0)
    tuned = judge(make_evidence(*draw_arms(rng, (0.9, 0.7), DIGITS, fixed=0.5)), QUICK, seed=1)
    assert what_would_decide(tuned, QUICK) == ""


def test_where_seeds_are_the_doubt_their_number_is_named() -> None:
    judgements = undecided(Noise(taste=0.05, shift=0.3), (0.72, 0.60), 0.60)
    texts = [what_would_decide(judgement, QUICK) for judgement in judgements]
    named = [int(match[1]) for text in texts if (match := re.search(r"confirmation.seeds: (\d+) in", text))]
    assert len(named) >= len(texts) / 2 > 1
    assert all(5 < seeds <= MOST_SEEDS for seeds in named)
    assert any("T=4 α=0.1 on both beats default and as-is" in text for text in texts)


def test_the_number_named_is_the_smallest_that_would_do() -> None:
    rng = np.random.default_rng(0)
    checked = 0
    for _ in range(20):
        default, own = draw_arms(rng, (0.70,), Noise(taste=0.05, shift=0.3), fixed=0.60)
        judgement = judge(make_evidence(None, default, own), QUICK, seed=1)
        match = re.match(r"(\d+) more seeds .* the default beats as-is", what_would_decide(judgement, QUICK))
        if match is None:
            continue
        seeds, mean = 5 + int(match[1]), judgement.confirmation.default_gain.mean
        spread = variance_components(default, own)
        assert spread.with_seeds(seeds).half_width(0.95) < mean
        assert seeds == 6 or spread.with_seeds(seeds - 1).half_width(0.95) >= mean
        checked += 1
    assert checked >= 3


def test_where_examples_are_the_doubt_seeds_are_said_to_be_useless() -> None:
    judgements = undecided(EXAMPLES_RULE, (0.625, 0.615), 0.615)
    texts = [what_would_decide(judgement, QUICK) for judgement in judgements]
    assert sum(text.startswith("only more confirmation examples") for text in texts) > len(texts) / 2
    floors = [float(match[1]) for text in texts if (match := re.search(r"effect here is ([\d.]+) pp", text))]
    # √(disagreement / examples) · (1.96 + 0.84) of two models that disagree on a quarter of 350 examples.
    assert np.mean(floors) == pytest.approx(7.2, abs=1.5)


def test_following_the_advice_mostly_decides() -> None:
    """With the number of seeds that is typically named, far fewer pairs stay undecided."""
    accuracies, own, noise = (0.70, 0.62), 0.62, Noise(taste=0.1, shift=0.2)
    (first, *_) = undecided(noise, accuracies, own)
    assert what_would_decide(first, QUICK)
    few, many = (undecided(noise, accuracies, own, seeds=seeds) for seeds in (5, 25))
    assert len(many) < len(few) / 2
