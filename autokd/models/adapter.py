"""Networks that were trained elsewhere, adapted to the input and the classes of a federation."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Final, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from autokd.config.external import Network
from autokd.config.federation import ArchitectureConfig, ExternalArchitecture
from autokd.config.images import Input
from autokd.core.import_factory import TIMM, call, code_of, is_timm
from autokd.core.own_code import OwnCode
from autokd.errors import PlanError, UnknownName
from autokd.models.architectures import ARCHITECTURES, architecture, built, change_stem
from autokd.models.hugging_face import hugging_face_network, is_hugging_face
from autokd.models.kd_networks import KD_NETWORKS, is_kd_network
from autokd.models.outputs import logits_in
from autokd.models.shapes import AnyShape, Shape, TensorShape, with_classes
from autokd.text.quoting import did_you_mean, quoted
from autokd.text.reasons import kind_and_words

_PLAIN: Final = ("cnn", "mlp")
_MOST_OUTPUTS: Final = 100_000
_GREY: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue. Source: ITU-R BT.601, as in Pillow and torchvision."""
_BELOW: Final = 1.0
"""Distance of unknown classes below the least likely known one at the start, in logits."""
OWNERS_NETWORK: Final = "network."
"""What stands before the names of the owner's network in those of `Adapted`."""
_NOT_OPTIONS: Final = ("weights", "weights_backbone", "progress")
_NOT_TIMMS_OPTIONS: Final = (
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "checkpoint_path",
    "cache_dir",
)


class Adapted(nn.Module):
    """A network behind its own normalisation, with its outputs in the order of the federation's classes.

    A class without an output of the network gets one here: a linear function of all outputs, added to a floor
    below the least likely known class. The function starts at zero, so the model first answers as before, and
    a teacher can teach it the new class.

    Args:
        network: Maps images (batch, channels, height, width), or tensors, to `recipe.outputs` logits.
        recipe: Network with its input and labels.
        channels: Channels of the federation's images; None for tensors, which get nothing but the
            normalisation that the recipe asks for: one number, or one for each entry of their first axis.
    """

    mean: Tensor
    std: Tensor
    grey: Tensor
    known: Tensor
    order: Tensor

    def __init__(self, network: nn.Module, recipe: ExternalArchitecture, *, channels: int | None) -> None:
        super().__init__()
        self.network = network
        self._is_tensor = channels is None
        self._from, self._to = channels or 0, recipe.input.channels or channels or 0
        self._size = recipe.input.size
        self.is_plain = {*recipe.input.mean} == {0.0} and {*recipe.input.std} == {1.0}
        mean, std = (
            torch.tensor(values, dtype=torch.float32).view((1, -1) if channels is None else (1, -1, 1, 1))
            for values in (recipe.input.mean, recipe.input.std)
        )
        known = [output for output in recipe.labels if output >= 0]
        place = iter(range(len(known)))
        unknown = iter(range(len(known), len(recipe.labels)))
        order = [next(place if output >= 0 else unknown) for output in recipe.labels]
        # Not persistent: the state dict stays that of the network.
        for name, value in {
            "mean": mean,
            "std": std,
            "grey": torch.tensor(_GREY).view(1, 3, 1, 1),
            "known": torch.tensor(known),
            "order": torch.tensor(order),
        }.items():
            self.register_buffer(name, value, persistent=False)
        self.unknown: nn.Linear | None = None
        if len(known) < len(recipe.labels):
            self.unknown = nn.Linear(recipe.outputs, len(recipe.labels) - len(known))
            nn.init.zeros_(self.unknown.weight)
            nn.init.zeros_(self.unknown.bias)
        self._identity = known == list(range(recipe.outputs)) and self.unknown is None

    def train(self, mode: bool = True) -> Self:
        """Set the mode; a network may have an `eval` of its own, which `nn.Module.eval` asks of no child."""
        super().train(mode)
        if not mode:
            self.network.eval()
        return self

    def takes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the network's input for inputs of this shape."""
        if self._is_tensor:
            return shape
        _, height, width = shape
        return self._to, self._size or height, self._size or width

    def network_input(self, images: Tensor) -> Tensor:
        """Return what the network itself is given, for pixels in [0, 1] or tensors."""
        if self._is_tensor:
            return self._normalised(images)
        if self._to > self._from:
            images = images.expand(-1, self._to, -1, -1)
        elif self._to < self._from:
            images = (images * self.grey).sum(dim=1, keepdim=True)
        square = None if self._size is None else (self._size, self._size)
        if square not in (None, tuple(images.shape[-2:])):
            images = F.interpolate(images, size=square, mode="bilinear", antialias=True)
        return (images - self.mean) / self.std

    def _normalised(self, inputs: Tensor) -> Tensor:
        """Return tensors as they are, so whole numbers stay so, unless the recipe asks for normalisation."""
        if self.is_plain:
            return inputs
        after = (1,) * (inputs.ndim - 2)
        mean, std = (values.reshape(1, -1, *after) for values in (self.mean, self.std))
        return (inputs - mean) / std

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of the federation's classes, shape (batch, classes), for pixels or tensors."""
        answers = logits_in(self.network(self.network_input(images)))
        if self._identity:
            return answers
        logits: Tensor = answers.index_select(1, self.known)
        if self.unknown is not None:
            floor = logits.detach().min(dim=1, keepdim=True).values - _BELOW
            logits = torch.cat([logits, floor + self.unknown(answers)], dim=1)
        return logits.index_select(1, self.order)


