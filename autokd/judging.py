"""Judging: reads what the store has of a pair, makes its recommendation, and keeps and shows that there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from autokd._version import __version__
from autokd.config.base import content_hash
from autokd.config.space import Space
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts, Presentation
from autokd.core.setting import Pair
from autokd.recommendation import Recommendation, judge_pair, recommend
from autokd.recommendation.verdict import Judgement
from autokd.search.study_names import study_name
from autokd.store import Store

_FORMAT: Final = 1
"""Of what is shown in the dashboard: with another one, what is there is written anew."""

Payload = Mapping[str, Any]
"""A recommendation as `Recommendation.to_json` writes it and the store keeps it."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the pairs of one federation under one plan."""

    plan: StudyConfig
    space: Space
    federation: FederationFacts

    def study(self, pair: Pair) -> str:
        """The name of a pair's study in the store."""
        return study_name(self.federation.name, self.plan, self.space, pair)

    def recommendation(self, store: Store, pair: Pair) -> Recommendation:
        """The recommendation that the pair's records and those of the reverse pair come to.

        Raises:
            NotTuned: If there is none yet.
        """
        plan, federation = self.plan, self.federation
        records, reverse = self._searched(store, pair), self._searched(store, pair.reverse)
        return recommend(
            plan,
            federation,
            records,
            judge_pair(plan, federation, records),
            reverse=judge_pair(plan, federation, reverse),
        )

    def judgement(self, store: Store, pair: Pair) -> Judgement | None:
        """What was decided of a pair; None if it is not tuned to the end, or failed."""
        judged = judge_pair(self.plan, self.federation, self._searched(store, pair))
        return judged if isinstance(judged, Judgement) else None

    def conclude(self, store: Store, pair: Pair) -> Payload:
        """Judge a pair, store it and show it in the dashboard; what the store has of that is left alone."""
        name, basis = self.study(pair), self._basis(store, pair)
        known = store.recommendation(name)
        if known is not None and known.get("basis") != basis:
            known = None
        mark = content_hash(basis, _FORMAT)
        if known is not None and store.dashboard_mark(name) == mark:
            return known
        found = self.recommendation(store, pair)
        if known is None:
            known = {**found.to_json(), "basis": basis}
            store.put_recommendation(name, known)
        store.publish_dashboard(name, self._presentation(found), mark=mark)
        return known

    def _presentation(self, found: Recommendation) -> Presentation:
        # Imported here: plotly is for those who judge.
        from autokd.report.dashboard import presentation

        pair, plan = found.pair, self.plan
        command = f"autokd tune --study {plan.name} --space {self.space.name}"
        command += f" --pair {pair.teacher},{pair.student} --trials {plan.search.trials}"
        return presentation(found, reproduce=command)

    def _basis(self, store: Store, pair: Pair) -> str:
        """What a judgement rests on, in short: as long as it stays, so does the judgement."""
        known = [self._searched(store, one) for one in (pair, pair.reverse)]
        counts = [[len(one.trials), len(one.runs)] for one in known]
        plan = self.plan
        aims = (plan.objective, plan.constraints, plan.forbid)
        return content_hash(__version__, plan.confirmation, *aims, plan.search.retries, counts)

    def _searched(self, store: Store, pair: Pair) -> PairRecords:
        name = self.study(pair)
        return PairRecords(pair=pair, study=name, trials=store.trials(name), runs=store.runs(name))
