"""A model is asked as training will ask it: what is odd is said, what cannot be trained is refused."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from autokd.config.federation import ExternalArchitecture
from autokd.data.dataset import Dataset
from autokd.errors import PlanError
from autokd.federation.questions import ask
from autokd.models.adapter import Adapted
from autokd.models.outputs import logits_in
from autokd.models.weights import weights_of

CLASSES, EXAMPLES = 3, 12
Named = namedtuple("Named", "aux logits")
DATA = Dataset(
    images=np.random.default_rng(0).integers(0, 256, (EXAMPLES, 1, 4, 4), dtype=np.uint8),
    labels=np.arange(EXAMPLES, dtype=np.int64) % CLASSES,
    classes=("a", "b", "c"),
    mean=(0.0,),
    std=(255.0,),
)
Answer = Callable[["Net", Tensor], Any]


class Net(nn.Module):
    """Two heads on the pixels; `answer` says what is made of them."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.main, self.side = nn.Linear(16, CLASSES), nn.Linear(16, CLASSES)
        self.norm = nn.BatchNorm1d(16, track_running_stats=False)
        self.noise = torch.randn(CLASSES)
        self.answer, self.times = answer, 0

    def forward(self, images: Tensor) -> Any:
        return self.answer(self, images.flatten(1))