def adapted(recipe: ExternalArchitecture, shape: AnyShape) -> nn.Module:
    """Return the network of a participant, adapted to the federation's inputs; their classes do not count.

    Raises:
        PlanError, UnknownName: As `external_network`.
    """
    network = external_network(
        Network(name=recipe.name, options=recipe.options),
        shape=input_shape(recipe.input, with_classes(shape, recipe.outputs)),
        code=recipe.code or network_code(recipe.name, recipe.code_folder),
    )
    return Adapted(network, recipe, channels=shape.channels if isinstance(shape, Shape) else None)


def input_shape(wanted: Input, images: AnyShape) -> AnyShape:
    """Return the shape of a network with this input for the federation's inputs."""
    if isinstance(images, TensorShape):
        return images
    height, width = (wanted.size or side for side in images.pixels)
    return Shape(wanted.channels or images.channels, height, images.classes, width)


def network_code(name: str, folder: Path | None) -> OwnCode | None:
    """Return the code of a network that is one's own, see `code_of`; nothing is run."""
    return code_of(name, folder) if ":" in name and not is_timm(name, folder) else None


def external_network(recipe: Network, *, shape: AnyShape, code: OwnCode | None = None) -> nn.Module:
    """Return the network that a recipe names, with random weights, in float32.

    Options may set another number of outputs than `shape`. `code` is what `network_code` returns.

    Raises:
        UnknownName: If no network has that name.
        PlanError: If the options are not valid, or the factory returns no network.
    """
    if code is not None and is_hugging_face(code, recipe.name):
        return hugging_face_network(recipe, code)
    if code is not None:
        made = call(recipe.name, recipe.options, code)
        if not isinstance(made, nn.Module):
            problem = f"makes a {type(made).__name__}, not a torch.nn.Module"
            raise PlanError(source=recipe.name, problem=problem)
        return _materialised(made.float(), recipe.name, shape)
    if recipe.name in _PLAIN or is_kd_network(recipe.name, recipe.options):
        plain = ArchitectureConfig(name=recipe.name, options=recipe.options)
        try:
            return built(architecture(plain), shape)
        except ValueError as error:
            raise _refused(recipe.name, str(error)) from error
    if isinstance(shape, TensorShape):
        try:
            shape = shape.as_images
        except ValueError as error:
            raise PlanError(source=f"network {recipe.name}", problem=str(error)) from None
    if recipe.name.startswith(TIMM):
        return _timm_network(recipe, shape)
    return _torchvision_network(recipe, shape)


def _materialised(network: nn.Module, name: str, shape: AnyShape) -> nn.Module:
    """Return a network whose lazy layers (`nn.LazyLinear`) have the shapes that its input gives them."""
    if not any(is_lazy(value) for value in (*network.parameters(), *network.buffers())):
        return network
    try:
        with torch.no_grad():
            network.eval()(shape.zeros(2))
    except Exception as error:
        problem = f"cannot give its lazy layers their shapes: {kind_and_words(error)}"
        raise PlanError(source=name, problem=problem) from error
    return network.train()


def _torchvision_network(recipe: Network, shape: Shape) -> nn.Module:
    # Imported here, since it takes seconds.
    from torchvision import models

    known = models.list_models(module=models)
    module, _, factory = recipe.name.rpartition(".")
    if module:
        problem = f"no network is called so; your own is {module}:{factory}"
        raise PlanError(source=f"network {recipe.name}", problem=problem)
    if recipe.name not in known:
        hint = "Your own is package.module:factory."
        raise UnknownName(
            kind="network", name=recipe.name, known=[*ARCHITECTURES, *KD_NETWORKS, *known], hint=hint
        )
    options: dict[str, Any] = {"num_classes": shape.classes, **recipe.options}
    stem, outputs = options.pop("stem", "usual"), options["num_classes"]
    if type(outputs) is not int or not 0 < outputs <= _MOST_OUTPUTS:
        problem = f"num_classes is a whole number from 1 to {_MOST_OUTPUTS}, not {quoted(outputs)}"
        raise _refused(recipe.name, problem)
    forbidden = [name for name in _NOT_OPTIONS if name in options]
    if forbidden:
        raise _refused(recipe.name, f"{forbidden[0]} is no option: weights are those of the checkpoint")
    if stem not in ("usual", "cifar"):
        raise _refused(recipe.name, f"stem is usual or cifar, not {stem!r}")
    try:
        network: nn.Module = models.get_model(recipe.name, weights=None, **options)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise _refused(recipe.name, str(error).partition("\n")[0][:200]) from error
    if isinstance(network, models.ResNet):
        change_stem(network, stem, shape.channels)
    elif stem == "cifar":
        raise _refused(recipe.name, "stem is an option of ResNets only")
    return network.float()


def _timm_network(recipe: Network, shape: Shape) -> nn.Module:
    """Return a model of timm without weights; nothing is downloaded."""
    try:
        timm: Any = import_module("timm")
    except ImportError:
        problem = "needs the package timm, which is not installed here; pip install 'autokd[timm]'"
        raise PlanError(source=f"network {recipe.name}", problem=problem) from None
    name = recipe.name.removeprefix(TIMM)
    if not timm.is_model(name):
        known = timm.list_models()
        problem = f"timm {timm.__version__} has no model {name!r}{did_you_mean(name, known)}"
        raise PlanError(source=f"network {recipe.name}", problem=problem)
    forbidden = [option for option in _NOT_TIMMS_OPTIONS if option in recipe.options]
    if forbidden:
        raise _refused(recipe.name, f"{forbidden[0]} is no option: weights are those of the checkpoint")
    options: dict[str, Any] = {"num_classes": shape.classes, "in_chans": shape.channels, **recipe.options}
    try:
        network: nn.Module = timm.create_model(name, pretrained=False, **options)
    except Exception as error:
        raise _refused(recipe.name, kind_and_words(error)) from error
    return network.float()


def _refused(name: str, problem: str) -> PlanError:
    return PlanError(source=f"network {name}", field="options", problem=problem)
