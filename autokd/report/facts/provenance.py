"""How everything was made, and the commands that make it again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autokd.config.base import content_hash
from autokd.config.federation import FederationConfig
from autokd.config.study import CONFIRMATION_SEEDS, RACE_SEEDS, SEARCH_SEED, SWEEP_SEEDS, StudyConfig
from autokd.core.records import FederationFacts
from autokd.core.setting import Pair
from autokd.recommendation.payload import count_by_state
from autokd.report.material import Material, PairMaterial

Entry = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceFacts:
    """All as (name, value) in words.

    Attributes:
        identity: Names with their hashes.
        splits: What each part of the data is for, and its size.
        seeds: Which seed indices each stage uses.
        recipe: Every field of the study, dotted.
        space: Every dimension of the search space.
        versions: Of the packages that results depend on.
        commands: In the order in which they are typed.
    """

    identity: tuple[Entry, ...]
    splits: tuple[Entry, ...]
    seeds: tuple[Entry, ...]
    recipe: tuple[Entry, ...]
    space: tuple[Entry, ...]
    versions: tuple[Entry, ...]
    commands: tuple[str, ...]


def provenance_facts(material: Material, pair: Pair | None = None) -> ProvenanceFacts:
    """Everything that a second machine needs.

    Args:
        material: What is reported.
        pair: If only that is.
    """
    plan, federation = material.plan, material.federation
    sizes = _sizes(plan, federation)
    private = "" if federation is None else f"{sum(sum(one.histogram) for one in federation.participants)}"
    study = next((one.records.study.rpartition("/")[0] for one in material.pairs if one.records.study), "")
    seeds = plan.confirmation
    return ProvenanceFacts(
        identity=(
            ("federation", "not prepared yet" if federation is None else federation.name),
            ("studies", f"{study}/T->S" if study else "none yet"),
            ("hash of the whole recipe", content_hash(plan)),
        ),
        splits=(
            ("private", f"{private} examples, what participants train on" if private else "not divided yet"),
            ("validation", f"{sizes['validation']} examples: the search and the race look here"),
            ("confirmation", f"{sizes['confirmation']} examples: the verdict looks here"),
            ("test", f"{sizes['test']} examples: only reported"),
            ("public", f"{sizes['public']} examples, unlabelled: the transfer set public"),
        ),
        seeds=(
            ("search", f"{SEARCH_SEED} for every trial"),
            ("race", _seeds(RACE_SEEDS, seeds.race_seeds)),
            ("confirmation", _seeds(CONFIRMATION_SEEDS, seeds.seeds)),
            ("sweep", f"from {SWEEP_SEEDS}"),
        ),
        recipe=tuple(_flat(plan.model_dump(mode="json"))),
        space=tuple(_flat(material.space)),
        versions=tuple(material.versions.items()),
        commands=tuple(_commands(material, pair)),
    )


def _sizes(plan: StudyConfig, federation: FederationFacts | None) -> Mapping[str, int | str]:
    """Of the common parts: as they are, or else as the recipe says."""
    if isinstance(plan.federation, FederationConfig):
        return plan.federation.splits.model_dump()
    if federation is None:
        return dict.fromkeys(("validation", "confirmation", "test", "public"), "an unknown number of")
    sizes: dict[str, int | str] = {split.value: len(labels) for split, labels in federation.labels.items()}
    return sizes | {"public": federation.public or 0}


def pair_provenance(one: PairMaterial) -> tuple[Entry, ...]:
    """How the recommendation of one pair was made; empty as long as there is none."""
    found = one.found
    if found is None:
        return ()
    judgement = found.judgement
    counts = ", ".join(f"{n} {state.lower()}" for state, n in count_by_state(one.records.trials).items() if n)
    entries = [
        ("study", one.records.study),
        ("trials", counts or "none"),
        ("epochs of search", str(sum(trial.epochs for trial in one.records.trials))),
        ("epochs of race and confirmation", str(sum(run.epochs for run in one.records.runs))),
        ("paired confirmation seeds", str(0 if judgement is None else len(judgement.evidence.seeds))),
    ]
    if judgement is not None and judgement.shown.forgetting is not None:
        told = f"{judgement.shown.forgetting:+.1f} pp with {judgement.shown.setting}"
        entries.append(("forgetting, on test", told))
    share = f"{found.plan.confidence:.0%}"
    entries.append(("intervals", f"{share}, by crossed paired resampling of examples and seeds"))
    return tuple(entries)


def _commands(material: Material, pair: Pair | None) -> Iterator[str]:
    which = "--all" if pair is None else f"--pair {pair.teacher},{pair.student}"
    yield f"autokd prepare{material.options}"
    trials = _trials(material)
    more = "" if trials in (0, material.plan.search.trials) else f" --trials {trials}"
    yield f"autokd tune {which}{more}{material.options}"
    if any(one.records.sweep_runs for one in material.pairs):
        yield f"autokd sweep {which}{material.options}"
    yield f"autokd report{'' if pair is None else f' {which}'}{material.options}"


def _trials(material: Material) -> int:
    """Per pair, as the store has them: the two pairs of a meeting share theirs, and a retry is no trial."""
    meetings: dict[frozenset[int], list[int]] = {}
    for one in material.pairs:
        done = sum(trial.failure is None or not trial.failure.is_transient for trial in one.records.trials)
        meetings.setdefault(one.pair.meeting, []).append(done)
    return max((math.ceil(sum(counts) / len(counts)) for counts in meetings.values()), default=0)


def _seeds(first: int, count: int) -> str:
    return f"{first}" if count == 1 else f"{first} to {first + count - 1}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[Entry]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value):
                yield from _flat(one, f"{prefix}{name}[{number}].")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value)) or "none"
        else:
            yield f"{prefix}{name}", str(value)
