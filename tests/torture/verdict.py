"""Whether a batch came through: what its store must have, and what its journal must not tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

from autokd.config.study import CONFIRMATION_SEEDS
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts, RunState, Stage, TrialOrigin, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, AnyPair, Pair
from autokd.recommendation.interim_looks import seeds_wanted
from autokd.recommendation.race import arms, pending
from autokd.recommendation.verdict import RULE
from autokd.search.study_names import meetings_of, study_name
from autokd.store import Store
from autokd.workspace import Workspace
from tests.execution.formula import key_of
from tests.search.worlds import facts
from tests.torture.batch import journal

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def check(place: Workspace, pairs: Sequence[Pair]) -> None:
    """Fail unless all was done that the plan asks for, and all of it once."""
    with place.open_store(create=False) as store:
        check_pairs(place, store, pairs)
        _check_journal(place, finished(place, store, pairs))


def check_pairs(
    place: Workspace, store: Store, pairs: Sequence[Pair], federation: FederationFacts | None = None
) -> None:
    """The same by what the store has; the federation is by default that of the formulas."""
    config, federation = place.config, federation or facts()
    for meeting in meetings_of(place.space, pairs):
        for pair in meeting:
            check_pair(place, store, pair, federation)
            ended = sum(trial.state in ENDED for trial in store.trials(_name(place, pair, federation)))
            least = config.search.min_trials
            assert least <= ended <= config.search.trials, f"{pair}: {ended} trials"
    done = finished(place, store, pairs, federation)
    assert len(done) == len(set(done)), "a run was made twice"


def finished(
    place: Workspace, store: Store, pairs: Sequence[Pair], federation: FederationFacts | None = None
) -> list[str]:
    """The runs that came to an answer, by what the store has; see `check_pairs`."""
    federation = federation or facts()
    return [key_of(spec) for pair in pairs for spec in _finished(place, store, pair, federation)]


def _name(place: Workspace, pair: AnyPair, federation: FederationFacts) -> str:
    return study_name(federation.name, place.config, place.space, pair)


def check_pair(
    place: Workspace, store: Store, pair: AnyPair, federation: FederationFacts | None = None
) -> None:
    """A baseline, nothing left open, race and confirmation as planned, and a verdict; see `check_pairs`."""
    federation = federation or facts()
    name, config = _name(place, pair, federation), place.config
    trials, runs = store.trials(name), store.runs(name)
    states = [trial.state for trial in trials]
    assert TrialState.RUNNING not in states, f"{pair}: {states}"
    baselines = [trial.state for trial in trials if trial.role is TrialOrigin.BASELINE]
    assert baselines.count(TrialState.COMPLETE) == 1, f"{pair}: {baselines}"
    assert set(baselines) <= {TrialState.COMPLETE, TrialState.FAIL}, f"{pair}: {baselines}"
    records = PairRecords(pair=pair, study=name, rule=RULE, bases=store.bases(name), trials=trials, runs=runs)
    seeds = seeds_wanted(config, federation, records)
    assert not pending(config, records, seeds=seeds), pair
    complete = [run for run in runs if run.state is RunState.COMPLETE]
    confirmed = [(run.setting, run.seed) for run in complete if run.stage is Stage.CONFIRMATION]
    settings = set(arms(config, records).values())
    assert DEFAULT in settings, f"{pair}: {settings}"
    wanted = range(CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + seeds)
    assert Counter(confirmed) == Counter(product(settings, wanted)), f"{pair}: {confirmed}"
    recommendation = store.recommendation(name)
    assert recommendation is not None, f"{pair}: no verdict"
    assert recommendation["verdict"] != "failed", f"{pair}: {recommendation}"


def _finished(place: Workspace, store: Store, pair: Pair, federation: FederationFacts) -> Iterator[RunSpec]:
    name = _name(place, pair, federation)
    for trial in store.trials(name):
        if trial.state in ENDED:
            yield RunSpec(pair, trial.setting, trial.seed, None, trial.role)
    for run in store.runs(name):
        if run.state is RunState.COMPLETE:
            yield RunSpec.of(pair, run)


def _check_journal(place: Workspace, done: Sequence[str]) -> None:
    """What a driver had recorded is there, and no worker was ever sent to do it again."""
    recorded: set[str] = set()
    for line in journal(place.home).read_text().splitlines():
        event, key = line.split("\t")
        assert key not in recorded, f"{event} again, though it was recorded: {key}"
        if event == "recorded":
            recorded.add(key)
    assert recorded, "the journal tells nothing"
    assert recorded <= set(done), f"lost: {recorded - set(done)}"
