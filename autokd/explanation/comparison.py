"""Compare the answer for a pair with its alternatives, on the same examples and seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autokd.core.records import Correctness, RunRecord, Stage
from autokd.core.setting import Setting, Split, plain
from autokd.explanation.alternatives import Trained
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.comparisons import IMPROVEMENT, WINNER_GAIN
from autokd.recommendation.evidence import JUDGED, Arm, arm, ended_runs
from autokd.recommendation.judgement import Judgement
from autokd.statistics.paired import NOTHING, Interval
from autokd.text.reasons import in_a_line

Models = Mapping[Split, Correctness]
"""Correctness by split, shape (seeds, examples), or (examples,) without seeds."""
Intervals = Mapping[Split, Interval]
"""Intervals in pp, on confirmation and test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One alternative.

    Attributes:
        key: Its name in JSON.
        words: Its name for people.
        setting: Setting of an alternative that is trained, else None.
        gain: Gain over the student's model as it is; None if it is not known.
        difference: The answer minus the alternative, paired; None if it is not known.
        seeds: Number of seeds; 0 for an alternative that is not trained.
        diverged: Number of seeds that ended without a student and count as no gain.
        note: Further remark, or why the gain is not known.
    """

    key: str
    words: str
    setting: Setting | None = None
    gain: Intervals | None = None
    difference: Intervals | None = None
    seeds: int = 0
    diverged: int = 0
    note: str = ""

    @property
    def outcome(self) -> str:
        """Whether the answer `wins` against it or `loses`, in words; empty if neither is shown.

        It is decided on confirmation. Where test does not show it, the words say so: its figures are printed.
        """
        if self.difference is None:
            return ""
        decided, shown = self.difference[Split.CONFIRMATION], self.difference[Split.TEST]
        if decided.low <= 0 <= decided.high:
            return ""
        wins = decided.low > 0
        agrees = shown.low > 0 if wins else shown.high < 0
        return f"{'wins' if wins else 'loses'}{'' if agrees else ' on confirmation only'}"

    def to_json(self) -> dict[str, object]:
        """Return JSON values."""
        return {
            "rival": self.key,
            "words": self.words,
            "setting": None if self.setting is None else self.setting.to_json(),
            "gain": by_split(self.gain),
            "difference": by_split(self.difference),
            "seeds": self.seeds,
            "diverged": self.diverged,
            "note": self.note or None,
        }


class Comparison:
    """Compares the answer for a pair with one alternative after the other."""

    def __init__(self, judgement: Judgement, runs: Sequence[RunRecord], bootstrap: Bootstrap) -> None:
        self._judgement, self._arms, self._bootstrap = judgement, Arms(judgement, runs), bootstrap

    def nothing(self, key: str, words: str) -> Line:
        """Return the line of leaving the model as it is."""
        difference = {split: self._judgement.gain(split) for split in JUDGED}
        return Line(key=key, words=words, gain=dict.fromkeys(JUDGED, NOTHING), difference=difference)

    def fixed(
        self, key: str, words: str, models: Models, *, note: str = "", intervals: Intervals | None = None
    ) -> Line:
        """Return the line of an alternative without seeds.

        Args:
            intervals: Its gain where the recommendation tells that: one gain has one interval.
        """
        own = self._judgement.evidence.own
        gain = intervals or {
            split: self._bootstrap.interval(
                models[split], own[split], split.value, key, weights=self._judgement.weights.of(split)
            )
            for split in JUDGED
        }
        difference = {
            split: self._judgement.shown_beside(
                models[split], self._bootstrap, split, split.value, f"{key} beside"
            )
            for split in JUDGED
        }
        return Line(key=key, words=words, gain=gain, difference=difference, note=note)

    def trained(self, alternative: Trained) -> Line:
        """Return the line of a trained alternative; it needs two runs."""
        key, words, setting, note = alternative
        match = self._arms.of(setting)
        if isinstance(match, str):
            return Line(key=key, words=words, setting=setting, note=match)
        rows, rival = match
        return Line(
            key=key,
            words=words,
            setting=rival.setting,
            gain={split: self._gain(key, split, rival, rows) for split in JUDGED},
            difference={split: self._difference(key, split, rival, rows) for split in JUDGED},
            seeds=len(rows),
            diverged=rival.diverged,
            note=note,
        )

    def _gain(self, key: str, split: Split, rival: Arm, rows: Sequence[int]) -> Interval:
        """Return the gain, taken from the recommendation if that has it."""
        evidence, figures = self._judgement.evidence, self._judgement.figures(split)
        if rival is evidence.default:
            return figures.default_gain
        if rival is evidence.winner and figures.winner_gain is not None:
            return figures.winner_gain
        noise = f"{split.value}/{WINNER_GAIN}"
        own = evidence.own[split]
        return self._bootstrap.interval(
            rival.correct[split],
            own if own.ndim == 1 else own[list(rows)],
            split.value,
            key,
            weights=evidence.weights.of(split),
            noise=noise,
        )

    def _difference(self, key: str, split: Split, rival: Arm, rows: Sequence[int]) -> Interval:
        evidence, shown = self._judgement.evidence, self._judgement.shown
        if rival is shown:
            return NOTHING
        improvement = self._judgement.figures(split).improvement
        if rival is evidence.default and improvement is not None:
            return improvement
        paired = shown.correct[split][list(rows)]
        noise = f"{split.value}/{IMPROVEMENT}"
        return self._bootstrap.interval(
            paired,
            rival.correct[split],
            split.value,
            f"{key} beside",
            weights=evidence.weights.of(split),
            noise=noise,
        )


class Arms:
    """The students of each setting, from the confirmation or else from the alternatives' runs."""

    def __init__(self, judgement: Judgement, runs: Sequence[RunRecord]) -> None:
        evidence = judgement.evidence
        self._seeds, self._own = evidence.seeds, evidence.own
        # Two arms may have one setting; the winner and the default have all seeds.
        self._confirmed = {plain(arm.setting): arm for arm in reversed(evidence.arms.values())}
        self._runs = [run for run in runs if run.stage is Stage.RIVAL]

    def of(self, setting: Setting) -> tuple[Sequence[int], Arm] | str:
        """Return its arm with the paired rows of the confirmation's arms, or why it has none."""
        effective = plain(setting)
        if effective in self._confirmed:
            known = self._confirmed[effective]
            return range(len(self._seeds)) if known.rows is None else known.rows, known
        runs = [run for run in self._runs if run.setting == effective]
        by_seed = ended_runs(effective, runs)
        rows = [row for row, seed in enumerate(self._seeds) if seed in by_seed]
        if len(rows) < 2:
            reasons = [in_a_line(run.reason) for run in runs if run.reason.strip()]
            return f"its runs failed ({reasons[-1]})" if reasons else "not run yet"
        return rows, arm(setting, [by_seed[self._seeds[row]] for row in rows], self._own)


def by_split(intervals: Intervals | None) -> dict[str, object] | None:
    """Return intervals as JSON values."""
    if intervals is None:
        return None
    return {str(split): interval.to_json() for split, interval in intervals.items()}
