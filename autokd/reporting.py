"""Reporting: reads from the store all that a report shows, so that `report` reads nothing itself."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from autokd._version import __version__
from autokd.claims.all_claims import observe
from autokd.claims.claim import Claim
from autokd.config.space import Space, sweep_epochs
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts
from autokd.core.setting import Pair
from autokd.errors import NotTuned
from autokd.explaining import Explainer
from autokd.explanation.explanation import Explanation
from autokd.federation import Federation
from autokd.judging import Judge
from autokd.report.material import Material, PairMaterial
from autokd.search.study_names import sweep_name
from autokd.store import Store

_PACKAGES: Final = ("torch", "torchvision", "ray", "optuna", "numpy", "scipy", "scikit-learn", "sqlalchemy")


def gather(
    plan: StudyConfig,
    space: Space,
    federation: Federation | None,
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
    facts = None if federation is None else federation.facts()
    known: list[PairMaterial] = []
    observations: tuple[Claim, ...] = ()
    if federation is not None and facts is not None and store is not None:
        judge = Judge(plan, space, facts)
        explainer = Explainer(judge, federation)
        known = [one for pair in pairs if (one := _pair(explainer, store, pair)) is not None]
        observations = _observations(plan, facts, known)
    return Material(
        plan=plan,
        space=space.model_dump(mode="json"),
        federation=facts,
        pairs=known,
        sweep_epochs=sweep_epochs(plan, 1),
        observations=observations,
        versions={
            "autokd": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        options=options,
    )


def _observations(
    plan: StudyConfig, federation: FederationFacts, known: Sequence[PairMaterial]
) -> tuple[Claim, ...]:
    """As `autokd observations` has them."""
    if not any(one.records.trials or one.records.sweep_runs for one in known):
        return ()
    judgements = {
        one.pair: one.found.judgement for one in known if one.found and one.found.judgement is not None
    }
    return observe(
        {one.pair: one.records for one in known},
        judgements,
        federation,
        plan.confirmation,
        dataset=plan.federation.described_data,
    )


def _explanation(explainer: Explainer, store: Store, pair: Pair) -> Explanation | None:
    """As far as its runs were made; there is none before the first."""
    if not store.runs(explainer.names(pair)[pair]):
        return None
    return explainer.explanation(store, pair)


def _pair(explainer: Explainer, store: Store, pair: Pair) -> PairMaterial | None:
    judge = explainer.judge
    study = judge.study(pair)
    trials, runs = store.trials(study), store.runs(study)
    swept = store.runs(sweep_name(judge.federation.name, judge.plan, pair))
    if not (trials or runs or swept):
        return None
    found, explanation, missing = None, None, ""
    try:
        found = judge.recommendation(store, pair)
        explanation = None if found.judgement is None else _explanation(explainer, store, pair)
    except NotTuned as error:
        missing = str(error)
    records = PairRecords(
        pair=pair, study=study, trials=trials, reports=store.reports(study), runs=runs, sweep_runs=swept
    )
    return PairMaterial(records=records, found=found, missing=missing, explanation=explanation)
