"""What is to be distilled: a setting that was recommended or given, and the command that repeats the run."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Final

from autokd.compute.device import Compute
from autokd.config.study import DELIVERY_SEEDS
from autokd.config.target import ClassShares, TargetName
from autokd.core.setting import DEFAULT, AnyPair, Setting, Split
from autokd.errors import NotRecommended
from autokd.recommendation import Recommendation
from autokd.statistics.paired import Interval
from autokd.text.escaping import shell_word

_DEFAULT_COMPUTE: Final = Compute()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedGain:
    """What a recommendation says of the setting before the run; gains in pp, None if nothing was judged.

    Attributes:
        study: Name of the study whose runs it is based on.
        split: Split that the gains are measured on.
        gain: Mean gain over the seeds, with its interval.
        default_gain: The same for the default setting.
        teacher_part: What of the gain is the teacher's; None if it was not measured.
        single_run: Interval for the gain of one further run, such as this one.
        seeds: Number of seeds.
    """

    study: str
    verdict: str
    reason: str
    split: str = Split.TEST.value
    gain: Interval | None = None
    default_gain: Interval | None = None
    teacher_part: Interval | None = None
    single_run: Interval | None = None
    seeds: int = 0

    def to_json(self) -> dict[str, object]:
        """Return the fields by name, intervals as plain numbers."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: v.to_json() if isinstance(v, Interval) else v for key, v in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationRequest:
    """One model to be distilled.

    Attributes:
        expected: What the recommendation says of the setting; None if the setting was given by hand.
        seed: Number of the run among those of this setting, from 0.
        study: Name of a shipped study or a file, as the user typed it.
        home: Home folder, as the user typed it.
        file: File name of the weights.
        target: Class distribution that the model is for.
    """

    pair: AnyPair
    setting: Setting
    expected: ExpectedGain | None = None
    seed: int = 0
    study: str
    home: str
    file: str
    compute: Compute = _DEFAULT_COMPUTE
    target: TargetName | ClassShares = "common"

    @property
    def teachers(self) -> tuple[int, ...]:
        """Who teaches, by the setting, or else all candidates; without the student itself."""
        chosen = self.pair.teachers if self.setting.teachers is None else self.setting.teachers
        return tuple(number for number in chosen if number != self.pair.student)

    @property
    def seed_index(self) -> int:
        """Seed index of the run, which no search, race or confirmation uses."""
        return DELIVERY_SEEDS + self.seed

    @property
    def command(self) -> str:
        """The command that makes the same weights again.

        It spells out the setting exactly, since a recommendation may change, and does not name a store: none
        is needed, and its URL may hold a password.
        """
        words = ["autokd", "distill", *self.pair.options.split()]
        words += ["--study", self.study, "--home", self.home, *_setting_options(self.setting)]
        words += ["--seed", str(self.seed), *_compute_options(self.compute)]
        if self.target != "common":
            # A file may change, so its content is spelled out.
            target = self.target
            words += ["--for", target if isinstance(target, str) else json.dumps(dict(target))]
        words += ["--out", self.file]
        return " ".join(map(shell_word, words))


def choose_setting(recommendation: Recommendation, *, force: bool) -> Setting:
    """Return the setting to distil with.

    Args:
        force: Distil even if the advice is to keep the model: with the judged candidate, or with the default
            setting if none was judged.

    Raises:
        NotRecommended: If the advice is to keep the model, or another action is shown to be better, and
            `force` is not set.
    """
    setting = recommendation.setting or DEFAULT
    if force:
        return setting
    if recommendation.verdict.answer != "as-is":
        better = recommendation.decision.better_than(recommendation.pair, setting)
        if better is None:
            return setting
        raise NotRecommended(
            f"{recommendation.pair}: another action is shown to be better: {better.way.words}. It gains "
            f"{better.test} on test, {setting} gains {recommendation.gain}; --force distils that all the same"
        )
    decide = recommendation.what_would_decide
    undecided = f"; what would decide: {decide}" if decide else ""
    raise NotRecommended(
        f"{recommendation.advice} ({recommendation.verdict.value}: {recommendation.reason}{undecided}); "
        f"--force distils {setting} all the same"
    )


def expected_gain(recommendation: Recommendation) -> ExpectedGain:
    """Return what the recommendation says of the setting that `choose_setting` returns."""
    judgement = recommendation.judgement
    return ExpectedGain(
        study=recommendation.records.study,
        verdict=recommendation.verdict.value,
        reason=recommendation.reason,
        gain=recommendation.gain,
        default_gain=None if judgement is None else judgement.test.default_gain,
        teacher_part=None if judgement is None else judgement.shown_teacher_part,
        single_run=recommendation.single_run,
        seeds=0 if judgement is None else len(judgement.evidence.seeds),
    )


def _setting_options(setting: Setting) -> list[str]:
    values = {name: value for name, value in setting.to_json().items() if value is not None}
    if (teachers := values.pop("teachers", None)) is not None:
        values["taught_by"] = str(teachers).replace(" ", ",")
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def _compute_options(compute: Compute) -> list[str]:
    return [
        word
        for name in ("device", "memory_format", "precision", "threads")
        if getattr(compute, name) != getattr(_DEFAULT_COMPUTE, name)
        for word in (f"--{name.replace('_', '-')}", str(getattr(compute, name)))
    ]
