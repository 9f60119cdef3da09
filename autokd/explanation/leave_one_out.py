"""What each of several teachers adds: the judged setting of a group beside the same without one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autokd.config.target import ClassShares, TargetName, target_json
from autokd.core.pair import AnyPair, Group
from autokd.core.records import RunRecord, Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import Setting, Split, derive_seed
from autokd.explanation.alternatives import Trained
from autokd.explanation.comparison import Comparison, Intervals, Line, by_split
from autokd.recommendation import Recommendation
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.evidence import JUDGED
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.race import teaching
from autokd.recommendation.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherParts:
    """A group's judged setting, and the same without each teacher.

    Attributes:
        gain: Gain of the setting judged, by split.
        lines: By teacher, the setting without it; `difference` is what that teacher adds.
        owed: Number of runs that are missing.
        runs: Number of runs that it is from, beside the confirmation's.
        epochs: Epochs of these runs.
    """

    group: AnyPair
    verdict: Verdict
    setting: Setting
    gain: Intervals
    lines: Mapping[int, Line]
    owed: int
    runs: int
    epochs: int
    target: TargetName | ClassShares = "common"

    def to_json(self) -> dict[str, object]:
        """Return what `autokd explain --student 9 --teachers 0,3,7 --json` prints."""
        return {
            "pair": self.group.to_json(),
            "verdict": self.verdict.value,
            "setting": self.setting.to_json(),
            **target_json(self.target),
            "gain": by_split(self.gain),
            "teachers": [
                {
                    "teacher": number,
                    "adds": by_split(line.difference),
                    "without": line.to_json(),
                }
                for number, line in self.lines.items()
            ],
            "runs_missing": self.owed,
            "runs": self.runs,
            "epochs": self.epochs,
        }


def without_each(group: AnyPair, setting: Setting) -> dict[int, Setting]:
    """Return the setting without each of its teachers; empty if it has fewer than two.

    The student's own model stays where it is asked.
    """
    teachers = teaching(group, setting)
    if len(teachers) < 2:
        return {}
    asked = (*teachers, *({group.student} & set(setting.teachers or ())))
    return {
        left_out: replace(setting, teachers=tuple(sorted(set(asked) - {left_out}))) for left_out in teachers
    }


def wanted(group: AnyPair, judgement: Judgement) -> tuple[RunSpec, ...]:
    """Return all runs of it, done or not: with the seeds of the confirmation, seed by seed."""
    settings = without_each(group, judgement.shown.setting)
    return tuple(
        RunSpec(group, setting, seed, Stage.RIVAL)
        for seed in judgement.evidence.seeds
        for setting in settings.values()
    )


def teacher_parts(recommendation: Recommendation, runs: Sequence[RunRecord], *, owed: int) -> TeacherParts:
    """Return what each teacher of a judged group adds, as far as the runs tell.

    Raises:
        ValueError: If there is no judgement, or it is of a pair.
    """
    group, judgement = recommendation.pair, recommendation.judgement
    if judgement is None or not isinstance(group, Group):
        raise ValueError(f"{group} is no judged group")
    seed = derive_seed(recommendation.records.study, "leave one out")
    bootstrap = Bootstrap.of(recommendation.confirmation, seed, priors=judgement.priors)
    compare = Comparison(judgement, runs, bootstrap)
    lines = {
        number: compare.trained(Trained(f"without_{number}", f"without {number}", setting))
        for number, setting in without_each(group, judgement.shown.setting).items()
    }
    return TeacherParts(
        group=group,
        verdict=recommendation.verdict,
        setting=judgement.shown.setting,
        gain={split: judgement.gain(split) for split in JUDGED},
        lines=dict(sorted(lines.items(), key=lambda line: -_adds(line[1]))),
        owed=owed,
        runs=len(runs),
        epochs=sum(run.epochs for run in runs),
        target=recommendation.target,
    )


def _adds(line: Line) -> float:
    return 0.0 if line.difference is None else line.difference[Split.CONFIRMATION].mean
