"""The stored results of one study: opened once for a command, each pair read once and judged once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cached_property, partial
from typing import Any, Final, TypeVar, cast

from autokd.config.space import Space, sweep_examples
from autokd.config.study import StudyConfig
from autokd.core.example_weights import ExampleWeights
from autokd.core.pair import parse_key, sides_of
from autokd.core.pair_records import PairRecords
from autokd.core.price import Prices, TrainingCost
from autokd.core.records import FederationFacts, RunRecord
from autokd.core.setting import AnyPair, Group, Pair
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.errors import NotTuned
from autokd.federation.federation import Federation
from autokd.federation.lookup import find, superseded
from autokd.recommendation import Recommendation, judge_pair, recommend
from autokd.recommendation.interim_looks import JudgedPair
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.verdict import RULE
from autokd.search.growth import stored_growth
from autokd.search.study_names import rivals_name, study_name, sweep_name
from autokd.statistics.target_weights import aimed
from autokd.store import Store
from autokd.workflows.kept_recommendations import Basis, KeptRecommendations
from autokd.workflows.kept_space import kept_space
from autokd.workflows.readable import check_sizes, read_each
from autokd.workflows.study_warnings import warned_facts
from autokd.workspace import Workspace

T = TypeVar("T")
P = TypeVar("P", bound=AnyPair)
_NOTHING: Final[Mapping[str, Any]] = {
    "trials": (),
    "runs": (),
    "bases": (),
    "attributes": {},
    "reports": {},
    "recommendation": None,
}
"""What the store has of a name that it does not know, by the method that reads it."""


class StoredResults:
    """The stored records of a study's pairs, and what they are judged to be; both are kept once read.

    Args:
        facts: Models as they are; None if the federation is not prepared, then nothing can be judged.

    Raises:
        PlanError: If the recipe's target does not fit the classes of the federation, or of its splits.
    """

    def __init__(
        self, config: StudyConfig, space: Space, facts: FederationFacts | None, store: Store
    ) -> None:
        self.config, self.space, self.store = config, space, store
        self._facts = None if facts is None else aimed(facts, config.target, source=config.name)
        self._known: frozenset[str] | None = None
        self._read: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        self._judged: dict[AnyPair, JudgedPair] = {}
        self._recommendations = KeptRecommendations()
        self._derived: defaultdict[AnyPair, dict[str, Any]] = defaultdict(dict)

    @classmethod
    def of(cls, workspace: Workspace, facts: FederationFacts | None, store: Store) -> StoredResults:
        """Return the results of a workspace, in the space that its studies began with (`kept_space`)."""
        if facts is not None:
            facts = warned_facts(workspace.config, facts, source=workspace.source)
        return cls(workspace.config, kept_space(workspace, facts, store), facts, store)

    @property
    def is_prepared(self) -> bool:
        """Whether the federation is prepared."""
        return self._facts is not None

    @property
    def facts(self) -> FederationFacts:
        """The federation, whose participants have the weights of the recipe's target.

        Raises:
            NotTuned: If it is not prepared.
        """
        if self._facts is None:
            raise NotTuned(f"the federation of study {self.config.name} is not prepared")
        return self._facts

    def only_read(self) -> None:
        """Ask the store only for names that it has now: of thousands of pairs, most may not have begun."""
        self._known = self.store.names()

    def read_ahead(self, pairs: Iterable[AnyPair]) -> None:
        """Read what `searched` and `stored` need of many pairs; what cannot be read, they read again."""
        names = [self.study(pair) for pair in pairs]
        if self._known is not None:
            names = [study for study in names if study in self._known]
        for study, records in self.store.many.read([study for study in names if study not in self._read]):
            self._read[study].update({field.name: getattr(records, field.name) for field in fields(records)})

    def is_readable(self, pair: AnyPair) -> bool:
        """Return whether autokd wrote what the store has of a pair; if not, a notice says so."""
        return bool(read_each([pair], lambda pair: (self.searched(pair), self.stored(pair))))

    def study(self, pair: AnyPair) -> str:
        """Return the name of a pair's study."""
        return f"{self._name_of_groups if isinstance(pair, Group) else self._name}/{pair.key}"

    @cached_property
    def _name(self) -> str:
        """What the names of all pairs' studies begin with; its hashes take a moment."""
        return study_name(self.facts.name, self.config, self.space, Pair(0, 1)).rpartition("/")[0]

    @cached_property
    def _name_of_groups(self) -> str:
        """What the names of all groups' studies begin with."""
        return study_name(self.facts.name, self.config, self.space, Group((0, 1), 2)).rpartition("/")[0]

    def groups(self) -> list[Group]:
        """Return the groups that have a study under this recipe and space, by student."""
        groups = []
        for study in self.store.studies():
            name, _, key = study.rpartition("/")
            if name == self._name_of_groups and key.startswith("{"):
                growth = stored_growth(self.store.attributes(study))
                group = parse_key(key) if growth is None else Group.of(growth.chain, growth.student)
                if isinstance(group, Group):
                    groups.append(group)
        return sorted(groups, key=lambda group: (group.student, group.teachers))

    def alternatives_study(self, pair: AnyPair) -> str:
        """Return the name under which the runs of a pair's alternatives are stored."""
        return rivals_name(self.facts.name, self.config, pair)

    def searched(self, pair: AnyPair) -> PairRecords:
        """Return the records of a pair's search, race and confirmation."""
        study = self.study(pair)
        trials = self._once(self.store.trials, study)
        # A study without trials is registered with the rule of today; older ones may have none.
        rule = self._once(self.store.attributes, study).get("rule", 1) if trials else RULE
        # All trials of a study have the same.
        tensor_format = trials[0].tensor_format if trials else FORMER_FORMAT
        runs = self._runs(study)
        bases = self._once(self.store.bases, study) if trials and rule > 1 else ()
        return PairRecords(
            pair=pair,
            study=study,
            rule=rule,
            tensor_format=tensor_format,
            bases=bases,
            trials=trials,
            runs=runs,
            weights=self._weights(pair),
        )

    def stored(self, pair: AnyPair) -> Mapping[str, Any] | None:
        """Return the recommendation of a pair as the store has it, of today or not, or None."""
        return self._once(self.store.recommendation, self.study(pair))

    def nothing_of(self, pair: AnyPair, tensor_format: TensorFormat) -> PairRecords:
        """Return the records of a pair of which the store has nothing, without asking it."""
        return PairRecords(
            pair=pair,
            study=self.study(pair),
            rule=RULE,
            tensor_format=tensor_format,
            weights=self._weights(pair),
        )

    def swept(self, pair: AnyPair) -> PairRecords:
        """Return the records of a pair's search and sweep, without race and confirmation."""
        study, sweep = self.study(pair), sweep_name(self.facts.name, self.config, pair)
        trials, runs = self._once(self.store.trials, study), self._runs(sweep)
        return PairRecords(
            pair=pair, study=study, trials=trials, sweep_runs=runs, weights=self._weights(pair)
        )

    def records(self, pair: AnyPair) -> PairRecords:
        """Return all records of a pair."""
        searched = self.searched(pair)
        return replace(
            searched,
            reports=self._once(self.store.reports, searched.study) if searched.trials else {},
            sweep_runs=self.swept(pair).sweep_runs,
            alternative_runs=self._runs(self.alternatives_study(pair)),
        )

    def judged(self, pair: AnyPair) -> JudgedPair:
        """Judge a pair by the verdict's rule."""
        if pair not in self._judged:
            self._judged[pair] = judge_pair(self.config, self.facts, self.searched(pair))
        return self._judged[pair]

    def judgements(self, pairs: Iterable[P]) -> dict[P, Judgement]:
        """Return the judgements of those pairs that are finished and did not fail, and can be read."""
        judged = read_each(pairs, self.judged)
        return {pair: verdict for pair, verdict in judged.items() if isinstance(verdict, Judgement)}

    def recommendation(self, pair: AnyPair) -> Recommendation:
        """Return the recommendation that follows from the records of the pair and the reverse pair.

        If those of the reverse pair cannot be read, a notice says so, and its answer is unknown.

        Raises:
            NotTuned: If there is none yet.
        """

        def made(basis: Basis) -> Recommendation:
            records = self.searched(pair)
            cost, judged, reverse = self.cost(records), basis.judged, basis.reverse
            return recommend(self.config, self.facts, records, judged, reverse=reverse, cost=cost)

        return self._recommendations.get(pair, self.judged, made)

    def derived(self, pair: AnyPair, what: str, compute: Callable[[], T]) -> T:
        """Return what `compute` makes of a pair's records, and `what` calls; it is kept until they change."""
        if what not in self._derived[pair]:
            self._derived[pair][what] = compute()
        return cast("T", self._derived[pair][what])

    def replace(self, searched: Sequence[PairRecords]) -> None:
        """Take the records that the store has of some pairs by now, instead of reading them."""
        self.forget(records.pair for records in searched)
        for records in searched:
            read = {"trials": records.trials, "runs": records.runs, "bases": records.bases}
            self._read[records.study].update(read)

    def forget(self, pairs: Iterable[AnyPair]) -> None:
        """Forget what was read of some pairs and of their reverse pairs, and how they were judged."""
        for side in {side for pair in pairs for side in sides_of(pair)}:
            self._read.pop(self.study(side), None)
            self._forget_judged(side)

    def refresh(self, studies: Collection[str]) -> None:
        """Forget what was read under these names, and all judgements that may rest on it."""
        for study in studies:
            self._read.pop(study, None)
            self.store.evict(study)
        for pair in {*self._judged, *self._recommendations, *self._derived}:
            if self.study(pair) in studies:
                self._forget_judged(pair)
        self._recommendations.doubt(lambda pair: self.study(pair) in studies)

    def _forget_judged(self, pair: AnyPair) -> None:
        self._judged.pop(pair, None)
        self._derived.pop(pair, None)
        self._recommendations.forget(pair)

    def prices(self, pair: AnyPair) -> Prices | None:
        """Return what runs of a pair cost; None if only the store was read."""
        return Prices.of_pair(self.facts, pair, epochs=self.config.distillation.epochs)

    def cost(self, records: PairRecords) -> TrainingCost | None:
        """Return what the runs of a pair have cost; None if only the store was read."""
        prices = self.prices(records.pair)
        if prices is None:
            return None
        return TrainingCost(
            search=prices.spent(records.trials),
            confirmation=prices.spent(records.runs),
            sweep=sweep_examples(self.config, self.space, prices),
        )

    def prices_of(self, pairs: Iterable[AnyPair]) -> dict[AnyPair, Prices]:
        """Return the prices of those pairs whose prices are known."""
        prices = {pair: self.prices(pair) for pair in pairs}
        return {pair: known for pair, known in prices.items() if known is not None}

    def sweep_examples(self, pair: AnyPair) -> int:
        """Return the training examples of a sweep of one pair; 0 if only the store was read."""
        prices = self.prices(pair)
        if prices is None:
            return 0
        return self.derived(pair, "sweep", partial(sweep_examples, self.config, self.space, prices))

    def _weights(self, pair: AnyPair) -> ExampleWeights:
        return self.facts.participants[pair.student].weights

    def _runs(self, study: str) -> tuple[RunRecord, ...]:
        runs = self._once(self.store.runs, study)
        check_sizes(study, runs, self.facts)
        return runs

    def _once(self, read: Callable[[str], T], study: str) -> T:
        """Return what a method of the store reads of a study; it is read once."""
        cache = self._read[study]
        if read.__name__ not in cache:
            unknown = self._known is not None and study not in self._known
            cache[read.__name__] = _NOTHING[read.__name__] if unknown else read(study)
        value: T = cache[read.__name__]
        return value


