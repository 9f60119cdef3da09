"""Preparation of a federation: pre-training on Ray workers, once; afterwards it is read from disk."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from autokd.compute import ray_health
from autokd.compute.device import Compute
from autokd.compute.ray_cluster import check_answers, session
from autokd.config.defaults import usual_home, usual_study
from autokd.config.external import ExternalFederation
from autokd.config.federation import AnyFederation, FederationConfig
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.finding import Finding, folded, tell
from autokd.core.public_calls import checked
from autokd.data import builtin
from autokd.data.dataset import Dataset
from autokd.errors import AutokdError, DeviceUnavailable, Diverged, FederationError, InputError, NotTuned
from autokd.federation import lookup, storage
from autokd.federation.external import Checked, load_external_or_raise
from autokd.federation.federation import Federation
from autokd.federation.hashing import assemble
from autokd.federation.layout import lay_out, only_used
from autokd.federation.networks import evaluate_initial
from autokd.federation.own_sources import code_digests, installed_notices
from autokd.federation.pretraining import Pretrained, pretrain
from autokd.federation.source_changes import fingerprints
from autokd.models.building import build_for
from autokd.models.inference import logits_of
from autokd.models.weights import load_weights

Progress = Callable[[int, int], None]
"""Called with the number of participants that are done, and of all."""

_log = logging.getLogger(__name__)

_GPU_SHARE: Final = 0.01
"""Ray hides GPUs from tasks that ask for none; how many share one is limited by `workers`."""
_WAIT_SECONDS: Final = 1.0
"""Time between two calls of `while_waiting`."""


@checked()
def load_federation(
    study: str | Path | StudyConfig | None = None, *, home: str | Path | None = None
) -> Federation:
    """Read the prepared federation of a study from disk, and check all of its content.

    Args:
        study: Name of a shipped study recipe, a YAML file, or a `StudyConfig`; by default `$AUTOKD_STUDY`, or
            else `digits`.
        home: Directory that holds it; by default `$AUTOKD_HOME`, or else `autokd-home` in the working folder.

    Raises:
        NotTuned: If it has not been prepared there.
        InputError: If the recipe does not exist or is not valid.
        FederationError: If the files are damaged.

    >>> import autokd
    >>> federation = autokd.load_federation("mine.yaml")
    >>> len(federation.participants)
    3
    """
    folder = Path(home) if home else usual_home()
    study = usual_study() if study is None else study
    config = study if isinstance(study, StudyConfig) else read_study_config(str(study))
    recipe = config.federation
    federation = lookup.find(folder, recipe)
    if federation is None:
        problem = f"the federation of study {config.name} has not been prepared under {folder}"
        outdated = lookup.superseded(folder, recipe)
        raise NotTuned(f"{outdated or problem}; run autokd prepare, or Workspace.prepare")
    return federation


def prepare(
    recipe: AnyFederation,
    *,
    home: Path,
    compute: Compute,
    workers: int | None = None,
    address: str | None = None,
    progress: Progress = lambda done, total: None,
    while_waiting: Callable[[], None] = lambda: None,
    checked: Checked | None = None,
) -> Federation:
    """Return the federation of a recipe, from disk if it has been prepared before.

    Otherwise pre-train all participants in parallel, or evaluate those that were trained elsewhere in this
    process, and store the result, whose bits do not depend on `workers`. If it is killed at any moment, a
    later call starts anew.

    Args:
        recipe: Recipe of the federation.
        home: Directory that holds all federations.
        compute: Device and threads of each worker.
        workers: Number of workers; by default one per CPU core.
        address: Address of a Ray cluster to join, see `autokd.compute.ray_cluster`; None for this machine.
        progress: Called at the start and after each participant; not at all if the federation was found.
        while_waiting: Called every second while participants are pre-trained, or after each that is only
            evaluated; an exception of it ends the preparation.
        checked: Result of `check`, if it has just been called.

    Raises:
        InputError: If the recipe cannot be met, the device or the cluster is not there, or `home` cannot be
            written; nothing was changed.
        FederationError: If the files are damaged or cannot be written, or if a worker dies.
        WorkersLost: If Ray dies.
        Diverged: If the loss of a pre-training stops being finite.
    """
    prepared = lookup.find(home, recipe)
    if prepared is not None:
        for notice in lookup.notices(home, prepared):
            _log.warning(notice)
        tell(prepared.warnings, _log)
        return prepared
    compute.check(elsewhere=address is not None)
    check_answers(address)
    checked = checked or check(recipe)
    tell(checked.warnings, _log)
    storage.check_writable(home)
    outdated = lookup.superseded(home, recipe)
    if outdated:
        _log.warning(f"{outdated}. It is prepared anew; earlier results stay under the former name")
    if isinstance(recipe, ExternalFederation):
        models = _evaluate_all(checked, compute=compute, progress=progress, while_waiting=while_waiting)
    else:
        models = _pretrain_all(
            recipe,
            checked,
            compute=compute,
            workers=workers,
            address=address,
            progress=progress,
            while_waiting=while_waiting,
        )
    networks = [model.architecture for model in checked.models]
    federation = replace(
        assemble(recipe, checked.data, checked.layout, models, networks, checked.code),
        warnings=checked.warnings,
    )
    if recipe.untrained:
        plain = replace(compute, memory_format="contiguous")
        federation = replace(federation, initial=evaluate_initial(federation, plain))
    folder = storage.federations_folder(home) / federation.name
    checkpoints = [model.checkpoint for model in checked.models]
    storage.save(federation, folder, checkpoints=checkpoints, sources=checked.sources)
    return lookup.with_code(storage.load(folder), recipe)


def check(recipe: AnyFederation) -> Checked:
    """Check a recipe before any worker starts; nothing is written, and warnings are not told yet.

    Raises:
        InputError: If the recipe cannot be met: data set, partition, architecture, or participants that were
            trained elsewhere.
    """
    sources = fingerprints(recipe)
    if isinstance(recipe, ExternalFederation):
        checked = load_external_or_raise(recipe, Compute(), source=recipe.source)
        return replace(checked, sources=sources)
    data = builtin.load(recipe.dataset, recipe.folder, code_folder=recipe.code_folder)
    data, layout = only_used(data, lay_out(recipe, data))
    for architecture in recipe.architectures:
        build_for(data, architecture)
    findings = folded(
        Finding(recipe.source, field, notice) for field, notice in installed_notices(recipe).items()
    )
    return Checked(data=data, layout=layout, sources=sources, code=code_digests(recipe), warnings=findings)


def _evaluate_all(
    checked: Checked, *, compute: Compute, progress: Progress, while_waiting: Callable[[], None]
) -> list[Pretrained]:
    """Evaluate models that were trained elsewhere on all of the data, in this process."""
    # Not every network runs in another layout.
    compute = replace(compute, memory_format="contiguous")
    evaluated: list[Pretrained] = []
    progress(0, len(checked.models))
    for model in checked.models:
        module = build_for(checked.data, model.architecture)
        load_weights(module, model.weights)
        logits = logits_of(compute.place(module), checked.data, compute)
        if not np.isfinite(logits).all():
            raise Diverged(step=0, loss=math.nan)
        evaluated.append(Pretrained(weights=model.weights, logits=logits))
        progress(len(evaluated), len(checked.models))
        while_waiting()
    return evaluated


def _pretrain_all(
    recipe: FederationConfig,
    checked: Checked,
    *,
    compute: Compute,
    workers: int | None,
    address: str | None,
    progress: Progress,
    while_waiting: Callable[[], None],
) -> list[Pretrained]:
    # Imported here, since it takes seconds and a federation found on disk does without.
    import ray
    from ray.exceptions import RayError, RayTaskError

    total = recipe.participants
    # Ray starts no more of them than there are CPUs; nodes that join a cluster find some waiting.
    at_once = min(workers or total, total)
    waiting = list(range(total))
    running: dict[Any, int] = {}
    done: dict[int, Pretrained] = {}
    logged = {""}
    progress(0, total)
    cpus = min(workers or os.cpu_count() or 1, total)
    with session(cpus=cpus, address=address), ray_health.raising("the preparation"):
        on_gpu = torch.device(compute.device).type != "cpu"
        check_room(ray.cluster_resources(), on_gpu=on_gpu)  # type: ignore[no-untyped-call]
        task = ray.remote(num_cpus=1, num_gpus=_GPU_SHARE if on_gpu else 0)(_pretrain_one)
        data = ray.put(checked.data)
        try:
            while len(done) < total:
                while waiting and len(running) < at_once:
                    number = waiting.pop(0)
                    private = checked.layout.private[number]
                    running[task.remote(recipe, data, private, number, compute)] = number
                finished, _ = ray.wait(list(running), timeout=_WAIT_SECONDS)
                while_waiting()
                for reference in finished:
                    model: Pretrained = ray.get(reference)
                    done[running.pop(reference)] = model
                    if model.notice not in logged:
                        logged.add(model.notice)
                        _log.warning(model.notice)
                    progress(len(done), total)
        except RayTaskError as error:
            # Ray's wrapper has a whole remote traceback for a message.
            if isinstance(error.cause, AutokdError):
                raise error.cause from None
            raise
        except RayError as error:
            raise FederationError(
                f"a worker that was pre-training died ({type(error).__name__}); run the command again, "
                "with fewer --workers if memory is short"
            ) from error
        finally:
            for reference in running:
                ray.cancel(reference, force=True)
    return [done[number] for number in range(total)]


def check_room(resources: Mapping[str, float], *, on_gpu: bool) -> None:
    """Check the resources of the whole cluster, by Ray's names; Ray itself would wait for ever.

    Raises:
        InputError: If no worker would ever start.
    """
    if resources.get("CPU", 0) < 1:
        raise InputError("the cluster offers no CPU to workers; let a node with some join it")
    if on_gpu and resources.get("GPU", 0) < _GPU_SHARE:
        raise DeviceUnavailable("--device cuda: no node of the cluster offers a GPU; use --device cpu")


def _pretrain_one(
    recipe: FederationConfig, data: Dataset, private: NDArray[np.int64], participant: int, compute: Compute
) -> Pretrained:
    """Pre-train one participant in a worker."""
    torch.set_num_threads(compute.threads)
    return pretrain(recipe, data, private, participant=participant, compute=compute.on_assigned_gpu())
