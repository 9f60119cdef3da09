"""What tuning some pairs is expected to take, before anything is run or written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import Final

from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.compute.threads import computing_with
from autokd.core.pair_records import PairRecords
from autokd.core.public_calls import checked
from autokd.core.setting import DEFAULT, AnyPair, Position
from autokd.distillation.run import Run
from autokd.errors import NotTuned, TrialError
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.recommendation.verdict import RULE
from autokd.search.costs import Costs
from autokd.search.expected import ExpectedCost, expected_work, nominal_costs
from autokd.search.next_work import PairSearch
from autokd.search.study_names import meetings_of
from autokd.workflows.results import StoredResults
from autokd.workspace import Workspace

_FEW: Final = 4
"""Pairs whose stored runs are read for a speed."""
_LONG: Final = 1.0
"""Seconds of a first epoch that say enough; after a shorter one, a second is timed."""


@checked()
def expected_cost(
    workspace: Workspace,
    pairs: Sequence[AnyPair],
    *,
    position: Position | None = None,
    compute: Compute | None = None,
    workers: Resources | None = None,
) -> ExpectedCost:
    """Return what tuning these pairs is expected to take; nothing is written.

    The time comes from stored runs or, without any, from one or two epochs that are timed in this process. It
    is not known before the federation is prepared.
    """
    config = workspace.config
    federation = find(workspace.home, config.federation)
    facts = None if federation is None else federation.facts()
    with ExitStack() as stack:
        results, space = None, workspace.space
        if facts is not None:
            with suppress(NotTuned):
                store = stack.enter_context(workspace.open_store(create=False))
                results = StoredResults.of(workspace, facts, store)
                results.only_read()
                space = results.space

        def search(pair: AnyPair) -> PairSearch:
            nothing = PairRecords(pair=pair, study=str(pair), rule=RULE)
            return PairSearch(
                records=nothing if results is None else results.searched(pair),
                costs=nominal_costs(config, space, pair)
                if facts is None
                else Costs.of_pair(config, space, facts, pair),
            )

        asked = space
        if position is not None:
            asked = space.model_copy(update={"position": (position,)}).permitted(config.forbidden)
        meetings = [
            [search(pair) for pair in meeting]
            for meeting in meetings_of(asked, pairs, untrained=config.federation.untrained)
        ]
    work, count = expected_work(config, meetings)
    if federation is None or not count:
        return ExpectedCost.of(work, count)
    searches = [search for meeting in meetings for search in meeting]
    speed = examples_per_second(workspace, federation, searches, compute or Compute())
    at_once = runs_at_once(workers or Resources())
    return ExpectedCost.of(work, count, examples_per_second=speed, at_once=at_once)


def examples_per_second(
    workspace: Workspace, federation: Federation, searches: Iterable[PairSearch], compute: Compute
) -> float | None:
    """Return the training speed of one run; None if a run fails, and the batch will tell why.

    It is that of stored runs, or else of an epoch or two of the default setting.
    """
    searches = list(searches)
    timed = [(search, run) for search in searches[:_FEW] for run in search.records.runs if run.seconds > 0]
    seconds = sum(run.seconds for _, run in timed)
    if seconds:
        return sum(search.costs.prices.spent([run]) for search, run in timed) / seconds
    recipe = workspace.config.distillation
    epochs = sorted({1, min(2, recipe.epochs), recipe.epochs})
    run = Run(
        federation,
        searches[0].pair,
        DEFAULT,
        seed=0,
        recipe=recipe,
        rungs=epochs,
        splits=(),
        compute=compute,
    )
    try:
        with computing_with(compute.threads):
            rung = next(run)
            if rung.seconds < _LONG and epochs[0] != epochs[-1]:
                rung = next(run)
    except TrialError:
        return None
    return rung.examples_per_second


def runs_at_once(workers: Resources) -> int:
    """Return how many runs this machine, or one like it, does at once."""
    import torch

    cluster = {"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count())}
    return workers.at_once(cluster)
