"""A whole batch on recorded tables, with every stage: search, race, confirmation in looks, verdict.

    python -m benchmarks.simulation.stages [--tables digits ...] [--seeds 6] [--study STUDY] [--out FILE]

The queue is the real one, and pairs are judged by the package's own functions; only runs are looked up, and
their examples drawn (`benchmarks.simulation.examples`). *Share* is as in `python -m benchmarks.simulation`,
of what is recommended: nothing is gained where the advice is to leave a model as it is. Here every setting
is valued by the mean of all its recorded seeds on test, whatever was chosen by one of them on validation.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts, RunRecord, Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, AnyPair, Pair, Setting, derive_seed
from autokd.execution.search_queue import SearchQueue
from autokd.recommendation.evidence import JUDGED, Arm, Evidence
from autokd.recommendation.interim_looks import judge_pair
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.judgement import judge as judge_evidence
from autokd.recommendation.race import confirmation_seeds
from autokd.recommendation.verdict import RULE, Verdict
from autokd.search.progress import VerdictSummary
from autokd.search.tpe import Sampler
from autokd.statistics.moderation import VariancePool
from benchmarks.pairs import pair_of
from benchmarks.simulation.examples import Examples
from benchmarks.simulation.measure import half
from benchmarks.simulation.policies import learner
from benchmarks.simulation.processes import pool
from benchmarks.simulation.replay import Memory, serve
from benchmarks.simulation.scenarios import _names, _shuffled
from benchmarks.simulation.table import TABLES, Table, load

FROZEN: Final = Path(__file__).parent.parent / "frozen" / "digits.yaml"
RESULTS: Final = Path(__file__).parent.parent / "results" / "stages.json"
ALONE: Final = (5, 20)
_VALIDATION, _TEST = 0, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a simulated batch came to; costs are shares of the sweep.

    Attributes:
        unconfirmed: Share of the settings that were chosen to be confirmed, whatever was then shown.
        alone: Share of the same choices if each pair is judged by itself, once, by so many seeds.
        runs: Race and confirmation runs of a pair.
    """

    share: float
    unconfirmed: float
    alone: Mapping[int, float]
    search: float
    confirmation: float
    trials: float
    runs: float
    verdicts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges pairs as they are finished, as the driver does, and shares what they show about noise."""

    config: StudyConfig
    facts: FederationFacts
    examples: Examples
    noise: VariancePool = field(default_factory=VariancePool)
    records: dict[Pair, PairRecords] = field(default_factory=dict)
    judged: dict[Pair, Judgement] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table, config: StudyConfig, seed: int) -> Judge:
        """Make one for a table, by the search and the confirmation of a study."""
        config = table.config.model_copy(
            update={"search": config.search, "confirmation": config.confirmation}
        )
        examples = Examples(table, seed)
        return cls(config, replace(table.facts(), participants=examples.participants), examples)

    def __call__(self, over: Sequence[PairRecords]) -> Mapping[AnyPair, VerdictSummary]:
        for records in over:
            judgement, pair = judge_pair(self.config, self.facts, records), pair_of(records.pair)
            self.records[pair] = records
            if isinstance(judgement, Judgement):
                self.judged[pair] = judgement
                self.noise.add(records.study, judgement.variance_samples())
        return {}


def batch(
    table: Table, config: StudyConfig, seed: int, meetings: Sequence[Sequence[Pair]] | None = None
) -> Ended:
    """Tune and judge pairs of a table from an empty store; by default all of them, shuffled."""
    meetings = meetings or _shuffled([(pair, pair.reverse) for pair in half(table)], seed)
    names, judge = _names(table.pairs, seed), Judge.of(table, config, seed)
    tune(table, judge, seed, meetings, names, learner(table, names, seed))
    return _ended(table, seed % table.seeds, judge)


def tune(
    table: Table,
    judge: Judge,
    seed: int,
    meetings: Sequence[Sequence[Pair]],
    names: Mapping[Pair, str],
    sampler: Sampler,
) -> None:
    """Tune pairs, from what the sampler knows, and have them judged as they are finished."""
    memory: Any = Memory()
    queue = SearchQueue(
        config=judge.config,
        space=table.space,
        federation=judge.facts,
        meetings=meetings,
        read=lambda pair: PairRecords(pair=pair, study=names[pair_of(pair)], rule=RULE),
        store=memory,
        sampler=sampler,
        listen_seconds=float("inf"),
        conclude=judge,
        noise=judge.noise,
    )

    def staged(spec: RunSpec, epochs: int) -> RunRecord:
        return judge.examples.run(spec)

    serve(queue, table, judge.config.rungs, seed=seed % table.seeds, staged=staged)


def _ended(table: Table, seed: int, judge: Judge) -> Ended:
    records = judge.records.values()
    sweep = len(table.settings) * table.epochs * len(records)
    trials = [trial for record in records for trial in record.trials]
    runs = [run for record in records for run in record.runs]
    verdicts = Counter(judgement.verdict.value for judgement in judge.judged.values())
    return Ended(
        share=share(table, seed, {pair: recommended(judgement) for pair, judgement in judge.judged.items()}),
        unconfirmed=share(
            table, seed, {pair: _winner(judgement) for pair, judgement in judge.judged.items()}
        ),
        alone={
            seeds: share(
                table,
                seed,
                {pair: _alone(judge, judgement, pair, seeds) for pair, judgement in judge.judged.items()},
            )
            for seeds in ALONE
        },
        search=sum(trial.epochs for trial in trials) / sweep,
        confirmation=sum(run.epochs for run in runs) / sweep,
        trials=len(trials) / len(records),
        runs=len(runs) / len(records),
        verdicts=dict(sorted(verdicts.items())),
    )


def _alone(judge: Judge, judgement: Judgement, pair: Pair, seeds: int) -> Setting | None:
    """Return the answer if a pair is judged once, by rule 1, with so many seeds of winner and default."""

    def arm(setting: Setting) -> Arm:
        runs = [
            judge.examples.run(RunSpec(pair, setting, seed, Stage.CONFIRMATION))
            for seed in confirmation_seeds(seeds)
        ]
        correct = {split: np.stack([run.correct[split] for run in runs]) for split in JUDGED}
        return Arm(setting=setting, correct=correct, forgetting=None)

    winner = _winner(judgement)
    evidence = Evidence(
        seeds=tuple(confirmation_seeds(seeds)),
        own=judgement.evidence.own,
        default=arm(DEFAULT),
        winner=None if winner is None else arm(winner),
    )
    seed = derive_seed(judge.records[pair].study, "verdict")
    return recommended(judge_evidence(evidence, judge.config.confirmation, seed=seed))


def _winner(judgement: Judgement) -> Setting | None:
    return None if judgement.evidence.winner is None else judgement.evidence.winner.setting


def recommended(judgement: Judgement) -> Setting | None:
    """Return the setting that a verdict recommends; None for the model as it is."""
    if judgement.verdict is Verdict.TUNED:
        return _winner(judgement)
    return DEFAULT if judgement.verdict is Verdict.DEFAULT else None


def share(table: Table, seed: int, answers: Mapping[Pair, Setting | None]) -> float:
    """Return the share of what the sweep finds beyond default and nothing, of answers given by pair."""
    values = table.gain.mean(axis=2)

    def value(pair: Pair, setting: Setting | None) -> float:
        return 0.0 if setting is None else float(values[table.row[pair], table.column[setting], _TEST])

    def preferred(pair: Pair, settings: Iterable[Setting]) -> float:
        gains = table.gain[table.row[pair], :, seed, _VALIDATION]
        best = max(settings, key=lambda setting: gains[table.column[setting]])
        return value(pair, best if gains[table.column[best]] > 0 else None)

    anyway = sum(preferred(pair, [DEFAULT]) for pair in answers)
    swept = sum(preferred(pair, table.settings) for pair in answers)
    total = sum(value(pair, setting) for pair, setting in answers.items())
    return (total - anyway) / (swept - anyway)


def _batch(name: str, config: StudyConfig, seed: int) -> Ended:
    return batch(load(name), config, seed)


def main() -> None:
    """Simulate, print, and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--study", default=str(FROZEN), help="whose search and confirmation are simulated")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    config = read_study_config(options.study)
    kept: dict[str, dict[str, Any]] = {}
    with pool(options.processes) as workers:
        for table in options.tables:
            seeds = range(options.seeds)
            ended = list(workers.map(_batch, [table] * len(seeds), [config] * len(seeds), seeds))
            kept[table] = summary(ended)
            print(table, json.dumps(kept[table]), flush=True)
    options.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def summary(batches: Sequence[Ended]) -> dict[str, Any]:
    """Return means over batches, and the spread of the share."""
    names = ("share", "unconfirmed", "search", "confirmation", "trials", "runs")
    means = {name: round(float(np.mean([getattr(batch, name) for batch in batches])), 4) for name in names}
    verdicts = Counter[str]()
    for batch in batches:
        verdicts.update(batch.verdicts)
    return {
        "seeds": len(batches),
        **means,
        "share of the same choices, judged alone by so many seeds": {
            seeds: round(float(np.mean([batch.alone[seeds] for batch in batches])), 4) for seeds in ALONE
        },
        "share by seed": [round(batch.share, 4) for batch in batches],
        "verdicts": {name: round(count / len(batches), 1) for name, count in sorted(verdicts.items())},
    }


if __name__ == "__main__":
    main()