def asked(answer: Answer, change: Callable[[Net], object] = lambda net: None) -> list[str]:
    def copy(*, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            net = Net(answer)
        change(net)
        recipe = ExternalArchitecture(name="any", outputs=CLASSES, labels=(0, 1, 2))
        return Adapted(net, recipe, channels=1)

    weights = weights_of(copy(seed=7))
    before = torch.get_rng_state()
    try:
        return list(ask(copy, weights, DATA, CLASSES))
    finally:
        assert torch.equal(torch.get_rng_state(), before)


def test_a_plain_network_is_well() -> None:
    assert asked(lambda net, x: net.main(x)) == []


WELL: dict[str, Answer] = {
    "logits and features": lambda net, x: (net.main(x), {"pooled": x}),
    "a list of one": lambda net, x: [net.main(x)],
    "a dict": lambda net, x: {"loss": None, "logits": net.main(x)},
    "an object": lambda net, x: SimpleNamespace(loss=None, logits=net.main(x), hidden_states=None),
    "a list while it trains": lambda net, x: [net.main(x), net.side(x)] if net.training else net.main(x),
    "a tuple while it trains": lambda net, x: (net.main(x), net.side(x)) if net.training else net.main(x),
    "a named tuple while it trains": lambda net, x: (
        Named(net.side(x), net.main(x)) if net.training else net.main(x)
    ),
    "a dict while it trains": lambda net, x: (
        {"aux": net.side(x), "logits": net.main(x)} if net.training else net.main(x)
    ),
    "a tuple in a tuple": lambda net, x: ((net.main(x), x), x),
    "log-probabilities": lambda net, x: F.log_softmax(net.main(x), dim=1),
    "dropout": lambda net, x: net.main(F.dropout(x, training=net.training)),
    "half precision": lambda net, x: net.main(x).half(),
    "small logits, as before training": lambda net, x: net.main(x).abs() / 100,
    "the same small logits to all": lambda net, x: (0 * net.main(x)).cos() / 2,
}


@pytest.mark.parametrize("case", WELL)
def test_answers_in_other_forms_are_well(case: str) -> None:
    assert asked(WELL[case]) == []


WARNED: dict[str, tuple[Answer, str]] = {
    "softmax": (lambda net, x: net.main(x).softmax(1), r"probabilities \(they sum to 1\).*softmax out of"),
    "softmax in a tuple": (lambda net, x: (net.main(x).softmax(1), x), "probabilities"),
    "sigmoid": (lambda net, x: net.main(x).sigmoid(), "between 0 and 1.*sigmoid out of"),
    "sigmoid of images in their range only": (
        lambda net, x: net.main(_bright(x)).sigmoid(),
        "between 0 and 1.*sigmoid out of",
    ),
    "dropout that is always on": (lambda net, x: net.main(F.dropout(x)), "asked the same again.*dropout"),
    "noise": (lambda net, x: net.main(x) + torch.randn(1), "asked the same again.*randomness"),
    "a state": (lambda net, x: net.main(x) * _next(net), "asked the same again"),
    "numbers that are not in the checkpoint": (
        lambda net, x: net.main(x) + net.noise,
        "second copy.*buffers",
    ),
    "statistics of the batch": (
        lambda net, x: net.main(net.norm(x)),
        "depends on the others of its batch.*BatchNorm",
    ),
    "a mean over the batch": (lambda net, x: net.main(x - x.mean(0)), "depends on the others of its batch"),
    "several heads": (
        lambda net, x: (net.main(x), net.side(x)),
        "2 tensors of the same shape.*first of them",
    ),
    "a dict of several": (
        lambda net, x: {"aux": net.side(x), "logits": net.main(x)},
        "2 tensors of the same shape.*`logits` is taken",
    ),
    "squeeze": (lambda net, x: net.main(x).squeeze(), "one input alone"),
}


def _bright(images: Tensor) -> Tensor:
    if images.max() > 1:
        raise ValueError("pixels are 0 to 1")
    return images


def _next(net: Net) -> float:
    net.times += 1
    return float(net.times)


@pytest.mark.parametrize("case", WARNED)
def test_what_is_odd_is_warned_of_once(case: str) -> None:
    answer, words = WARNED[case]
    (warning,) = asked(answer)
    assert re.search(words, warning), warning


def _fails(net: Net, x: Tensor) -> Any:
    if net.training:
        raise ValueError("targets should be given in training mode\nsee there")
    return net.main(x)


def _batch_of(size: int) -> Answer:
    return lambda net, x: net.main(x.view(size, 16)) if net.training else net.main(x)


@torch.no_grad()
def _no_gradient(net: Net, x: Tensor) -> Any:
    return net.main(x)


REFUSED: dict[str, tuple[Answer, str]] = {
    "fails while it trains": (
        _fails,
        r"training step: fails in training mode: ValueError: targets should be",
    ),
    "two images are too few": (_batch_of(EXAMPLES), "training step: fails in training mode: RuntimeError"),
    "one size of batches": (_batch_of(2), "training step: fails in training mode: RuntimeError"),
    "a loss while it trains": (
        lambda net, x: net.main(x).sum() if net.training else net.main(x),
        "in training",
    ),
    "features while it trains": (
        lambda net, x: (x, net.main(x)) if net.training else net.main(x),
        "training mode",
    ),
    "nothing while it trains": (
        lambda net, x: None if net.training else net.main(x),
        "a NoneType.*training mode",
    ),
    "not finite while it trains": (
        lambda net, x: net.main(x) * (float("nan") if net.training else 1),
        "the loss is nan in training mode",
    ),
    "no gradient": (_no_gradient, "no gradient.*could not learn"),
    "detached": (lambda net, x: net.main(x).detach(), "no gradient"),
    "another head is trained": (
        lambda net, x: [net.side(x), net.main(x)] if net.training else net.main(x),
        "another head would be trained",
    ),
    "another head, in a dict": (
        lambda net, x: {"logits": net.side(x), "final": net.main(x)} if net.training else net.main(x),
        "another head would be trained",
    ),
    "class numbers": (lambda net, x: net.main(x).argmax(1), r"answers \(12\) of torch.int64, not logits"),
    "feature maps": (lambda net, x: net.main(x)[:, :, None, None], r"answers \(12, 3, 1, 1\), not logits"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_is_refused_in_a_line(case: str) -> None:
    answer, words = REFUSED[case]
    with pytest.raises(PlanError, match=words) as caught:
        asked(answer)
    assert "\n" not in caught.value.problem


def test_weights_that_are_frozen_are_refused() -> None:
    with pytest.raises(PlanError, match="requires_grad is False"):
        asked(lambda net, x: net.main(x), lambda net: net.requires_grad_(False))


@given(st.data())
def test_wherever_logits_lie_they_are_found(data: st.DataObject) -> None:
    """First in tuples and lists, `logits` in mappings and objects, to any depth that somebody would write."""
    logits = torch.randn(2, 5)
    answers: Any = logits
    other = st.sampled_from([None, 1.5, torch.zeros(2, 7), [torch.ones(2, 5)]])
    for _ in range(data.draw(st.integers(0, 4))):
        beside = data.draw(st.lists(other, max_size=2))
        kind = data.draw(st.sampled_from([tuple, list, dict, SimpleNamespace, Named]))
        if kind is Named:
            answers = Named(data.draw(other), answers)
        elif kind is SimpleNamespace and isinstance(answers, Tensor | tuple | list | dict):
            answers = SimpleNamespace(logits=answers, loss=data.draw(other))
        elif kind is dict:
            answers = {"loss": data.draw(other), "logits": answers}
        else:
            answers = (tuple if kind is tuple else list)([answers, *beside])
    assert logits_in(answers) is logits


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_answers_without_logits_are_refused(answers: Any) -> None:
    with pytest.raises(PlanError, match="not logits"):
        logits_in(answers)
