"""Explaining: reads what the store has of a pair, says which runs its rivals take, and lines them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from autokd.core.pair_records import PairRecords
from autokd.core.records import RunRecord
from autokd.core.run_spec import RunSpec
from autokd.core.setting import Pair, Split, TransferSet
from autokd.errors import NotTuned
from autokd.explanation.alternatives import Subject, repeated, wanted
from autokd.explanation.attribution import between
from autokd.explanation.best_elsewhere import BestAverageSetting, best_elsewhere
from autokd.explanation.explanation import Explanation, Known, explain
from autokd.federation import Federation
from autokd.judging import Judge
from autokd.recommendation import Recommendation
from autokd.recommendation.position import Advice
from autokd.recommendation.race import to_be_run
from autokd.recommendation.verdict import Judgement
from autokd.search.study_names import rivals_name, sweep_name
from autokd.store import Store


@dataclass(frozen=True, slots=True)
class Explained:
    """What explaining came to.

    Attributes:
        explanation: None if it was interrupted; the same call goes on.
        ran: Runs that ended during this call; 0 if the store had it all.
    """

    explanation: Explanation | None
    ran: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A judged pair, and what follows from that for its rivals.

    Attributes:
        subject: Of the pair.
        reverse: Judgement and subject of the reversed pair, if its model is the one to adopt.
        retries: How often a run that died of infrastructure is tried again.
    """

    found: Recommendation
    subject: Subject
    reverse: tuple[Judgement, Subject] | None
    retries: int

    def wanted(self, runs: Mapping[Pair, Sequence[RunRecord]]) -> Mapping[Pair, Sequence[RunSpec]]:
        """All runs that the explanation takes as things stand, done or not, by pair."""
        steps = list(between(self.subject.setting).values())
        pair = self.found.pair
        found: dict[Pair, Sequence[RunSpec]] = {
            pair: wanted(self.subject, runs[pair], steps=steps, retries=self.retries)
        }
        if self.reverse is not None:
            there = self.reverse[1]
            found[pair.reverse] = repeated(there, list(between(there.setting).values()))
        return found


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains the pairs of one federation under one plan."""

    judge: Judge
    federation: Federation

    def names(self, pair: Pair) -> Mapping[Pair, str]:
        """Where the rivals' runs are kept, of a pair and of the reversed one."""
        name, plan = self.federation.name, self.judge.plan
        return {one: rivals_name(name, plan, one) for one in (pair, pair.reverse)}

    def case(self, store: Store, pair: Pair) -> Case:
        """What there is to explain.

        Raises:
            NotTuned: If the pair has no recommendation yet, or its runs failed.
        """
        found = self.judge.recommendation(store, pair)
        if found.judgement is None:
            raise NotTuned(f"pair {pair} has nothing to explain: {found.reason}")
        reverse = None
        if found.position.advice is Advice.TEACHER:
            judgement = self.judge.recommendation(store, pair.reverse).judgement
            assert judgement is not None, "its model was advised"
            reverse = (judgement, self._subject(pair.reverse, judgement, None))
        return Case(
            found=found,
            subject=self._subject(pair, found.judgement, self._elsewhere(store, pair)),
            reverse=reverse,
            retries=self.judge.plan.search.retries,
        )

    def explanation(self, store: Store, pair: Pair) -> Explanation:
        """The explanation that the records come to; what has not run is said to be missing.

        Raises:
            NotTuned: As `case`.
        """
        case = self.case(store, pair)
        runs = {one: store.runs(name) for one, name in self.names(pair).items()}
        all_wanted = case.wanted(runs)
        steps = set(all_wanted.get(pair.reverse, ()))
        return explain(
            Known(
                found=case.found,
                subject=case.subject,
                runs=runs[pair],
                reverse=None if case.reverse is None else case.reverse[0],
                reverse_runs=[one for one in runs[pair.reverse] if RunSpec.of(pair.reverse, one) in steps],
                partner=self.judge.federation.participants[pair.teacher].correct,
                averaged={split: self.federation.averaged(sorted(pair.meeting), split) for split in Split},
                owed=sum(
                    to_be_run([run for run in runs[whose] if RunSpec.of(whose, run) == one], case.retries)
                    for whose, its in all_wanted.items()
                    for one in its
                ),
            ),
            retries=case.retries,
        )

    def _subject(self, pair: Pair, judgement: Judgement, elsewhere: BestAverageSetting | None) -> Subject:
        evidence, plan = judgement.evidence, self.judge.plan
        arms = (evidence.default, evidence.winner)
        return Subject(
            pair=pair,
            setting=judgement.shown.setting,
            confirmed=tuple(arm.setting for arm in arms if arm is not None),
            seeds=evidence.seeds,
            transfer_sets=self._transfer_sets(),
            learning_rate=plan.distillation.learning_rate,
            rate_seeds=plan.confirmation.race_seeds,
            elsewhere=elsewhere,
        )

    def _transfer_sets(self) -> tuple[TransferSet, ...]:
        """That the space allows and that there is something in."""
        allowed = self.judge.space.transfer_set
        return tuple(
            one for one in allowed if one is not TransferSet.PUBLIC or len(self.federation.public) > 1
        )

    def _elsewhere(self, store: Store, pair: Pair) -> BestAverageSetting | None:
        """From all pairs without either participant."""
        name, plan, participants = self.federation.name, self.judge.plan, self.judge.federation.participants
        rest = [one.number for one in participants if one.number not in pair.meeting]
        others = (Pair(teacher, student) for teacher, student in permutations(rest, 2))
        return best_elsewhere(
            [
                PairRecords(
                    pair=other,
                    study=self.judge.study(other),
                    trials=store.trials(self.judge.study(other)),
                    sweep_runs=store.runs(sweep_name(name, plan, other)),
                )
                for other in others
            ],
            self.judge.federation,
            transfer_sets=self._transfer_sets(),
        )