@contextmanager
def open_results(workspace: Workspace, way_out: str) -> Iterator[tuple[Federation, StoredResults]]:
    """Load the federation and open the store, once for a command that reads.

    Args:
        way_out: What to do if there is nothing, e.g. `run autokd tune --all`.

    Raises:
        NotTuned: If the federation is not prepared, or there is no store.
    """
    federation = find(workspace.home, workspace.config.federation)
    if federation is None:
        raise nothing_tuned(workspace, way_out)
    with workspace.open_store(create=False) as store:
        yield federation, StoredResults.of(workspace, federation.facts(), store)


@contextmanager
def open_any_results(workspace: Workspace, way_out: str) -> Iterator[StoredResults]:
    """Open the store, whether the federation is prepared or not; see `open_results`.

    Raises:
        NotTuned: If there is no store.
    """
    federation = find(workspace.home, workspace.config.federation)
    try:
        store = workspace.open_store(create=False)
    except NotTuned as error:
        raise (nothing_tuned(workspace, way_out) if federation is None else error) from None
    with store:
        yield StoredResults.of(workspace, None if federation is None else federation.facts(), store)


def nothing_tuned(workspace: Workspace, way_out: str, hint: str = "") -> NotTuned:
    """Return the error that there are no results, with a way out."""
    config, home = workspace.config, workspace.home
    outdated = superseded(home, config.federation)
    why = f" ({outdated})" if outdated else ""
    return NotTuned(f"nothing has been tuned under {home} for study {config.name}{why}; {way_out}{hint}")
