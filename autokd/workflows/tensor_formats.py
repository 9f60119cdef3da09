"""The tensor format of each pair's runs: what its stored runs have, or what is chosen for its first study.

All runs of a pair under one recipe have the same one (search in any space, confirmation, sweep,
alternatives), since those with equal seeds are compared with each other.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from functools import cache

from autokd.compute.device import Compute
from autokd.compute.tensor_formats import choose_format, precision_notice
from autokd.core.setting import AnyPair
from autokd.core.tensor_format import TensorFormat
from autokd.errors import InputError
from autokd.federation.federation import Federation
from autokd.federation.networks import network
from autokd.search.study_names import of_recipe, rivals_name, sweep_name
from autokd.store import Store
from autokd.store.db_errors import validated
from autokd.workflows.results import StoredResults

_log = logging.getLogger(__name__)


def tensor_formats(
    results: StoredResults, federation: Federation, pairs: Collection[AnyPair], compute: Compute
) -> dict[AnyPair, TensorFormat]:
    """Return the tensor format of the runs of each pair.

    Args:
        compute: What the user asks for; it chooses for pairs without stored runs.

    Raises:
        InputError: If it contradicts stored runs, or a network cannot run in the layout that it asks for.
    """
    names = _StoredNames(results.store)
    # A trial pass is as long as a step of training, and a federation may have many participants.
    chosen = cache(lambda participant: chosen_format(federation, participant, compute))
    first_alike = cache(lambda participant: _first_alike(federation, participant))
    formats: dict[AnyPair, TensorFormat] = {}
    for pair in pairs:
        stored = _stored(results, names, pair)
        if stored is not None:
            _check_agreement(pair, stored, compute)
        formats[pair] = chosen(first_alike(pair.student)) if stored is None else stored
    return formats


def _first_alike(federation: Federation, participant: int) -> int:
    """Return the lowest number of a participant with the same architecture, on which the format depends."""
    architectures = [other.architecture for other in federation.participants]
    return architectures.index(architectures[participant])


def chosen_format(federation: Federation, student: int, compute: Compute) -> TensorFormat:
    """Return the tensor format for a student without stored runs; a notice says what bfloat16 gains.

    Raises:
        InputError: If the network cannot run in the layout that `compute` asks for.
    """
    tensor_format = choose_format(compute, network(federation, student), federation.data.image_shape)
    if compute.precision == "auto":
        _log.warning(precision_notice(compute.device, tensor_format.precision))
    return tensor_format


def filled_from_store(results: StoredResults, pair: AnyPair, compute: Compute) -> Compute:
    """Return the same with what it leaves open as the stored runs of a pair have it, if there are any."""
    stored = _stored(results, _StoredNames(results.store), pair)
    if stored is None:
        return compute
    return replace(
        compute,
        memory_format=stored.memory_format if compute.memory_format == "auto" else compute.memory_format,
        precision=stored.precision if compute.precision in ("auto", None) else compute.precision,
    )


class _StoredNames:
    """The names of all studies and runs of a store, by pair."""

    def __init__(self, store: Store) -> None:
        self.studies = frozenset(store.studies())
        self._of_pair: defaultdict[str, set[str]] = defaultdict(set)
        for name in store.names():
            self._of_pair[name.rpartition("/")[2]].add(name)

    def of(self, pair: AnyPair) -> Collection[str]:
        """Return the names that end with a pair, of whatever recipe."""
        return self._of_pair.get(pair.key, ())


def _stored(results: StoredResults, names: _StoredNames, pair: AnyPair) -> TensorFormat | None:
    """Return the tensor format of the stored runs of a pair under the recipe; None without any."""
    store, config, federation = results.store, results.config, results.facts.name
    known = names.of(pair)
    if not known:
        return None
    own = results.searched(pair)
    if own.trials:
        return own.tensor_format
    for study in of_recipe(sorted(names.studies.intersection(known)), federation, config, pair):
        attributes = store.attributes(study)
        # Earlier versions of autokd wrote none.
        if "memory_format" in attributes or store.trials(study):
            with validated(f"study {study!r}"):
                return TensorFormat.from_json(attributes)
    for name in (sweep_name(federation, config, pair), rivals_name(federation, config, pair)):
        tensor_format = store.tensor_format_of_runs(name) if name in known else None
        if tensor_format is not None:
            return tensor_format
    return None


def _check_agreement(pair: AnyPair, stored: TensorFormat, compute: Compute) -> None:
    """Raise `InputError` if somebody asks for another tensor format than stored runs have."""
    for option, value, fixed in (
        ("--memory-format", compute.memory_format, stored.memory_format),
        ("--precision", compute.precision, stored.precision),
    ):
        if value not in ("auto", None, fixed):
            raise InputError(
                f"{option} {value}: the stored runs of pair {pair} are {fixed}, and all runs of a pair are "
                f"alike; leave {option} out, or give the recipe another name, which begins a new study"
            )
