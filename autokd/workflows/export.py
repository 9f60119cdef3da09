"""Exporting everything that was measured, and what is known of the federation, into one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autokd.config.target import target_json
from autokd.core.pair import AnyPair
from autokd.core.public_calls import checked
from autokd.errors import NotTuned
from autokd.federation.federation import Federation
from autokd.recommendation.evidence import JUDGED
from autokd.recommendation.judgement import Judgement
from autokd.search.pair_features import pair_features
from autokd.workflows.readable import read_each
from autokd.workflows.results import StoredResults, open_results
from autokd.workspace import Workspace


@checked()
def export(workspace: Workspace, path: Path) -> int:
    """Write all runs of a recipe and space, with those of sweep and alternatives; return the number of rows.

    Args:
        path: File whose name ends in .parquet, .csv or .xlsx, which decides the format.

    Raises:
        NotTuned: If there is nothing.
        InputError: If the file cannot be written, or its ending names no format.
    """
    from autokd.report.table_files import check_ending

    check_ending(path)
    with open_results(workspace, "run autokd tune or autokd sweep") as (federation, results):
        return export_results(workspace, federation, results, path)


def export_results(workspace: Workspace, federation: Federation, results: StoredResults, path: Path) -> int:
    """Write what opened results have; see `export`."""
    # Imported here: only this needs pyarrow.
    from autokd.report.parquet_table import export as write_table

    everybody: list[AnyPair] = [*workspace.pairs, *results.groups()]
    records = read_each(everybody, results.records)
    pairs = list(records.values())
    if not any(pair.trials or pair.runs or pair.sweep_runs or pair.alternative_runs for pair in pairs):
        config = workspace.config
        raise NotTuned(f"the store has nothing of study {config.name}; run autokd tune or autokd sweep")
    metadata = _metadata(workspace, federation, results, list(records))
    return write_table(pairs, path, metadata=metadata, names=workspace.names)


def _metadata(
    workspace: Workspace, federation: Federation, results: StoredResults, pairs: Sequence[AnyPair]
) -> dict[str, Any]:
    """Return what the file holds beside the table."""
    return {
        "federation": federation.name,
        "plan": workspace.config.model_dump(mode="json"),
        **target_json(workspace.config.target),
        "participants": [
            {
                "number": participant.number,
                **({"name": name} if (name := workspace.names.name(participant.number)) else {}),
                "architecture": participant.architecture,
                "histogram": participant.histogram,
                "accuracy": {str(split): participant.accuracy(split) for split in participant.correct},
            }
            for participant in results.facts.participants
        ],
        "pairs": {str(pair): asdict(pair_features(federation, pair)) for pair in workspace.pairs},
        "confirmed": {
            str(pair): _confirmed(judgement) for pair, judgement in results.judgements(pairs).items()
        },
    }


def _confirmed(judgement: Judgement) -> dict[str, Any]:
    """Return which settings the confirmation runs of a pair have, and all comparisons of its arms in pp."""
    return {
        "verdict": judgement.verdict.value,
        "rule": judgement.rule,
        "arms": {name: arm.setting.to_json() for name, arm in judgement.evidence.arms.items()},
        "comparisons": {
            str(split): {
                name: interval.to_json() for name, interval in judgement.figures(split).intervals.items()
            }
            for split in JUDGED
        },
    }
