"""Reporting: reads from the store all that a report shows, so that `report` reads nothing itself."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import autokd
from autokd.errors import NotTuned
from autokd.judging import Judge
from autokd.plan import StudyPlan
from autokd.records import FederationFacts
from autokd.report.material import Material, PairMaterial
from autokd.search.space import Space, sweep_epochs
from autokd.search.studies import sweep_name
from autokd.setting import Pair
from autokd.store import Store

_PACKAGES: Final = ("torch", "torchvision", "ray", "optuna", "numpy", "scipy", "scikit-learn", "sqlalchemy")


def gather(
    plan: StudyPlan,
    space: Space,
    federation: FederationFacts | None,
    store: Store | None,
    pairs: Sequence[Pair],
    *,
    options: str = "",
) -> Material:
    """All that is known of some pairs; those of which the store has nothing are left out.

    Args:
        plan: Of the study.
        space: Likewise.
        federation: None if it was never prepared.
        store: None if there is none yet.
        pairs: Of the federation.
        options: As in `Material`.
    """
    known: list[PairMaterial] = []
    if federation is not None and store is not None:
        judge = Judge(plan, space, federation)
        known = [one for pair in pairs if (one := _pair(judge, store, pair)) is not None]
    return Material(
        plan=plan,
        space=space.model_dump(mode="json"),
        federation=federation,
        pairs=known,
        sweep_epochs=sweep_epochs(plan, 1),
        versions={
            "autokd": autokd.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        options=options,
    )


def _pair(judge: Judge, store: Store, pair: Pair) -> PairMaterial | None:
    study = judge.study(pair)
    trials, runs = store.trials(study), store.runs(study)
    swept = store.runs(sweep_name(judge.federation.name, judge.plan, pair))
    if not (trials or runs or swept):
        return None
    found, missing = None, ""
    try:
        found = judge.recommendation(store, pair)
    except NotTuned as error:
        missing = str(error)
    return PairMaterial(
        pair=pair,
        study=study,
        found=found,
        missing=missing,
        trials=trials,
        reports=store.reports(study),
        runs=runs,
        swept=swept,
    )
