"""The poster's claims in the federation at hand, from the store alone."""

from __future__ import annotations

from collections.abc import Mapping

from autokd.claims.all_claims import observe
from autokd.claims.claim import Claim
from autokd.core.pair_records import PairRecords
from autokd.core.public_calls import checked
from autokd.core.setting import Pair
from autokd.errors import NotTuned
from autokd.workflows.readable import read_each
from autokd.workflows.results import StoredResults, open_results
from autokd.workspace import Workspace


@checked()
def observe_claims(workspace: Workspace) -> tuple[Claim, ...]:
    """Return the observations of all pairs.

    Raises:
        NotTuned: If there is nothing to observe.
    """
    with open_results(workspace, "run autokd tune or autokd sweep") as (_, results):
        observations = observations_of(results, read_each(workspace.pairs, results.records))
    if not observations:
        config = workspace.config
        raise NotTuned(f"the store has nothing of study {config.name}; run autokd tune or autokd sweep")
    return observations


def observations_of(results: StoredResults, records: Mapping[Pair, PairRecords]) -> tuple[Claim, ...]:
    """Return the observations of some pairs; empty if nothing was searched or swept."""
    if not any(stored.trials or stored.sweep_runs for stored in records.values()):
        return ()
    config = results.config
    return observe(
        records,
        results.judgements(records),
        results.facts,
        config.confirmation,
        dataset=config.federation.described_data,
    )
