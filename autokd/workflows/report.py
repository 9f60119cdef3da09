"""The data of a report: all that it shows is read here, so that `report` reads nothing itself."""

from __future__ import annotations

import logging
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from autokd._version import __version__
from autokd.claims.claim import Claim
from autokd.config.space import Space, sweep_epochs, sweep_examples
from autokd.config.study import StudyConfig
from autokd.core.price import Prices
from autokd.core.public_calls import checked, only_pairs
from autokd.core.records import FederationFacts
from autokd.core.setting import AnyPair, Pair
from autokd.errors import NotTuned
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.report.data import PairData, ReportData
from autokd.workflows.observe_claims import observations_of
from autokd.workflows.readable import leaving_out
from autokd.workflows.results import StoredResults
from autokd.workflows.stored_explanation import stored_explanation
from autokd.workflows.study_warnings import warned_facts
from autokd.workspace import Workspace

MOST_PAIRS: Final = 600
"""Most pairs of one page: each takes some 40 KB of it, and the page is read as a whole."""
_log = logging.getLogger(__name__)
_PACKAGES: Final = ("torch", "torchvision", "ray", "optuna", "numpy", "scipy", "scikit-learn", "sqlalchemy")


@checked(pairs=only_pairs)
def report_data(
    workspace: Workspace, pairs: Sequence[Pair] | None = None, *, options: str = ""
) -> ReportData:
    """Return all that a report shows; an empty store has an empty report.

    Args:
        pairs: Pairs to report, by default all; those without records are left out.
        options: Options that make a command mean this study and store, e.g. `--study mine`.
    """
    config = workspace.config
    federation = find(workspace.home, config.federation)
    facts = None if federation is None else warned_facts(config, federation.facts(), source=workspace.source)
    try:
        store = workspace.open_store(create=False)
    except NotTuned:
        return report_of(workspace, federation, facts, None, pairs, options=options)
    with store:
        results = StoredResults.of(workspace, facts, store)
        data = report_of(workspace, federation, facts, results, pairs, options=options)
    if federation is not None:
        _say_what_is_left_out(data.pairs, workspace.pairs if pairs is None else pairs)
    return data


def report_of(
    workspace: Workspace,
    federation: Federation | None,
    facts: FederationFacts | None,
    results: StoredResults | None,
    pairs: Sequence[Pair] | None = None,
    *,
    options: str = "",
) -> ReportData:
    """Return all that a report shows of opened results; see `report_data`.

    Args:
        facts: The federation's, with the warnings of the study; both are None if it is not prepared.
        results: Stored results; None if there is no store.
    """
    config, space = workspace.config, workspace.space
    shown: list[PairData] = []
    observations: tuple[Claim, ...] = ()
    groups: list[PairData] = []
    if results is not None and federation is not None:
        space = results.space
        asked = workspace.pairs if pairs is None else pairs
        results.only_read()
        for pair in asked:
            shown += _readable(results, federation, pair)
            if len(shown) == MOST_PAIRS < len(asked):
                break
        if pairs is None:
            groups = [data for group in results.groups() for data in _readable(results, federation, group)]
        observations = observations_of(results, {data.pair: data.records for data in shown})
    return ReportData(
        config=config,
        space=space.model_dump(mode="json"),
        federation=facts,
        pairs=shown,
        groups=groups,
        sweep_epochs=sweep_epochs(config, space, 1),
        sweep_budget=space.budgets(config)[-1],
        sweep_examples=_sweep_examples(config, space, facts, shown),
        observations=observations,
        versions={
            "autokd": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        options=options,
    )


def _say_what_is_left_out(shown: Sequence[PairData], asked: Sequence[Pair]) -> None:
    """Log how many of the pairs the report has nothing of."""
    left_out = len(asked) - len(shown)
    if len(shown) == MOST_PAIRS < len(asked):
        _log.warning(
            "the report shows the first %d pairs that have records and leaves out the rest of %d: a browser "
            "could not open more. autokd status shows all of them, report --pair each one",
            len(shown),
            len(asked),
        )
    elif left_out:
        _log.warning(
            "the report leaves out %d of %d pairs: nothing of them is stored that can be read",
            left_out,
            len(asked),
        )


def _sweep_examples(
    config: StudyConfig, space: Space, facts: FederationFacts | None, shown: Sequence[PairData]
) -> dict[Pair, int]:
    """Return the cost of the sweep in training examples, by pair; empty if it is unknown."""
    examples = dict[Pair, int]()
    if facts is None:
        return examples
    for data in shown:
        prices = Prices.of_pair(facts, data.pair, epochs=config.distillation.epochs)
        if prices is not None:
            examples[data.pair] = sweep_examples(config, space, prices)
    return examples


def _readable(results: StoredResults, federation: Federation, pair: AnyPair) -> list[PairData]:
    """Return what a report shows of a pair; empty if there is nothing, or if it cannot be read."""
    shown: list[PairData] = []
    if results.is_readable(pair):
        with leaving_out(pair):
            data = _pair(results, federation, pair)
            shown += [] if data is None else [data]
    return shown


def _pair(results: StoredResults, federation: Federation, pair: AnyPair) -> PairData | None:
    records = results.records(pair)
    if not (records.trials or records.runs or records.sweep_runs):
        return None
    judged, explanation, missing = None, None, ""
    try:
        judged = results.recommendation(pair)
        if judged.judgement is not None and isinstance(pair, Pair):
            explanation = stored_explanation(results, federation, pair)
    except NotTuned as error:
        missing = str(error)
    return PairData(records=records, recommendation=judged, missing=missing, explanation=explanation)
