"""Judges a pair, stores its recommendation and shows it in the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from autokd._version import __version__
from autokd.config.asked import as_text
from autokd.config.base import content_hash
from autokd.core.pair import sides_of
from autokd.core.records import Presentation, TrialOrigin
from autokd.core.setting import AnyPair
from autokd.recommendation import Recommendation
from autokd.workflows.results import StoredResults

_PAYLOAD_FORMAT: Final = 2
"""Version of what a recommendation is stored as; one of another version is made anew."""
_DASHBOARD_FORMAT: Final = 2
"""Version of what the dashboard shows; with another version, what it shows is written anew."""

Payload = Mapping[str, Any]
"""A recommendation as `Recommendation.to_json` writes it and the store keeps it."""


def judge_and_publish(results: StoredResults, pair: AnyPair) -> Payload:
    """Judge a pair, store the recommendation and show it in the dashboard, unless that is done.

    The store must hold the lease of the study.
    """
    store, study, basis = results.store, results.study(pair), _basis(results, pair)
    stored = store.recommendation(study)
    if stored is not None and stored.get("basis") != basis:
        stored = None
    mark = content_hash(basis, _DASHBOARD_FORMAT)
    if stored is not None and store.dashboard_mark(study) == mark:
        return stored
    recommendation = results.recommendation(pair)
    if stored is None:
        if recommendation.judgement is not None and recommendation.judgement.basis is not None:
            store.put_noise(study, recommendation.judgement.variance_samples())
        stored = {**recommendation.to_json(), "basis": basis}
        store.put_recommendation(study, stored)
    store.publish_dashboard(study, _presentation(results, recommendation), mark=mark)
    return stored


def _presentation(results: StoredResults, recommendation: Recommendation) -> Presentation:
    # Imported here: plotly takes a while to import.
    from autokd.report.dashboard import presentation

    pair, config = recommendation.pair, results.config
    command = f"autokd tune --study {config.name} --space {results.space.name}"
    command += f" {pair.options} --trials {config.search.trials}"
    trials = recommendation.records.trials
    asked = dict.fromkeys(trial.setting for trial in trials if trial.role is TrialOrigin.ASKED)
    command += "".join(f" --try {as_text(setting)}" for setting in asked)
    return presentation(recommendation, reproduce=command)


def _basis(results: StoredResults, pair: AnyPair) -> str:
    """Return a hash of what a judgement rests on; a stored judgement is valid while it stays the same."""
    sides = [results.searched(side) for side in sides_of(pair)]
    counts = [[len(records.trials), len(records.runs)] for records in sides]
    bases = [basis.to_json() for records in sides for basis in records.bases]
    config = results.config
    aims = (config.objective, config.constraints, config.forbid)
    # A recommendation tells the names, and it was stored without them before there were any.
    names = [list(config.federation.names.names)] if config.federation.names else []
    parts = (config.search.retries, counts, *bases, *names)
    return content_hash(__version__, _PAYLOAD_FORMAT, config.confirmation, *aims, *parts)
