"""The parts of `benchmarks.gpu`: each yields rows of plain values as soon as it has them."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from torch import multiprocessing
from torch.backends import cudnn

from autokd.compute.device import Compute
from autokd.compute.tensor_formats import fast_precision
from autokd.core.tensor_format import Precision
from autokd.data.run_images import place_images
from autokd.distillation import Run, Rung
from autokd.errors import OutOfMemory
from benchmarks.earlier_engine import digest
from benchmarks.engine import spread
from benchmarks.engine_cases import Case
from benchmarks.gpu_cases import DIGITS, Plan, case, run_of
from benchmarks.gpu_loop import BareLoop, new_stream, on, wait_for

Row = Mapping[str, Any]
Span = tuple[float, float, int]
"""When a run began and ended, on the machine's clock, and how many examples it trained on."""

SHARED_PRECISION: Final[Precision] = "bfloat16"
"""Precision of runs that share a GPU."""
_TOO_LITTLE: Final = 32 * 2**20
"""Bytes in which ResNet-18 cannot be trained, which has 45 MB of weights."""
_WAIT_SECONDS: Final = 1.0


def checks(plan: Plan) -> Iterator[Row]:
    """Yield what tests marked `gpu` assert, and what else depends on the device."""
    what, compute = case(plan, DIGITS), plan.compute("bfloat16")
    images = what.federation.data.images
    where, chosen = np.arange(1, len(images), 2), torch.tensor([3, 0, 4], device=plan.device)
    batches = [
        place_images(images, where, replace(compute, image_bytes=most)).batch(chosen)
        for most in (images.nbytes, 0)
    ]
    yield {
        "check": "batches from the host are those on the device",
        "holds": torch.equal(batches[0], batches[1]) and batches[1].device.type == compute.device,
    }
    (_, resident), (_, streamed) = (
        _finished(what, place) for place in (compute, replace(compute, image_bytes=0))
    )
    yield {
        "check": "images that are not on the device give the same bits",
        "holds": digest(resident.student) == digest(streamed.student) and bool(streamed.notice),
    }
    types = {parameter.dtype for parameter in resident.student.parameters()}
    yield {"check": "in bfloat16 weights stay float32", "holds": types == {torch.float32}}
    short = replace(what, recipe=what.recipe.model_copy(update={"epochs": 1}), rungs=(1,))
    losses = [
        _finished(short, replace(compute, device=device))[0][0].soft_loss for device in (plan.device, "cpu")
    ]
    yield {
        "check": "the first epoch's loss is that of a CPU, up to 5%",
        "holds": abs(losses[0] / losses[1] - 1) < 0.05,
        "losses": losses,
    }
    yield {"check": "--precision auto", "holds": True, "chooses": fast_precision(plan.device)}
    if torch.device(plan.device).type == "cuda":
        yield _runs_out_of_memory(plan)


def _runs_out_of_memory(plan: Plan) -> Row:
    """Return whether a run without memory says so and leaves none taken; another one then works."""
    torch.cuda.empty_cache()
    total, before = torch.cuda.get_device_properties(plan.device).total_memory, torch.cuda.memory_allocated()
    torch.cuda.set_per_process_memory_fraction(_TOO_LITTLE / total)
    try:
        next(run_of(case(plan, "resnet18"), plan.compute("bfloat16")))
        said = False
    except OutOfMemory:
        said = True
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    left = torch.cuda.memory_allocated() - before
    _finished(case(plan, DIGITS), plan.compute("bfloat16"))
    return {"check": "out of memory", "holds": said and left <= 0, "said": said, "bytes_left": left}


def bits(plan: Plan) -> Iterator[Row]:
    """Yield whether the same run twice gives the same weights, to the last bit."""
    for name in plan.networks:
        what = case(plan, name)
        for precision in plan.precisions:
            first, second = (digest(_finished(what, plan.compute(precision))[1].student) for _ in range(2))
            yield {"network": name, "precision": precision, "holds": first == second}


