"""Tuning: search, race, confirm and judge; what the store has already is not done again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from time import monotonic
from typing import Any, Final

from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.config.space import Space, group_space
from autokd.core.arguments import constructed, real
from autokd.core.finding import Finding
from autokd.core.pair_records import PairRecords
from autokd.core.public_calls import checked
from autokd.core.setting import AnyPair, Group, Pair, Position
from autokd.execution.heartbeat import BatchClock, with_heartbeat
from autokd.execution.search_queue import SearchQueue
from autokd.recommendation import Recommendation
from autokd.search.costs import Costs
from autokd.search.expected import ExpectedCost
from autokd.search.group_sampler import EachSampler
from autokd.search.growth import Growth
from autokd.search.next_work import PairSearch
from autokd.search.progress import VerdictSummary
from autokd.search.spending import Budget
from autokd.search.study_names import meetings_of
from autokd.search.tpe import Sampler
from autokd.search.transfer import known_noise, register_study, sampler_of_groups, warm_started_sampler
from autokd.store import Store
from autokd.text.quoting import counted
from autokd.workflows.callbacks import Callbacks, JudgedTrials
from autokd.workflows.expected import examples_per_second, runs_at_once
from autokd.workflows.groups import answers_of_pairs, growths
from autokd.workflows.publishing import Payload, judge_and_publish
from autokd.workflows.session import RunSession, run_session
from autokd.workflows.status import Overview, PairOverview, overview, pair_overview
from autokd.workspace import Workspace

_LISTEN_SECONDS: Final = 0.5
"""At least this long between two pictures of a batch's progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of tuning one pair.

    Attributes:
        recommendations: Recommendation of every searched pair, the one asked for first; empty if interrupted.
        interrupted: Whether Ctrl-C ended it; the same call goes on.
        ran: Number of runs that ended during this call; 0 if the store had everything.
        warnings: What was found when the federation was prepared.
    """

    recommendations: tuple[Recommendation, ...]
    interrupted: bool
    ran: int
    warnings: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what `autokd tune --pair 4,9 --json` prints; there must be a recommendation."""
        warnings = [warning.to_json() for warning in self.warnings]
        return {**self.recommendations[0].to_json(), **({"warnings": warnings} if warnings else {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The result of tuning many pairs.

    Attributes:
        answers: Stored recommendation of each pair that is done.
        interrupted: Whether Ctrl-C ended it; the same call goes on.
        ran: Number of runs that ended during this call.
        judged: Where these pairs stand.
        overview: Where the whole federation stands, if it was asked for.
    """

    answers: Mapping[AnyPair, Payload]
    interrupted: bool
    ran: int
    judged: Mapping[AnyPair, PairOverview]
    overview: Overview | None = None

    def to_json(self) -> list[dict[str, Any]]:
        """Return what `autokd tune --all --json` prints."""
        return [dict(self.answers[pair]) for pair in sorted(self.answers)]

    def __repr__(self) -> str:
        verdicts = Counter(answer["verdict"] for answer in self.answers.values())
        counts = "".join(f", {number} {verdict}" for verdict, number in verdicts.most_common())
        return f"<Batch of {counted(len(self.answers), 'pair')}{counts}; {counted(self.ran, 'run')} now>"


@constructed
@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBudget:
    """The most that may be spent on the pairs of a command, with what was spent on them before.

    Attributes:
        seconds: Time during which commands work on them.
        epochs: Epochs of trials, race and confirmation, whatever they train on.
        share_of_sweep: Training examples of the same, as a share of a sweep of the grid `poster_sweep`.
    """

    seconds: float | None = None
    epochs: float | None = None
    share_of_sweep: float | None = None

    def __post_init__(self) -> None:
        for name in ("seconds", "epochs", "share_of_sweep"):
            if (value := getattr(self, name)) is not None:
                real(name, value, least=0)

    def of(self, sweep: int) -> Budget | None:
        """Return the budget for pairs whose sweep takes so many training examples; None without a limit."""
        examples = None if self.share_of_sweep is None else self.share_of_sweep * sweep
        budget = Budget(epochs=self.epochs, examples=examples, seconds=self.seconds)
        return None if budget == Budget() else budget


@checked()
def tune(
    workspace: Workspace,
    pair: AnyPair,
    *,
    position: Position | None = None,
    compute: Compute | None = None,
    workers: Resources | None = None,
    callbacks: Callbacks | None = None,
    budget: BatchBudget | None = None,
) -> Outcome:
    """Tune a pair, by default with the reverse pair; see `autokd.tune` for the arguments.

    Raises:
        InputError: If the device is not there, the federation cannot be made, cluster or storage do not
            answer, or another driver is at work on one of the pairs (`PairBusy`); nothing was changed.
        AutokdError: If federation or store fail; what was stored is kept, and the same call goes on.
    """
    with run_session(workspace, compute, workers, callbacks) as session:
        batch = _tune(session, [pair], position, budget)
        asked_first = () if batch.interrupted else sorted(batch.answers, key=lambda side: side != pair)
        recommendations = tuple(map(session.results.recommendation, asked_first))
        return Outcome(
            recommendations=recommendations,
            interrupted=batch.interrupted,
            ran=batch.ran,
            warnings=session.results.facts.warnings,
        )


@checked()
def tune_all(
    workspace: Workspace,
    pairs: Sequence[AnyPair],
    *,
    position: Position | None = None,
    compute: Compute | None = None,
    workers: Resources | None = None,
    callbacks: Callbacks | None = None,
    with_overview: bool = False,
    budget: BatchBudget | None = None,
) -> Batch:
    """Tune many pairs in one experiment, like `tune`; each meeting is judged as soon as it is over.

    >>> import autokd
    >>> workspace = autokd.Workspace.open("mine.yaml")
    >>> batch = autokd.tune_all(workspace, [autokd.Pair(0, 2)])
    >>> autokd.Pair(0, 2) in batch.answers
    True
    """
    with run_session(workspace, compute, workers, callbacks) as session:
        batch = _tune(session, pairs, position, budget)
        if with_overview and not batch.interrupted:
            batch = replace(batch, overview=overview(session.results, workspace.pairs, batch.judged))
        return batch


def _tune(
    session: RunSession, pairs: Sequence[AnyPair], position: Position | None, limits: BatchBudget | None
) -> Batch:
    config, results = session.workspace.config, session.results
    space = results.space
    asked = space
    if position is not None:
        asked = space.model_copy(update={"position": (position,)}).permitted(config.forbidden)
    meetings = meetings_of(asked, pairs, untrained=config.federation.untrained)
    answers: dict[AnyPair, Payload] = {}
    overviews: dict[AnyPair, PairOverview] = {}
    names = {pair: results.study(pair) for meeting in meetings for pair in meeting}
    store = session.acquire(names.values())
    noise = known_noise(store, names.values())
    chains = growths(store, config, session.federation, results.facts, names.items())
    formats = session.tensor_formats(names)
    budget = None if limits is None else limits.of(sum(map(results.sweep_examples, names)))
    # Without a time limit, too: a later command may have one.
    clock = BatchClock(store, tuple(names.values()), lead=monotonic() - session.began)

    known, judged = store.names(), set(store.recommended())
    shown: dict[AnyPair, int] = {}

    def read(pair: AnyPair) -> PairRecords:
        if names[pair] not in known:
            return results.nothing_of(pair, formats[pair])
        records = results.searched(pair)
        # An earlier call of a judged pair has told of these trials.
        shown[pair] = len(records.trials) if names[pair] in judged else 0
        return replace(records, tensor_format=formats[pair])

    def register(records: PairRecords) -> None:
        growth = chains[records.pair] if isinstance(records.pair, Group) else None
        register_study(store, records, session.federation, growth)

    def space_of(pair: AnyPair) -> Space:
        return group_space(space, config, chains[pair].teachers) if isinstance(pair, Group) else space

    def conclude(over: Sequence[PairRecords]) -> Mapping[AnyPair, VerdictSummary]:
        results.replace(over)
        for records in over:
            pair = records.pair
            answers[pair] = judge_and_publish(results, pair)
            if records.rule > 1:
                noise.add(records.study, store.noise(records.study))
            overviews[pair] = pair_overview(records, answers[pair], results.prices(pair))
            session.callbacks.on_verdict(
                JudgedTrials(
                    study=records.study,
                    pair=config.federation.names.arrow(pair),
                    trials=tuple(records.trials[shown.get(pair, 0) :]),
                    recommendation=answers[pair],
                    earlier=tuple(records.trials[: shown.get(pair, 0)]),
                )
            )
        pairs = [records.pair for records in over]
        if len(meetings) > 1:
            # The records of a large batch would fill the memory.
            results.forget(pairs)
        return {pair: overviews[pair].summary for pair in pairs}

    queue = SearchQueue(
        config=config,
        space=space,
        federation=results.facts,
        meetings=meetings,
        read=read,
        register=register,
        store=store,
        space_of=cache(space_of),
        answers_of=lambda pair: answers_of_pairs(results, pair) if isinstance(pair, Group) else {},
        sampler=_sampler(session, store, names, chains),
        listen=with_heartbeat(store, clock.with_time(session.callbacks.on_search)),
        listen_seconds=_LISTEN_SECONDS,
        conclude=conclude,
        noise=noise,
        budget=budget,
        seconds_before=clock.before,
    )
    if not queue.finished:
        # The study that keeps the time of the batch; all others are made when their first run begins.
        register(read(min(names, key=names.__getitem__)))
        if len(meetings) > 1 and not session.callbacks.approves(lambda: _expected(session, queue, read)):
            return Batch(answers={}, interrupted=True, ran=0, judged={})
        session.callbacks.on_search(queue.progress())
    done = session.drive(queue, store, formats)
    clock.stop(queue.progress())
    return Batch(answers=answers, interrupted=not done, ran=queue.ended, judged=overviews)


def _expected(
    session: RunSession, queue: SearchQueue, read: Callable[[AnyPair], PairRecords]
) -> ExpectedCost:
    """Return what a batch is expected to take."""
    progress, config, results = queue.progress(), session.workspace.config, session.results
    left = [study.pair for study in progress.studies if study.conclusion is None]
    searches = [
        PairSearch(records=read(pair), costs=Costs.of_pair(config, results.space, results.facts, pair))
        for pair in left[:1]
    ]
    speed = examples_per_second(session.workspace, session.federation, searches, session.compute)
    return ExpectedCost.of(
        progress.work_left,
        len(left),
        examples_per_second=speed,
        at_once=runs_at_once(session.workers),
    )


def _sampler(
    session: RunSession, store: Store, names: Mapping[AnyPair, str], chains: Mapping[Group, Growth]
) -> Sampler:
    """Return what chooses the settings of a batch: pairs learn from pairs, and groups from groups."""
    config, space = session.workspace.config, session.results.space
    known: Any = {
        "config": config,
        "space": space,
        "federation": session.federation,
        "facts": session.results.facts,
    }
    pairs = {pair: name for pair, name in names.items() if isinstance(pair, Pair)}
    groups = {group: name for group, name in names.items() if isinstance(group, Group)}
    if not groups:
        return warm_started_sampler(store, names=pairs, **known)
    of_groups = sampler_of_groups(store, names=groups, growths=chains, **known)
    if not pairs:
        return of_groups
    return EachSampler(warm_started_sampler(store, names=pairs, **known), of_groups)
