"""Questions to a model from elsewhere, as training and evaluation ask them: do its answers serve?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autokd.compute.device import Compute
from autokd.core.weights import Weights
from autokd.data.dataset import Dataset
from autokd.errors import PlanError
from autokd.models.adapter import Adapted
from autokd.models.outputs import logits_in, others_like
from autokd.models.weights import load_weights
from autokd.text.reasons import kind_and_words

_IMAGES: Final = 16
_PIXELS: Final = 16 * 3 * 64 * 64
"""Most pixels to ask about: fewer images if they are large, but two at least, which BatchNorm needs."""
_LOUD: Final = 1e8
"""Factor for images of a brightness that none has."""
_CLOSE: Final = 1e-3
"""Difference that rounding explains, as a share of the largest logit."""


def ask(copy: Callable[..., nn.Module], weights: Weights, data: Dataset, classes: int) -> Iterator[str]:
    """Ask a model for some of its own data, as evaluation and training do, and yield warnings.

    torch's global random state stays as it is.

    Args:
        copy: Makes the network with initial weights of a `seed`.
        weights: Weights of the model.
        data: Its own data, two examples at least.
        classes: Classes of the federation.

    Raises:
        PlanError: If it could not be trained.
    """
    first = _copy(copy, weights, 0)
    count = max(2, min(_IMAGES, _PIXELS // math.prod(first.takes(data.images.shape[1:]))))
    rows = np.unique(np.linspace(0, len(data.images) - 1, count).round().astype(np.int64))
    mean, std = torch.tensor(data.mean), torch.tensor(data.std)
    images = Compute().pixels(torch.from_numpy(np.array(data.images[rows])), mean=mean, std=std)
    labels = torch.from_numpy(np.array(data.labels[rows]))
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)  # A model that draws random numbers is told the same each time.
        second = _copy(copy, weights, 1)
        yield from _in_eval_mode(first, second, images)
        _in_train_mode(second, images, labels, classes)
        _same_head(_copy(copy, weights, 0), first, images)


def _copy(copy: Callable[..., nn.Module], weights: Weights, seed: int) -> Adapted:
    module = copy(seed=seed)
    assert isinstance(module, Adapted)
    load_weights(module, weights)
    return module.eval()


@torch.no_grad()
def _in_eval_mode(module: Adapted, second: Adapted, images: Tensor) -> Iterator[str]:
    """Yield what is odd about the answers to images in eval mode."""
    answers = _answers(module, images)
    logits = logits_in(answers).clone()
    yield from _ambiguous(answers, logits)
    yield from _probabilities(logits, lambda: _louder(module, images, logits))
    if not torch.equal(logits, logits_in(_answers(module, images))):
        yield (
            "answers otherwise when it is asked the same again in eval mode: dropout that is always on "
            "(F.dropout without training=self.training), or other randomness; its accuracy is one of many"
        )
    elif not torch.equal(logits, logits_in(_answers(second, images))):
        yield (
            "a second copy with the same weights answers otherwise: it draws random numbers when it is made "
            "that are not in its state dict; register them as buffers, so that the checkpoint has them"
        )
    else:
        yield from _alone(module, images, logits)


def _ambiguous(answers: Any, logits: Tensor) -> Iterator[str]:
    beside = [tensor for tensor in others_like(answers, logits) if not torch.equal(tensor, logits)]
    if beside:
        named = hasattr(answers, "logits") or (isinstance(answers, dict) and "logits" in answers)
        which = "`logits` is" if named else "the first of them is"
        yield (
            f"answers {len(beside) + 1} tensors of the same shape in eval mode; {which} taken as its logits: "
            "put the one that it classifies by there"
        )


def _probabilities(logits: Tensor, louder: Callable[[], Tensor]) -> Iterator[str]:
    """Yield what is odd about logits between 0 and 1.

    Args:
        louder: Answers to the same images, but far too bright: those of a sigmoid stay within its bounds, and
            the small ones of a network that is hardly trained do not, unless they are the same to all images.
    """
    if logits.shape[1] < 2 or not _in_unit(logits):
        return
    if bool(((logits.sum(dim=1) - 1).abs() < _CLOSE).all()):
        kind, last = "probabilities (they sum to 1)", "softmax"
    elif not _close(logits, logits[:1].expand_as(logits)) and _in_unit(louder()):
        kind, last = "all between 0 and 1, as probabilities are", "sigmoid"
    else:
        return
    yield (
        f"its outputs are {kind}, not logits: temperature and losses take them for logits, and it will "
        f"hardly learn; leave the {last} out of forward, which changes no prediction"
    )


def _louder(module: Adapted, images: Tensor, logits: Tensor) -> Tensor:
    """Return answers to far too bright images, or the logits where there are none, as for token ids."""
    try:
        return logits_in(_answers(module, _LOUD * images)) if images.is_floating_point() else logits
    except PlanError:
        return logits


def _in_unit(values: Tensor) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


def _alone(module: Adapted, images: Tensor, logits: Tensor) -> Iterator[str]:
    half = max(2, len(images) // 2)
    try:
        same = all(_close(logits_in(_answers(module, images[:n])), logits[:n]) for n in (half, 1))
    except PlanError as error:
        yield f"cannot take one input alone, as the last of a split may come: {error.problem}"
        return
    if not same:
        yield (
            "what it answers to an input depends on the others of its batch, in eval mode, too "
            "(BatchNorm without running statistics?): its accuracy depends on the size of batches"
        )


def _in_train_mode(module: Adapted, images: Tensor, labels: Tensor, classes: int) -> None:
    """Make one step of training, on two images and on all, and check what comes of it."""
    module.train()
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        problem = (
            "none of its weights can be trained (requires_grad is False); set it where the network is made"
        )
        raise PlanError(source="training step", problem=problem)
    optimizer = torch.optim.SGD(parameters, lr=1e-4)
    for count in sorted({2, len(images)}):
        optimizer.zero_grad()
        with torch.enable_grad():
            logits = _trained(partial(module, images[:count]))
            if tuple(logits.shape) != (count, classes):
                problem = (
                    f"answers logits of shape {tuple(logits.shape)} to {count} inputs of {classes} classes"
                )
                raise PlanError(source="training step", problem=f"{problem} in training mode")
            loss = F.cross_entropy(logits.float(), labels[:count])
            if not bool(torch.isfinite(loss)):
                problem = f"the loss is {loss.item()} in training mode; its logits or weights are too large"
                raise PlanError(source="training step", problem=problem)
            if not loss.requires_grad:
                problem = (
                    "its logits have no gradient (torch.no_grad or detach in forward?): it could not learn"
                )
                raise PlanError(source="training step", problem=problem)
            _trained(loss.backward)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if not gradients or not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            problem = (
                "some of its gradients are not finite numbers" if gradients else "no weight has a gradient"
            )
            raise PlanError(source="training step", problem=problem)
    optimizer.step()


@torch.no_grad()
def _same_head(module: Adapted, reference: Adapted, images: Tensor) -> None:
    """Check that the logits that are trained are those that count in eval mode.

    The network is in training mode, PyTorch's own layers in it are not, so that both answer the same.
    """
    module.train()
    for layer in module.modules():
        if type(layer).__module__.startswith("torch.nn"):
            layer.training = False
    answers = _answers(module, images)
    logits, wanted = logits_in(answers), logits_in(_answers(reference, images))
    beside = others_like(answers, logits)
    if not _close(logits, wanted) and any(_close(tensor, wanted) for tensor in beside):
        raise PlanError(
            source="training step",
            problem="while it trains, its answers do not begin with what it answers in eval mode, but have "
            "it further behind: another head would be trained; put the one that it classifies by first",
        )


def _answers(module: Adapted, images: Tensor) -> Any:
    """Return all that the network answers; a failure is a PlanError."""
    return _run("forward pass", lambda: module.network(module.network_input(images)), "")


def _trained(step: Callable[[], Any]) -> Any:
    return _run("training step", step, " in training mode")


def _run(source: str, step: Callable[[], Any], mode: str) -> Any:
    try:
        return step()
    except PlanError as error:
        raise PlanError(source=source, problem=f"{error.problem}{mode and f' (it does so{mode})'}") from error
    except Exception as error:
        raise PlanError(source=source, problem=f"fails{mode}: {kind_and_words(error)}") from error


def _close(first: Tensor, other: Tensor) -> bool:
    scale = float(other.abs().max().clamp(min=1e-6))
    return first.shape == other.shape and bool(((first - other).abs() <= _CLOSE * scale).all())