def shares(plan: Plan) -> Iterator[Row]:
    """Yield examples/s of a run's training and of the best bare loop, and quartiles of the ratio in turns."""
    for name in plan.networks:
        what = case(plan, name)
        for precision in plan.precisions:
            compute = plan.compute(precision)
            speeds = []
            # The first turn pays for what PyTorch sets up once.
            for turn in range(1 + plan.turns):
                of_sides = {side: _SIDES[side](what, compute) for side in ((0, 1), (1, 0))[turn % 2]}
                speeds.append([of_sides[0], of_sides[1]])
            run, bare = np.array(speeds[1:]).T
            yield {
                "network": name,
                "precision": precision,
                "run": _rounded(float(np.median(run))),
                "bare": _rounded(float(np.median(bare))),
                "run_of_bare": [_rounded(value) for value in spread(run / bare)],
            }


def _speed_of_run(what: Case, compute: Compute) -> float:
    return _finished(what, compute)[0][-1].examples_per_second


def _speed_of_loop(what: Case, compute: Compute) -> float:
    """Return examples/s of a bare loop that may choose kernels by trying them."""
    loop = BareLoop(what, compute)

    def train() -> None:
        for _ in range(what.recipe.epochs):
            loop.epoch()

    with cudnn.flags(benchmark=True):
        return _timed(compute.device, train) * (what.recipe.epochs * loop.size)


_SIDES: Final[tuple[Callable[[Case, Compute], float], ...]] = (_speed_of_run, _speed_of_loop)


def processes(plan: Plan) -> Iterator[Row]:
    """Yield examples/s of whole runs in processes that share the device."""
    context, most = multiprocessing.get_context("spawn"), plan.at_once[-1]
    # Held here, since a semaphore that nobody holds is gone before a worker opens it.
    everyone, spans = context.Barrier(most), context.Queue()
    together = {count: context.Barrier(count) for count in plan.at_once}
    workers = multiprocessing.spawn(  # type: ignore[attr-defined, no-untyped-call]
        _process, (plan, everyone, together, spans), nprocs=most, join=False
    )
    spans_by_case: dict[tuple[str, int], list[list[Span]]] = {
        (name, count): [] for name in plan.networks for count in plan.at_once
    }
    for (name, count), kept in spans_by_case.items():
        while len(kept) < count:
            try:
                step, answer = spans.get(timeout=_WAIT_SECONDS)
                spans_by_case[step].append(answer)
            except queue.Empty:
                # Raises the exception of a worker that has died, which the others would wait for.
                workers.join(timeout=0)
        yield _at_once(name, count, kept)
    workers.join()


def _process(index: int, plan: Plan, everyone: Any, together: Mapping[int, Any], spans: Any) -> None:
    torch.set_num_threads(1)
    for name in plan.networks:
        what = case(plan, name)
        for count in plan.at_once:
            # Nobody builds or trains anything while fewer are measured.
            everyone.wait()
            if index < count:
                spans.put(((name, count), _spans(what, plan, together[count])[0]))


def streams(plan: Plan) -> Iterator[Row]:
    """Yield the same of threads of one process, each with a CUDA stream of its own; and whether bits stay."""
    for name in plan.networks:
        what = case(plan, name)
        alone = digest(_finished(what, plan.compute(SHARED_PRECISION))[1].student)
        for count in plan.at_once:
            barrier = Barrier(count)

            def work(_: int, what: Case = what, barrier: Barrier = barrier) -> tuple[list[Span], str]:
                with on(new_stream(plan.device)):
                    try:
                        return _spans(what, plan, barrier)
                    except BaseException:
                        barrier.abort()
                        raise

            # A run sets cuDNN's flags and puts them back, for all threads: as here, nothing changes.
            with cudnn.flags(benchmark=False, deterministic=True), ThreadPoolExecutor(count) as pool:
                streams = list(pool.map(work, range(count)))
            row = _at_once(name, count, [spans for spans, _ in streams])
            yield {**row, "same_bits_as_alone": all(weights == alone for _, weights in streams)}


