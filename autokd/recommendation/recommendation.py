"""The recommendation of one pair: what the store has, judged and put into words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autokd.core.records import FederationFacts, ParticipantFacts, Role, RunRecord, TrialRecord, TrialState
from autokd.core.setting import Pair, Position, Setting, Split, derive_seed
from autokd.errors import NotTuned
from autokd.plan import ConfirmationRecipe, StudyPlan
from autokd.recommendation import payload
from autokd.recommendation.evidence import Lacking
from autokd.recommendation.looks import Case, seeds_wanted
from autokd.recommendation.network import Traffic, traffic
from autokd.recommendation.position import PositionAdvice, advise
from autokd.recommendation.prospects import what_would_decide
from autokd.recommendation.statistics import NOTHING, Interval
from autokd.recommendation.verdict import Judgement, Verdict, described


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Searched:
    """What the store has of one pair.

    Attributes:
        study: Its name, `<federation>/<plan>/4->9`.
        trials: By number.
        runs: All race and confirmation runs that have ended.
    """

    study: str
    trials: Sequence[TrialRecord]
    runs: Sequence[RunRecord] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recommendation:
    """For a pair: the verdict, the setting with its gain, the default's beside it, and the position.

    Attributes:
        student: As it was before anything was distilled.
        judgement: None if there was nothing to judge; the verdict then is `failed`.
        position: Of the student in its meeting.
        reason: Why this verdict, in one sentence with numbers of the confirmation split.
        what_would_decide: For an undecided pair, else empty.
        network: What would move for `setting`; None where there is none, or sizes are not known.
    """

    pair: Pair
    federation: str
    plan: ConfirmationRecipe
    searched: Searched = field(repr=False)
    student: ParticipantFacts = field(repr=False)
    judgement: Judgement | None
    position: PositionAdvice
    reason: str
    what_would_decide: str = ""
    network: Traffic | None = None

    @property
    def verdict(self) -> Verdict:
        return Verdict.FAILED if self.judgement is None else self.judgement.verdict

    @property
    def setting(self) -> Setting | None:
        """What `gain` belongs to: the answer if there is one to train, else the candidate judged."""
        return None if self.judgement is None else self.judgement.shown.setting

    @property
    def gain(self) -> Interval | None:
        """Of `setting` on test, in pp of the student."""
        return None if self.judgement is None else self.judgement.gain(Split.TEST)

    @property
    def single_run(self) -> Interval | None:
        """What a single further run of `setting` would gain; see `Judgement.single_run`."""
        return None if self.judgement is None else self.judgement.single_run(self.plan.confidence)

    @property
    def recommended_gain(self) -> Interval:
        """Of what is recommended on test; exactly 0 where that is to leave the model as it is."""
        return NOTHING if self.gain is None or self.verdict.answer == "as-is" else self.gain

    @property
    def advice(self) -> str:
        """One sentence that says what the student should do."""
        pair, setting = self.pair, self.setting
        if setting is None:
            return f"{pair}: nothing can be recommended: {self.reason}"
        match self.verdict:
            case Verdict.TUNED:
                return f"{pair}: use {described(setting)}"
            case Verdict.DEFAULT:
                return f"{pair}: use the default, {described(setting)}; nothing is shown to beat it"
            case Verdict.SKIP:
                return f"{pair}: leave participant {pair.student} as it is; distilling is not worth it"
            case _:
                return (
                    f"{pair}: leave participant {pair.student} as it is for now; "
                    f"{described(setting)} is not shown to be better"
                )

    def to_json(self) -> dict[str, object]:
        """What `autokd recommend --json` prints; gains are in pp of the student, on test."""
        return {
            "pair": {"teacher": self.pair.teacher, "student": self.pair.student},
            "verdict": self.verdict.value,
            "advice": self.advice,
            "reason": self.reason,
            "what_would_decide": self.what_would_decide or None,
            **payload.figures(self.judgement),
            "single_run": None if self.single_run is None else self.single_run.to_json(),
            "network": None if self.network is None else self.network.to_json(),
            "recommended": {
                "answer": self.verdict.answer,
                "gain": self.recommended_gain.to_json(),
            },
            "split": Split.TEST.value,
            "decided_on": payload.decided_on(self.judgement, self.plan),
            "trials": payload.count_by_state(self.searched.trials),
            "epochs_spent": {
                "search": sum(trial.epochs for trial in self.searched.trials),
                "confirmation": sum(run.epochs for run in self.searched.runs),
            },
            "federation": self.federation,
            "study": self.searched.study,
            "position": self.position.to_json(),
        }


def recommend(
    pair: Pair,
    plan: StudyPlan,
    federation: FederationFacts,
    searched: Searched,
    *,
    reverse: Searched | None = None,
) -> Recommendation:
    """Judge a pair, and its position in the meeting, from what the store has.

    The same records give the same recommendation, to the last digit.

    Args:
        pair: Who teaches whom.
        plan: Of the study; how trials are found does not matter here.
        federation: For what all models do as they are.
        searched: Of `pair`.
        reverse: Of `pair.reverse`, if that was searched, too. What is not finished there counts as unknown.

    Raises:
        NotTuned: If `pair` was not searched, or its race or confirmation is not finished.
    """
    case = _case(pair, plan, federation, searched)
    if lacking := _unfinished(case):
        way_out = f"autokd tune --pair {pair.teacher},{pair.student}"
        raise NotTuned(f"pair {pair} has no recommendation yet: {lacking}; run {way_out}")
    judged = case.judged(seeds_wanted(case))
    judgement = judged if isinstance(judged, Judgement) else None
    behind: Judgement | Lacking | None = None
    other = None if reverse is None else _case(pair.reverse, plan, federation, reverse)
    if other is not None and not _unfinished(other):
        behind = other.judged(seeds_wanted(other))
    position = advise(
        federation.participants[pair.student].correct,
        federation.participants[pair.teacher].correct,
        as_student=judgement,
        as_teacher=behind if isinstance(behind, Judgement) else None,
        plan=plan.confirmation,
        seed=derive_seed(searched.study, "position"),
        forbidden=[Position(one) for one in plan.forbid.positions],
    )
    return Recommendation(
        pair=pair,
        federation=federation.name,
        plan=plan.confirmation,
        searched=searched,
        student=federation.participants[pair.student],
        judgement=judgement,
        position=position,
        reason=judged.reason if isinstance(judged, Lacking) else _reason(judged, plan.confirmation),
        what_would_decide="" if judgement is None else what_would_decide(judgement, plan.confirmation),
        network=None if judgement is None else traffic(judgement.shown.setting, pair, federation),
    )


def unfinished(pair: Pair, plan: StudyPlan, federation: FederationFacts, searched: Searched) -> str:
    """What is missing before a pair can be judged; empty if nothing is."""
    return _unfinished(_case(pair, plan, federation, searched))


def _case(pair: Pair, plan: StudyPlan, federation: FederationFacts, searched: Searched) -> Case:
    study, trials, runs = searched.study, searched.trials, searched.runs
    return Case.of(pair, plan, federation, study=study, trials=trials, runs=runs)


def _unfinished(case: Case) -> str:
    baselines = [trial.state for trial in case.trials if trial.role is Role.BASELINE]
    if not set(baselines) & {TrialState.COMPLETE, TrialState.FAIL}:
        return "the default setting has not run to the end"
    owed = case.pending(seeds_wanted(case))
    return f"{len(owed)} race and confirmation runs are to be done" if owed else ""


def _reason(judgement: Judgement, plan: ConfirmationRecipe) -> str:
    figures, winner = judgement.decisive, judgement.evidence.winner
    objective = judgement.aims.objective
    default = f"the default gains {figures.default_gain}"
    if winner is None:
        told = f"{default}; no other setting came through confirmation"
    else:
        told = (
            f"{described(winner.setting)} gains {figures.winner_gain}, {default}, "
            f"difference {figures.improvement}"
        )
    if judgement.verdict is Verdict.SKIP:
        told += f"; {plan.min_improvement:g} pp would be worth it"
    lost = judgement.evidence.default.diverged + (0 if winner is None else winner.diverged)
    if lost:
        told += f"; {lost} runs diverged and count as no gain"
    where = "on confirmation" if objective == "gain" else f"by {objective} on confirmation"
    return f"{where}: {told}{_rejected(judgement)}"


def _rejected(judgement: Judgement) -> str:
    """Which arms the plan's constraints rule out."""
    forgotten, winner = judgement.forgotten, judgement.evidence.winner
    if forgotten is None:
        return ""
    arms: dict[str, Interval | None] = {}
    if winner is not None and not forgotten.winner_allowed:
        arms[described(winner.setting)] = forgotten.winner
    if not forgotten.default_allowed:
        arms["the default"] = forgotten.default
    return "".join(
        f"; {arm} is rejected: it forgets {lost}, and {forgotten.limit:g} pp are allowed"
        for arm, lost in arms.items()
    )
