"""How everything was made, and the commands that make it again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autokd.config.base import content_hash
from autokd.config.federation import FederationConfig
from autokd.config.study import CONFIRMATION_SEEDS, RACE_SEEDS, SEARCH_SEED, SWEEP_SEEDS, StudyConfig
from autokd.config.target import remark
from autokd.core.records import FederationFacts
from autokd.core.setting import Pair
from autokd.recommendation.payload import count_by_state
from autokd.report.data import PairData, ReportData

Entry = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceFacts:
    """How a report was made; all entries are (name, value) in words.

    Attributes:
        identity: Names with their hashes.
        splits: What each part of the data is for, and its size.
        seeds: Which seed indices each stage uses.
        recipe: Every field of the study recipe, with dotted names.
        space: Every dimension of the search space.
        versions: Versions of the packages that results depend on.
        commands: Commands in the order in which to type them.
    """

    identity: tuple[Entry, ...]
    splits: tuple[Entry, ...]
    seeds: tuple[Entry, ...]
    recipe: tuple[Entry, ...]
    space: tuple[Entry, ...]
    versions: tuple[Entry, ...]
    commands: tuple[str, ...]


def provenance_facts(data: ReportData, pair: Pair | None = None) -> ProvenanceFacts:
    """Return everything that another machine needs to repeat the report of all pairs, or of one."""
    config, federation = data.config, data.federation
    sizes = _sizes(config, federation)
    participants = () if federation is None else federation.participants
    private = sum(sum(participant.histogram) for participant in participants)
    studies = (pair_data.records.study.rpartition("/")[0] for pair_data in data.pairs)
    study = next(filter(None, studies), "")
    seeds = config.confirmation
    return ProvenanceFacts(
        identity=(
            ("federation", "not prepared yet" if federation is None else federation.name),
            ("studies", f"{study}/T->S" if study else "none yet"),
            ("hash of the whole recipe", content_hash(config)),
        ),
        splits=(
            ("private", f"{private} examples, on which participants train" if private else "not divided yet"),
            ("validation", f"{sizes['validation']} examples: used by the search and the race"),
            ("confirmation", f"{sizes['confirmation']} examples: used by the verdict"),
            ("test", f"{sizes['test']} examples: for reporting only"),
            ("public", f"{sizes['public']} examples without labels: the transfer set public"),
            *([("target", text)] if (text := remark(config.target)) else []),
        ),
        seeds=(
            ("search", f"{SEARCH_SEED} for every trial"),
            ("race", _seeds(RACE_SEEDS, seeds.race_seeds)),
            ("confirmation", _seeds(CONFIRMATION_SEEDS, seeds.seeds)),
            ("sweep", f"from {SWEEP_SEEDS}"),
        ),
        recipe=tuple(_flat(config.model_dump(mode="json"))),
        space=tuple(_flat(data.space)),
        versions=tuple(data.versions.items()),
        commands=tuple(_commands(data, pair)),
    )


def _sizes(config: StudyConfig, federation: FederationFacts | None) -> Mapping[str, int | str]:
    """Return the sizes of the common splits: from the recipe, or else from the federation."""
    if isinstance(config.federation, FederationConfig):
        return config.federation.splits.model_dump()
    if federation is None:
        return dict.fromkeys(("validation", "confirmation", "test", "public"), "an unknown number of")
    sizes: dict[str, int | str] = {split.value: len(labels) for split, labels in federation.labels.items()}
    return sizes | {"public": federation.public or 0}


def pair_provenance(data: PairData) -> tuple[Entry, ...]:
    """Return how the recommendation of a pair was made; nothing as long as there is none."""
    recommendation, records = data.recommendation, data.records
    if recommendation is None:
        return ()
    judgement = recommendation.judgement
    counts = ", ".join(f"{n} {state.lower()}" for state, n in count_by_state(records.trials).items() if n)
    entries = [
        ("study", records.study),
        ("memory format and precision", str(records.tensor_format)),
        ("trials", counts or "none"),
        ("epochs of search", str(sum(trial.epochs for trial in records.trials))),
        ("epochs of race and confirmation", str(sum(run.epochs for run in records.runs))),
        ("paired confirmation seeds", str(0 if judgement is None else len(judgement.evidence.seeds))),
    ]
    if recommendation.cost is not None:
        entries.insert(-1, ("cost", str(recommendation.cost)))
    if judgement is not None and judgement.shown.forgetting is not None:
        forgetting = f"{judgement.shown.forgetting:+.1f} pp with {judgement.shown.setting}"
        entries.append(("forgetting, on test", forgetting))
    share = f"{recommendation.confirmation.confidence:.0%}"
    return (*entries, ("intervals", f"{share}, by crossed paired resampling of examples and seeds"))


def _commands(data: ReportData, pair: Pair | None) -> Iterator[str]:
    which = "--all" if pair is None else f"--pair {pair.teacher},{pair.student}"
    yield f"autokd prepare{data.options}"
    trials = _trials(data)
    more = "" if trials in (0, data.config.search.trials) else f" --trials {trials}"
    yield f"autokd tune {which}{more}{data.options}"
    if any(pair_data.records.sweep_runs for pair_data in data.pairs):
        yield f"autokd sweep {which}{data.options}"
    yield f"autokd report{'' if pair is None else f' {which}'}{data.options}"


def _trials(data: ReportData) -> int:
    """Return the trials per pair without retries; the two pairs of a meeting share theirs."""
    meetings: dict[frozenset[int], list[int]] = {}
    for pair in data.pairs:
        done = sum(trial.failure is None or not trial.failure.is_transient for trial in pair.records.trials)
        meetings.setdefault(pair.pair.meeting, []).append(done)
    return max((math.ceil(sum(counts) / len(counts)) for counts in meetings.values()), default=0)


def _seeds(first: int, count: int) -> str:
    return f"{first}" if count == 1 else f"{first} to {first + count - 1}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[Entry]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple) and any(isinstance(part, Mapping) for part in value):
            for number, part in enumerate(value):
                yield from _flat(part, f"{prefix}{name}[{number}].")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value)) or "none"
        else:
            yield f"{prefix}{name}", str(value)