def graphs(plan: Plan) -> Iterator[Row]:
    """Yield examples/s of bare loops with a captured step, each on a stream of its own, and without."""
    for name in plan.networks:
        try:
            yield from _graphs_of(name, plan)
        except RuntimeError as error:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            yield {"network": name, "captured": False, "reason": reason}


def _graphs_of(name: str, plan: Plan) -> Iterator[Row]:
    what = case(plan, name)
    with cudnn.flags(benchmark=False, deterministic=True):
        same = _same_bits_captured(what, plan.compute(SHARED_PRECISION))
    for count in plan.at_once:
        row: dict[str, Any] = {"network": name, "captured": True, "same_bits": same, "at_once": count}
        for side, captured in (("bare", False), ("graph", True)):
            row[side] = _rounded(_speed_of_loops(what, plan, count, captured=captured))
        yield row


def _same_bits_captured(what: Case, compute: Compute) -> bool:
    """Return whether an epoch from a graph ends with the same student as one without."""
    bits = []
    for captured in (False, True):
        loop = BareLoop(what, compute, own_stream=True)
        if captured:
            loop.capture()
        else:
            # Momentum that begins as zeros, as in a loop that has captured.
            with loop.on_stream():
                loop.epoch()
                loop.reset()
        with loop.on_stream():
            loop.epoch()
        wait_for(compute.device)
        bits.append(digest(loop.student))
    return bits[0] == bits[1]


def _speed_of_loops(what: Case, plan: Plan, count: int, *, captured: bool) -> float:
    """Return examples/s, all loops together; one thread gives each of them a step in turn."""
    with cudnn.flags(benchmark=True):
        loops = [BareLoop(what, plan.compute(SHARED_PRECISION), own_stream=True) for _ in range(count)]
        if captured:
            for loop in loops:
                loop.capture()
        speeds = [
            _timed(plan.device, lambda: _epochs(loops, what.recipe.epochs)) for _ in range(1 + plan.turns)
        ]
    return float(np.median(speeds[1:])) * count * what.recipe.epochs * loops[0].size


def _epochs(loops: Sequence[BareLoop], epochs: int) -> None:
    for _ in range(epochs):
        orders = []
        for loop in loops:
            with loop.on_stream():
                orders.append(list(loop.order()))
        for step in zip(*orders, strict=True):
            for loop, chosen in zip(loops, step, strict=True):
                with loop.on_stream():
                    loop.step(chosen)


def _spans(what: Case, plan: Plan, barrier: Any) -> tuple[list[Span], str]:
    """Return a span for each turn, all of which begin together, and the hash of the student."""
    compute, spans = plan.compute(SHARED_PRECISION), []
    for _ in range(1 + plan.turns):
        barrier.wait()
        began = perf_counter()
        rungs, run = _finished(what, compute)
        examples = round(rungs[-1].examples_per_second * rungs[-1].seconds)
        spans.append((began, perf_counter(), examples))
    return spans[1:], digest(run.student)


def _at_once(name: str, count: int, spans: Sequence[Sequence[Span]]) -> Row:
    """Return the row of so many runs at once, from the spans of each turn of each worker."""
    speeds = [
        sum(examples for *_, examples in turn)
        / (max(ended for _, ended, _ in turn) - min(began for began, *_ in turn))
        for turn in zip(*spans, strict=True)
    ]
    return {"network": name, "at_once": count, "whole_runs": _rounded(float(np.median(speeds)))}


def _finished(what: Case, compute: Compute) -> tuple[list[Rung], Run]:
    run = run_of(what, compute)
    return list(run), run


def _timed(device: str, work: Callable[[], object]) -> float:
    """Return how often a second some work is done, until the device has finished."""
    wait_for(device)
    began = perf_counter()
    work()
    wait_for(device)
    return 1 / (perf_counter() - began)


def _rounded(value: float) -> float:
    """Return four significant digits."""
    return float(f"{value:.4g}")
