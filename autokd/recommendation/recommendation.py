"""The recommendation of one pair: its judgement in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.study import StudyConfig
from autokd.config.target import ClassShares, TargetName, target_json
from autokd.core.pair_records import PairRecords
from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.price import TrainingCost
from autokd.core.records import Correctness, FederationFacts, ParticipantFacts
from autokd.core.setting import DEFAULT, AnyPair, Pair, Position, Setting, Split, derive_seed, described
from autokd.errors import NotTuned
from autokd.recommendation import notebook, payload
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.communication import Cost, communication_cost
from autokd.recommendation.comparisons import (
    AVERAGED_GAIN,
    BEYOND_BUDGET,
    BEYOND_SINGLE,
    CORRECTED_GAIN,
    DEFAULT_GAIN,
    IMPROVEMENT,
    TEACHER_PART,
    WINNER_GAIN,
)
from autokd.recommendation.decision import Decision
from autokd.recommendation.decision import decide as decided
from autokd.recommendation.evidence import CORRECTED
from autokd.recommendation.interim_looks import JudgedPair, OutOfBudget, Unfinished, extension
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.position import PositionAdvice, advise
from autokd.recommendation.power import what_would_decide
from autokd.recommendation.probabilities import Probabilities, probabilities
from autokd.recommendation.reason import reason, unjudged
from autokd.recommendation.verdict import WITH_RIVALS, Verdict
from autokd.recommendation.ways import ways
from autokd.statistics.paired import NOTHING, Interval

_MORE_BUDGET: Final = "a larger budget: the same command with more --time, --epochs or --share-of-sweep"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recommendation:
    """The verdict of a pair, the setting with its gain beside the default's gain, and the position.

    Attributes:
        student: The student's model before anything is distilled.
        judgement: None if there was nothing to judge; the verdict is then `failed`, or `undecided` if only
            the budget was at fault.
        position: What to be in the meeting; None for a group.
        out_of_budget: Whether the budget ended before the pair could be judged.
        target: Class distribution that all figures are on.
        decision: What the student's owner should do.
        names: Names of the federation's participants.
        probabilities: How good the student's probabilities are, before and after; None if that is not known.
        reason: Why this verdict, in one sentence with numbers of the confirmation split.
        what_would_decide: What would decide an undecided pair; else empty.
        extending: What is being done beyond this answer, which stays until then; empty if nothing is.
        network: Cost of communication for `setting`; None without a setting, or if sizes are not known.
        cost: Cost of training; None if it is not known.
    """

    pair: AnyPair
    federation: str
    confirmation: ConfirmationConfig
    records: PairRecords = field(repr=False)
    student: ParticipantFacts = field(repr=False)
    judgement: Judgement | None
    position: PositionAdvice | None
    decision: Decision
    reason: str
    what_would_decide: str = ""
    extending: str = ""
    network: Cost | None = None
    cost: TrainingCost | None = None
    out_of_budget: bool = False
    target: TargetName | ClassShares = "common"
    names: ParticipantNames = NUMBERS_ONLY
    probabilities: Probabilities | None = None

    def __repr__(self) -> str:
        return notebook.short(self.names.arrow(self.pair), self.verdict.value, self.setting, self.gain)

    def _repr_html_(self) -> str:
        return notebook.as_html(self.advice, self.compared)

    @property
    def of_pair(self) -> tuple[Pair, PositionAdvice]:
        """The pair, and what to be in its meeting.

        Raises:
            ValueError: If it is of a group.
        """
        if not isinstance(self.pair, Pair) or self.position is None:
            raise ValueError(f"{self.pair} is no pair")
        return self.pair, self.position

    @property
    def verdict(self) -> Verdict:
        if self.judgement is not None:
            return self.judgement.verdict
        return Verdict.UNDECIDED if self.out_of_budget else Verdict.FAILED

    @property
    def setting(self) -> Setting | None:
        """Return the setting of `gain`: the answer if it needs training, else the candidate judged."""
        return None if self.judgement is None else self.judgement.shown.setting

    @property
    def gain(self) -> Interval | None:
        """Return the gain of `setting` on test, in pp of the student."""
        return None if self.judgement is None else self.judgement.gain(Split.TEST)

    @property
    def single_run(self) -> Interval | None:
        """Return what a single further run of `setting` would gain; see `Judgement.single_run`."""
        return None if self.judgement is None else self.judgement.single_run(self.confirmation.confidence)

    @property
    def recommended_gain(self) -> Interval:
        """Return the gain of the answer on test; exactly 0 if that is to leave the model as it is."""
        return NOTHING if self.gain is None or self.verdict.answer == "as-is" else self.gain

    @property
    def decisions_teacher_part(self) -> Interval | None:
        """What of the decision's gain on test is the teacher's; None if it was not measured."""
        chosen = self.decision.chosen.way
        if self.judgement is None or chosen.pair != self.pair or chosen.setting != self.setting:
            return None
        return self.judgement.shown_teacher_part

    @property
    def compared(self) -> list[tuple[str, Interval, Interval]]:
        """Return the comparisons to show: in words, on test, and on confirmation, in pp of the student."""
        judgement = self.judgement
        if judgement is None:
            return []
        test, decided = judgement.test.intervals, judgement.confirmation.intervals
        winner = judgement.evidence.winner
        words = {
            WINNER_GAIN: "" if winner is None else str(winner.setting),
            DEFAULT_GAIN: "the default setting",
            IMPROVEMENT: "difference",
            BEYOND_BUDGET: "to the default's best budget",
            TEACHER_PART: "of it the teacher's",
            BEYOND_SINGLE: "to the best single teacher",
            CORRECTED_GAIN: "own model, prior divided out",
            AVERAGED_GAIN: "all models averaged",
        }
        return [(text, test[name], decided[name]) for name, text in words.items() if name in test]

    @property
    def told_without_training(self) -> Mapping[str, Mapping[Split, Interval]]:
        """Return what dividing out the label prior gains of the model (`corrected`) and of the partner's.

        Nothing before rule 3. The comparisons tell of the own model, too: one gain has one interval.
        """
        if self.position is None:
            return {}
        options = {Split.TEST: self.position.test, Split.CONFIRMATION: self.position.confirmation}
        judgement = self.judgement
        own, partner = dict[Split, Interval](), dict[Split, Interval]()
        for split, option in options.items():
            judged = None if judgement is None else judgement.figures(split).intervals.get(CORRECTED_GAIN)
            if (gain := judged or option.by_correction) is not None:
                own[split] = gain
            if option.by_corrected_adoption is not None:
                partner[split] = option.by_corrected_adoption
        untrained = {"corrected": own, "partner_corrected": partner}
        return {key: gains for key, gains in untrained.items() if len(gains) == len(options)}

    @property
    def without_training(self) -> list[tuple[str, Interval, Interval]]:
        """Return the ways that need no training beside adoption, as `compared`; none before rule 3."""
        words = {
            "corrected": f"{self.names.word(self.pair.student)} itself, prior divided out",
            "partner_corrected": f"model {self.names.word(self.pair.teachers[0])}, prior divided out",
        }
        gains = self.told_without_training
        return [(words[key], gain[Split.TEST], gain[Split.CONFIRMATION]) for key, gain in gains.items()]

    @property
    def advice(self) -> str:
        """Return one sentence that says what the student should do."""
        pair, setting = self.names.arrow(self.pair), self.setting
        student = self.names.word(self.pair.student)
        if self.out_of_budget:
            return f"{pair}: leave participant {student} as it is for now; {self.reason}"
        if setting is None:
            return f"{pair}: nothing can be recommended: {self.reason}"
        match self.verdict:
            case Verdict.TUNED:
                return f"{pair}: use {described(setting)}"
            case Verdict.DEFAULT:
                default = "the default" if setting == DEFAULT else "the default at a budget of its own"
                return f"{pair}: use {default}, {described(setting)}; nothing is shown to beat it"
            case Verdict.SKIP:
                as_is = f"{pair}: leave participant {student} as it is; distilling is not worth it"
            case _:
                as_is = (
                    f"{pair}: leave participant {student} as it is for now; "
                    f"{described(setting)} is not shown to be better"
                )
        return as_is + self._correction

    @property
    def _correction(self) -> str:
        """What dividing the label prior out of the own model gains, in words; empty if it is not shown to."""
        judgement = self.judgement
        gain = None if judgement is None else judgement.decisive.intervals.get(CORRECTED_GAIN)
        if judgement is None or gain is None or gain.low <= 0 or CORRECTED in judgement.excluded:
            return ""
        on_test = judgement.test.intervals[CORRECTED_GAIN]
        return f"; dividing out its label prior gains {on_test}, nothing trained"

    def to_json(self) -> dict[str, object]:
        """Return what `autokd recommend --json` prints; gains are in pp of the student, on test."""
        searched = sum(trial.epochs for trial in self.records.trials)
        confirmed = sum(run.epochs for run in self.records.runs)
        return {
            "pair": self.pair.to_json(),
            "decision": self.decision.to_json(),
            **self.names.beside(self.pair),
            "verdict": self.verdict.value,
            "advice": self.advice,
            "reason": self.reason,
            "what_would_decide": self.what_would_decide or None,
            **({"extending": self.extending} if self.extending else {}),
            **payload.figures(self.judgement),
            "single_run": None if self.single_run is None else self.single_run.to_json(),
            "network": None if self.network is None else self.network.to_json(),
            # Absent where outputs were not kept, as in earlier versions.
            **({} if self.probabilities is None else {"probabilities": self.probabilities.to_json()}),
            "recommended": {"answer": self.verdict.answer, "gain": self.recommended_gain.to_json()},
            "split": Split.TEST.value,
            **target_json(self.target),
            "decided_on": payload.decided_on(self.judgement, self.confirmation),
            "trials": payload.count_by_state(self.records.trials),
            **payload.asked(self.records.trials),
            **({} if self.records.basis is None else {"search_ended": self.records.basis.ended}),
            "epochs_spent": {"search": searched, "confirmation": confirmed},
            **({} if self.cost is None else self.cost.to_json()),
            "federation": self.federation,
            "study": self.records.study,
            "position": None if self.position is None else self.position.to_json(),
        }


def recommend(
    config: StudyConfig,
    federation: FederationFacts,
    records: PairRecords,
    judged: JudgedPair,
    *,
    reverse: JudgedPair | None = None,
    cost: TrainingCost | None = None,
) -> Recommendation:
    """Return the recommendation of a judged pair, with the position of its student in the meeting.

    The same records give the same recommendation, to the last digit.

    Args:
        judged: Result of `judge_pair` for `records`.
        reverse: The same for the reverse pair; None and `Unfinished` count as unknown.
        cost: What the pair's runs have cost, if that is known.

    Raises:
        NotTuned: If the pair is not finished.
    """
    pair, confirmation = records.pair, config.confirmation
    if isinstance(judged, Unfinished):
        way_out = f"autokd tune {pair.options}"
        raise NotTuned(f"pair {pair} has no recommendation yet: {judged.reason}; run {way_out}")
    judgement = judged if isinstance(judged, Judgement) else None
    out_of_budget = isinstance(judged, OutOfBudget)
    decide = "" if judgement is None else what_would_decide(judgement, confirmation)
    student = federation.participants[pair.student]
    other = reverse if isinstance(reverse, Judgement) else None
    position = None
    if isinstance(pair, Pair):
        position = advise(
            student.correct,
            federation.participants[pair.teacher].correct,
            weights=student.weights,
            **_without_priors(federation, records, pair),
            as_student=judgement,
            as_teacher=other,
            bootstrap=Bootstrap.of(confirmation, derive_seed(records.study, "position")),
            forbidden=[Position(position) for position in config.forbid.positions],
            only_learns=student.is_untrained,
        )
    wanted = _MORE_BUDGET if out_of_budget else decide
    return Recommendation(
        pair=pair,
        federation=federation.name,
        confirmation=confirmation,
        records=records,
        student=student,
        judgement=judgement,
        position=position,
        decision=decided(
            tuple(ways(config, federation, pair, judgement, other, position)),
            Bootstrap.of(
                confirmation,
                derive_seed(records.study, "decision"),
                priors=next((known.priors for known in (judgement, other) if known is not None), None),
            ),
            weights=student.weights,
            min_improvement=confirmation.min_improvement,
            wanted=wanted,
        ),
        reason=reason(judged, config) if isinstance(judged, Judgement) else unjudged(judged, records),
        what_would_decide=wanted,
        extending=extension(records, judgement),
        out_of_budget=out_of_budget,
        target=config.target,
        names=config.federation.names,
        probabilities=None
        if judgement is None
        else probabilities(
            student,
            records,
            judgement.shown.setting,
            judgement.evidence.seeds,
            federation.labels[Split.TEST],
            judgement.weights,
        ),
        cost=cost,
        network=None if judgement is None else communication_cost(judgement.shown.setting, pair, federation),
    )


def _without_priors(
    federation: FederationFacts, records: PairRecords, pair: Pair
) -> dict[str, Mapping[Split, Correctness] | None]:
    """Return both models with their label priors divided out, as `advise` takes them; none before rule 3."""
    participants = federation.participants
    if records.rule < WITH_RIVALS:
        return {}
    return {
        "own_corrected": participants[pair.student].corrected or None,
        "partner_corrected": None
        if participants[pair.student].is_untrained
        else participants[pair.teacher].corrected or None,
    }
