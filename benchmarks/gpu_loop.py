"""The best bare loop on a GPU: that of `benchmarks.engine` with a device, a precision and a CUDA graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from autokd.compute.device import Compute
from autokd.core.setting import derive_seed
from autokd.distillation import examples
from autokd.federation.networks import network
from autokd.models.training import batches
from benchmarks.engine_cases import SETTING, Case

NOT_CAPTURED: Final = (
    "a graph repeats one step to the byte: a last batch of another size runs without it, a new learning rate "
    "(schedule cosine) or a batch in parts (on_out_of_memory: split) needs another graph, and images that do "
    "not fit on the device cannot be in one, since the host fetches them"
)
"""Where a training step cannot be captured."""
_WARM_UP: Final = 3
"""Steps before the capture, in which cuDNN and cuBLAS set up what may not be set up inside one."""


def new_stream(device: str) -> torch.cuda.Stream | None:
    """Return a new CUDA stream; None on a CPU."""
    if torch.device(device).type != "cuda":
        return None
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def on(stream: torch.cuda.Stream | None) -> AbstractContextManager[object]:
    """Return the context whose kernels run on a stream; for None on the usual one."""
    return nullcontext() if stream is None else torch.cuda.stream(stream)


def wait_for(device: str) -> None:
    """Wait until a GPU has done all that it was asked to do."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


class BareLoop:
    """A training with nothing but its steps, in channels_last.

    Attributes:
        size: Number of examples of an epoch.
        student: The network that is trained.
        stream: Where its kernels run; None for the usual one, and on a CPU.
    """

    def __init__(self, what: Case, compute: Compute, *, own_stream: bool = False) -> None:
        federation, pair, recipe = what.federation, what.pair, what.recipe
        data, where = federation.data, examples(federation, pair, SETTING.transfer_set)
        self._device, self._half = compute.device, compute.precision == "bfloat16"
        self._batch_size, self.size = recipe.batch_size, len(where)
        self._seed = derive_seed(federation.name, str(pair), 0)
        self._order = torch.Generator().manual_seed(self._seed)
        self._temperature, self._alpha = SETTING.temperature, SETTING.alpha or 0.0
        self.stream = new_stream(compute.device) if own_stream else None
        self._graph: torch.cuda.CUDAGraph | None = None
        with self.on_stream():
            pixels = torch.from_numpy(data.images[where]).permute(0, 2, 3, 1).float()
            images = (pixels - torch.tensor(data.mean)) / torch.tensor(data.std)
            self._images = images.contiguous().to(self._device)
            self._labels = torch.from_numpy(data.labels[where]).to(self._device)
            teacher = torch.from_numpy(federation.logits[pair.teacher, where]).to(self._device)
            self._targets = F.log_softmax(teacher / self._temperature, dim=1)
            self.student = network(federation, pair.student).train().to(self._device)
            self.student.to(memory_format=torch.channels_last)
            self._before = {name: value.clone() for name, value in self.student.state_dict().items()}
            self._chosen = torch.arange(min(self._batch_size, self.size), device=self._device)
        self._optimizer = torch.optim.SGD(
            self.student.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, fused=True
        )

    def on_stream(self) -> AbstractContextManager[object]:
        """Return the context for all that this loop does."""
        return on(self.stream)

    def order(self) -> Iterator[Tensor]:
        """Yield the batches of the next epoch, for `step`."""
        return batches(self.size, self._batch_size, self._order, device=self._device)

    def epoch(self) -> None:
        """Train on every example once; a GPU may still be busy afterwards."""
        for chosen in self.order():
            self.step(chosen)

    def step(self, chosen: Tensor) -> None:
        """Make one optimizer step, from the graph if there is one and the batch has its size."""
        if self._graph is None or len(chosen) != len(self._chosen):
            self._train_on(chosen)
            return
        self._chosen.copy_(chosen)
        self._graph.replay()

    def capture(self) -> None:
        """Record a step as a CUDA graph, which later steps replay; the student is as at the beginning.

        Raises:
            RuntimeError: If it cannot be captured, as on the usual stream or on a CPU.
        """
        if self.stream is None:
            raise RuntimeError("a CUDA graph is captured on a stream of its own")
        with self.on_stream():
            for _ in range(_WARM_UP):
                self._train_on(self._chosen)
        wait_for(self._device)
        graph = torch.cuda.CUDAGraph()
        # On its own stream, since graphs that were captured on one stream share scratch memory of cuBLAS.
        with torch.cuda.graph(graph, stream=self.stream):
            self._train_on(self._chosen)
        self._graph = graph
        with self.on_stream():
            self.reset()
        wait_for(self._device)

    def reset(self) -> None:
        """Put the student back to its first weights, in place, where a graph expects them."""
        self.student.load_state_dict(self._before)
        for state in self._optimizer.state.values():
            state["momentum_buffer"].zero_()
        self._order.manual_seed(self._seed)

    def _train_on(self, chosen: Tensor) -> None:
        kind = torch.device(self._device).type
        # Without a cache: each weight is used once a step, and a graph may not hold what lies outside it.
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=self._half, cache_enabled=False):
            logits = self.student(self._images.index_select(0, chosen).permute(0, 3, 1, 2)).float()
        soft = F.kl_div(
            F.log_softmax(logits / self._temperature, dim=1),
            self._targets.index_select(0, chosen),
            reduction="batchmean",
            log_target=True,
        )
        hard = F.cross_entropy(logits, self._labels.index_select(0, chosen))
        loss = self._alpha * self._temperature**2 * soft + (1 - self._alpha) * hard
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
