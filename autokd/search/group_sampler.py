"""The next setting of a group: by the sampler of pairs, in which teachers are ranks of a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from autokd.config.objective import Objective
from autokd.core.records import TrialOrigin, TrialRecord
from autokd.core.setting import Setting
from autokd.search.ending import Prospects
from autokd.search.growth import Growth
from autokd.search.kernel import Array
from autokd.search.tpe import Sampler


@final
@dataclass(frozen=True, slots=True)
class GroupSampler(Sampler):
    """Passes everything on, with ranks in place of participants and back.

    Attributes:
        ranked: The sampler of a `GroupSpace` of ranks, which permits of each study what its chain reaches.
        growths: The chain of each study that it knows.
    """

    ranked: Sampler
    growths: Mapping[str, Growth]

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        setting = self.ranked.suggest(study, self._of(study, trials))
        return None if setting is None else self.growths[study].numbered(setting)

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        return self.ranked.role(study, self.growths[study].ranked(setting))

    def learn(self, study: str, trial: TrialRecord) -> None:
        self.ranked.learn(study, self.growths[study].ranked_trial(trial))

    def prospects(self, study: str, trials: Sequence[TrialRecord], aims: Objective) -> Prospects | None:
        ranked = self.ranked.prospects(study, self._of(study, trials), aims)
        if ranked is None:
            return None
        return replace(ranked, settings=tuple(map(self.growths[study].numbered, ranked.settings)))

    def expected(
        self, study: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]
    ) -> Array | None:
        ranked = [self.growths[study].ranked(setting) for setting in settings]
        return self.ranked.expected(study, self._of(study, trials), ranked)

    def _of(self, study: str, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
        return list(map(self.growths[study].ranked_trial, trials))


@final
@dataclass(frozen=True, slots=True)
class EachSampler(Sampler):
    """Asks for each study the sampler of its kind, in a batch of pairs and groups."""

    of_pairs: Sampler
    of_groups: GroupSampler

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        return self._of(study).suggest(study, trials)

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        return self._of(study).role(study, setting)

    def learn(self, study: str, trial: TrialRecord) -> None:
        self._of(study).learn(study, trial)

    def prospects(self, study: str, trials: Sequence[TrialRecord], aims: Objective) -> Prospects | None:
        return self._of(study).prospects(study, trials, aims)

    def expected(
        self, study: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]
    ) -> Array | None:
        return self._of(study).expected(study, trials, settings)

    def _of(self, study: str) -> Sampler:
        return self.of_groups if study in self.of_groups.growths else self.of_pairs
