"""A model that is for other class shares than the common ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_tensors
from scipy.stats import norm
from torch import nn

from autokd.config.target import ClassShares, TargetName
from autokd.core.setting import Split
from autokd.delivery import deliver, markdown
from autokd.delivery.target_prior import AddedPrior, best_strength, target_log_prior
from autokd.errors import PlanError
from autokd.federation.federation import Federation
from autokd.models.log_prior import LastLayer, WithLogPrior
from autokd.statistics.label_weights import local_weights
from tests.delivery.samples import PLAN, REQUEST, make_request
from tests.delivery.test_deliver import loaded

SHARES = {"a": 0.7, "b": 0.2, "c": 0.1, "d": 0.0}


def never(done: int, total: int) -> None:
    pytest.fail(f"it trains: {done} of {total}")


def logits(network: nn.Module, federation: Federation) -> np.ndarray:
    data, rows = federation.data, federation.splits[Split.TEST]
    pixels = (torch.tensor(data.images[rows]).float() - data.mean[0]) / data.std[0]
    with torch.no_grad():
        scores: np.ndarray = network(pixels).numpy()
    return scores


@pytest.mark.parametrize("target", ["own", SHARES])
def test_the_file_has_the_log_prior_in_its_bias(
    federation: Federation, target: TargetName | ClassShares
) -> None:
    common = deliver(federation, PLAN, REQUEST)
    made = deliver(federation, PLAN, make_request(target=target))
    assert common.card.added is None
    added = made.card.added
    assert added is not None
    assert added.strength in (0, 0.25, 0.5, 0.75, 1)
    whole = target_log_prior(federation, 1, target)
    assert whole is not None
    np.testing.assert_allclose(added.log_prior, added.strength * whole)
    before, after = (logits(loaded(each.content), federation) for each in (common, made))
    np.testing.assert_allclose(after, before + np.array(added.log_prior), rtol=1e-5, atol=1e-5)

    labels = federation.data.labels[federation.splits[Split.TEST]]
    right = after.argmax(axis=1) == labels
    scores, plain = made.card.scores[Split.TEST], common.card.scores[Split.TEST]
    own = local_weights(labels, federation.label_counts(1).tolist())
    assert scores.after == scores.targets["common"].after == right.mean()
    assert scores.targets["own"].after == pytest.approx(np.average(right, weights=own))
    assert scores.targets["own"].as_trained == plain.targets["own"].after
    assert scores.targets.keys() == {"common", "own"} | ({"shares"} if target == SHARES else set())
    of_target = scores.targets["own" if target == "own" else "shares"]
    assert of_target.gain.mean == pytest.approx(100 * (of_target.after - of_target.before))
    assert scores.forgetting == pytest.approx(
        100 * (scores.targets["own"].before - scores.targets["own"].after)
    )
    # On validation, what was added costs nothing where it should help.
    chosen_on = made.card.scores[Split.VALIDATION].targets["own" if target == "own" else "shares"]
    assert chosen_on.after >= chosen_on.as_trained
    card = made.card.to_json()["for"]
    assert card["target"] == ("own" if target == "own" else "shares")  # type: ignore[index]


def test_own_shares_are_those_of_the_students_examples_and_one_of_each_class(federation: Federation) -> None:
    prior = target_log_prior(federation, 1, "own")
    counts = federation.label_counts(1) + 1
    assert prior == pytest.approx(np.log(counts / counts.sum()))
    assert target_log_prior(federation, 1, "common") is None


def test_shares_that_do_not_fit_are_refused_before_training(federation: Federation) -> None:
    with pytest.raises(PlanError, match="--for: the federation has no class e; its classes: a, b, c, d"):
        deliver(federation, PLAN, make_request(target={"a": 0.5, "e": 0.5}), progress=never)
    rows = federation.splits[Split.TEST]
    without = rows[federation.data.labels[rows] != 1]
    partial = replace(federation, splits={**federation.splits, Split.TEST: without})
    with pytest.raises(PlanError, match=r"no example of class b, which has a share.*give it the share 0"):
        deliver(partial, PLAN, make_request(target=SHARES), progress=never)


@pytest.mark.parametrize("share", [0.8, 0.6, 0.3])
def test_a_model_of_equal_shares_needs_all_of_the_prior_and_one_that_has_it_nothing(share: float) -> None:
    """Two classes whose one feature is normal: by Bayes' rule the best strength is known."""
    places = norm.ppf((np.arange(2000) + 0.5) / 2000)
    labels, feature = np.repeat([0, 1], 2000), np.concatenate([places - 1, places + 1])
    equal = np.stack([-feature, feature], axis=1).astype(np.float32)
    log_prior, weights = np.log([share, 1 - share]), local_weights(labels, (share, 1 - share))
    for part in (0.0, 0.25, 0.5, 1.0):
        has_it = equal + (np.float32(part) * log_prior).astype(np.float32)
        assert best_strength(has_it, labels, log_prior, weights) == 1 - part
    # What changes nothing is not added.
    assert best_strength(np.float32(1e6) * equal, labels, log_prior, weights) == 0


@pytest.mark.parametrize(
    ("layer", "network"),
    [
        (LastLayer("1", (0, 1, 2, 3), 4, has_bias=False), lambda: nn.Linear(3, 4, bias=False)),
        (LastLayer("1", (0, 1, 2, 3), 4, has_bias=True), lambda: nn.Linear(3, 4)),
        (None, lambda: nn.Linear(3, 4)),
    ],
)
def test_the_script_on_the_card_prepares_the_network(
    federation: Federation, layer: LastLayer | None, network, tmp_path: Path
) -> None:
    card = deliver(federation, PLAN, REQUEST).card
    prior = AddedPrior(strength=0.5, log_prior=(-1.0, -2.0, -0.5, -0.25), layer=layer)
    text = markdown(replace(card, request=make_request(target="own"), added=prior), folder="home")
    assert "the student's own class shares; 0.5 times their logarithms" in text
    script = text.partition("```python\n")[2].partition("```")[0].splitlines()
    start = next(n for n, line in enumerate(script) if line.startswith("network = "))
    end = next(n for n, line in enumerate(script) if line.startswith("network.load_state_dict"))
    space = {"torch": torch, "network": nn.Sequential(nn.Flatten(), network())}
    exec("\n".join(script[start + 1 : end]), space)
    prepared = space["network"]
    assert isinstance(prepared, nn.Module)
    assert isinstance(prepared, WithLogPrior) == (layer is None)
    if layer is not None:
        assert "1.bias" in prepared.state_dict()


def test_common_needs_no_further_line(federation: Federation) -> None:
    made = deliver(federation, PLAN, REQUEST)
    text = markdown(made.card, folder="home")
    assert "| for | the common class distribution, as it was trained |" in text
    assert "as trained |" not in text.partition("## By class distribution")[2]
    assert loaded(made.content).state_dict().keys() == load_tensors(made.content).keys()
