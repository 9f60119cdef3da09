"""Time to verdict: what each way to search has found for a new pair, confirmed as autokd confirms.

    python -m benchmarks.simulation.confirmed [benchmarks/results/peers.json] [--tables digits ...]
        [--contestants autokd ...] [--seeds 4] [--again]

`compare` keeps what each contestant would have confirmed after 4 and 8 runs a pair. It is followed by the
looks of the verdict's rule: all arms with fresh seeds, drawn example by example, until no further look may
change the verdict. autokd is its real queue, which ends a search by itself and runs a race where it is worth
it. *Cost* is that of search and confirmation, as a share of the sweep; *share* is as in `stages`, of what is
recommended. All begin without any knowledge of noise, which the ten pairs of a seed then share.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from autokd.config.study import SEARCH_SEED, StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.pair_records import PairRecords
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting
from autokd.recommendation.interim_looks import seeds_wanted
from autokd.recommendation.race import pending
from autokd.recommendation.verdict import RULE
from autokd.search.basis import fix_basis
from autokd.search.kernel import Array
from autokd.search.rivals import RivalChoice
from benchmarks.simulation.contest import CONFIRMED, CONTESTANTS, Finalist
from benchmarks.simulation.differences import KEPT
from benchmarks.simulation.policies import POLICIES, learner
from benchmarks.simulation.scenarios import TUNED, _names, _search, _shuffled, meetings
from benchmarks.simulation.stages import FROZEN, Judge, recommended, share, tune
from benchmarks.simulation.table import TABLES, Table, load

OWN: Final = "autokd"
SCENARIO: Final = "newcomer"
_ITS_OWN: Final = "its own"
"""In place of a number of runs: the search ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What the pairs of one seed came to; costs are shares of the sweep."""

    search: float
    confirmation: float
    share: float
    verdicts: Mapping[str, int]

    @property
    def cost(self) -> float:
        return self.search + self.confirmation


def confirm(table: Table, config: StudyConfig, seed: int, finalists: Mapping[Pair, Finalist]) -> Verdicts:
    """Confirm and judge what was found of some pairs, one after the other."""
    judge = Judge.of(table, config, seed)
    for pair, finalist in finalists.items():
        judge([_confirmed(judge, _searched(table, seed, pair, finalist))])
    return _summed(table, seed, judge, sum(finalist.epochs for finalist in finalists.values()))


def tuned(table: Table, config: StudyConfig, seed: int) -> Verdicts:
    """Tune and judge the same pairs with autokd, each after the pairs without its participants."""
    judge = Judge.of(table, config, seed)
    for mine, others in meetings(table, seed):
        names = _names([*others, *mine], seed)
        sampler = learner(table, names, seed)
        before = _shuffled([(each,) for each in others], seed)
        _search(table, POLICIES[OWN], seed, before, TUNED, sampler)
        for pair in mine:
            tune(table, judge, seed, [(pair,)], names, deepcopy(sampler))
    trials = [trial for records in judge.records.values() for trial in records.trials]
    return _summed(table, seed, judge, sum(trial.epochs for trial in trials))


def _searched(table: Table, seed: int, pair: Pair, finalist: Finalist) -> PairRecords:
    """Return a pair of which the default and what was found have run."""
    settings = () if finalist.column is None else (table.settings[finalist.column],)
    trials = [
        TrialRecord(
            number=number,
            setting=setting,
            seed=SEARCH_SEED,
            role=TrialOrigin.SEARCH if number else TrialOrigin.BASELINE,
            state=TrialState.COMPLETE,
            curve=((table.epochs, _accuracy(table, seed, pair, setting)),),
        )
        for number, setting in enumerate((DEFAULT, *settings))
    ]
    return PairRecords(pair=pair, study=_names([pair], seed)[pair], rule=RULE, trials=trials)


def _accuracy(table: Table, seed: int, pair: Pair, setting: Setting) -> float:
    end = table.accuracy[table.row[pair], table.column[setting], seed % table.seeds, -1, 0]
    return float(np.nan_to_num(end))


def _confirmed(judge: Judge, records: PairRecords) -> PairRecords:
    """Return a pair with all the confirmation runs that its looks ask for."""
    choice = RivalChoice(
        config=judge.config, space=judge.examples.space, trials=records.trials, believe=_alike
    )
    bases = fix_basis(
        judge.config,
        records,
        ended="",
        seen=None,
        offset=0.0,
        others=judge.noise.others(records.study),
        choice=choice,
    )
    records = replace(records, bases=bases)
    while missing := pending(judge.config, records, seeds=seeds_wanted(judge.config, judge.facts, records)):
        records = replace(records, runs=[*records.runs, *map(judge.examples.run, missing)])
    return records


def _alike(settings: Sequence[Setting]) -> Array:
    """Believe nothing of rivals: on the grid each family has one member for a labelled transfer set."""
    return np.zeros(len(settings))


def _summed(table: Table, seed: int, judge: Judge, epochs: int) -> Verdicts:
    sweep = len(table.settings) * table.epochs * len(judge.records)
    confirmed = sum(run.epochs for records in judge.records.values() for run in records.runs)
    answers = {pair: recommended(judgement) for pair, judgement in judge.judged.items()}
    verdicts = Counter(judgement.verdict.value for judgement in judge.judged.values())
    return Verdicts(
        search=round(epochs / sweep, 5),
        confirmation=round(confirmed / sweep, 5),
        share=round(share(table, seed % table.seeds, answers), 4),
        verdicts=dict(sorted(verdicts.items())),
    )


def _measured(
    table: Table, config: StudyConfig, name: str, kept: Mapping[str, Any], seeds: int
) -> dict[str, list[Verdicts]]:
    """Return what a contestant came to by seed, for each place at which its search ends."""
    if name == OWN:
        return {_ITS_OWN: [tuned(table, config, seed) for seed in range(seeds)]}
    by_seed = kept.get("finalists_by_seed", [])[:seeds]
    return {
        f"{runs}": [
            confirm(table, config, seed, _finalists(kept_runs[f"{runs}"]))
            for seed, kept_runs in enumerate(by_seed)
        ]
        for runs in CONFIRMED
        if by_seed
    }


def _finalists(kept: Mapping[str, Sequence[Any]]) -> dict[Pair, Finalist]:
    return {Pair.parse(pair): Finalist(*finalist) for pair, finalist in kept.items()}


def _line(name: str, where: str, by_seed: Sequence[Verdicts]) -> str:
    costs, shares = ([getattr(of_seed, field) for of_seed in by_seed] for field in ("cost", "share"))
    verdicts = Counter[str]()
    for of_seed in by_seed:
        verdicts.update(of_seed.verdicts)
    search, confirmation = (
        np.mean([getattr(of_seed, part) for of_seed in by_seed]) for part in ("search", "confirmation")
    )
    return (
        f"  {name:<28}{where:>8}{search:>8.1%} +{confirmation:>6.1%} ={np.mean(costs):>6.1%}"
        f"{np.mean(shares):>9.3f} ± {np.std(shares):.3f}  {len(by_seed)} seeds  {dict(verdicts)}"
    )


def main() -> None:
    """Confirm what is not there yet, print it, and keep it contestant by contestant."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [contestant.name for contestant in CONTESTANTS]
    parser.add_argument("file", nargs="?", type=Path, default=KEPT)
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--contestants", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--study", default=str(FROZEN), help="whose search and confirmation are simulated")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--again", action="store_true", help="also what the file has")
    options = parser.parse_args()
    config = read_study_config(options.study)
    for table in options.tables:
        print(f"\n{table}{'':29}search  + confirmation     share")
        for name in options.contestants:
            kept = json.loads(options.file.read_text())
            entry = kept[table][SCENARIO].setdefault(name, {})
            if options.again or "verdicts" not in entry:
                verdicts = _measured(load(table), config, name, entry, options.seeds)
                if not verdicts:
                    continue
                entry["verdicts"] = {
                    where: [asdict(of_seed) for of_seed in by_seed] for where, by_seed in verdicts.items()
                }
                options.file.write_text(json.dumps(kept, sort_keys=True) + "\n")
            for where, by_seed in entry["verdicts"].items():
                print(_line(name, where, [Verdicts(**of_seed) for of_seed in by_seed]), flush=True)


if __name__ == "__main__":
    main()
