"""Exporting: gathers all that was measured under a plan, and what is known beside it, into one table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.setting import Pair
from autokd.errors import NotTuned
from autokd.federation import Federation
from autokd.search.pair_features import pair_features
from autokd.search.study_names import rivals_name, sweep_name
from autokd.store import Store


def export_all(
    path: Path, *, plan: StudyConfig, federation: Federation, names: Mapping[Pair, str], store: Store
) -> int:
    """Write the trials and runs of some studies, and sweep and rivals of their pairs; how many rows.

    Args:
        path: The Parquet file.
        names: Of the studies.

    Raises:
        NotTuned: If there is nothing.
        InputError: If the file cannot be written.
    """
    # Imported here: only this needs pyarrow.
    from autokd.report.parquet_table import export

    measured = [
        PairRecords(
            pair=pair,
            study=name,
            trials=store.trials(name),
            reports=store.reports(name),
            runs=store.runs(name),
            sweep_runs=store.runs(sweep_name(federation.name, plan, pair)),
            alternative_runs=store.runs(rivals_name(federation.name, plan, pair)),
        )
        for pair, name in names.items()
    ]
    if not any(one.trials or one.runs or one.sweep_runs or one.alternative_runs for one in measured):
        raise NotTuned(f"the store has nothing of study {plan.name}; run autokd tune or autokd sweep")
    return export(measured, path, metadata=_beside(plan, federation, names))


def _beside(plan: StudyConfig, federation: Federation, names: Mapping[Pair, str]) -> dict[str, Any]:
    """What stands in the file beside the table."""
    return {
        "federation": federation.name,
        "plan": plan.model_dump(mode="json"),
        "participants": [
            {
                "number": one.number,
                "architecture": one.architecture,
                "histogram": one.histogram,
                "accuracy": {str(split): float(right.mean()) for split, right in one.correct.items()},
            }
            for one in federation.facts().participants
        ],
        "pairs": {str(pair): pair_features(federation, pair).to_json() for pair in names},
    }
