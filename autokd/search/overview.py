"""Where a whole federation stands, from the store alone: what `autokd status` shows, driver or no driver."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autokd.core.records import RunRecord, TrialRecord, TrialState
from autokd.core.setting import Pair
from autokd.statistics.false_discovery import Discoveries, discoveries
from autokd.store import DriverFacts, validated


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOverview:
    """One pair.

    Attributes:
        verdict: None while the pair is not judged.
        gain: Of the judged setting on test, in pp; None likewise, and where there was nothing to judge.
        answer: What is recommended: `tuned`, `default` or `as-is`; None while the pair is not judged.
        trials: By state; states without a trial are absent.
        runs: Race and confirmation runs that have ended.
        search_epochs: Spent by trials.
        confirmation_epochs: Spent by race and confirmation runs.
        p_beats_default: Of the verdict; None while the pair is not judged, and where no winner is left.
    """

    pair: Pair
    verdict: str | None
    gain: float | None
    answer: str | None
    trials: Mapping[TrialState, int]
    runs: int
    search_epochs: int
    confirmation_epochs: int
    p_beats_default: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; states as Optuna spells them."""
        return {
            "pair": {"teacher": self.pair.teacher, "student": self.pair.student},
            "verdict": self.verdict,
            "gain": self.gain,
            "answer": self.answer,
            "trials": {state.value: self.trials.get(state, 0) for state in TrialState},
            "runs": self.runs,
            "epochs_spent": {"search": self.search_epochs, "confirmation": self.confirmation_epochs},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """A driver that tunes pairs of the federation, or did and is gone.

    Attributes:
        owner: Its user, machine and process.
        since: When it began, in UTC.
        alive: Whether it is still at work, as far as can be told.
        ended: Runs that ended since then; None if it has told nothing yet, as the next three.
        left: Runs still to be done, an estimate.
        per_second: Runs that end in a second.
        seconds_left: From now.
    """

    owner: str
    since: datetime
    alive: bool
    ended: int | None = None
    left: int | None = None
    per_second: float | None = None
    seconds_left: float | None = None

    @classmethod
    def of(cls, driver: DriverFacts) -> AtWork:
        """What a driver's words come to."""
        with validated("what its driver tells"):
            told = {name: _finite(value) for name, value in driver.words.items() if value is not None}
            age = _finite(driver.age)
            ended, left, seconds = (told.get(name) for name in ("ended", "left", "seconds_left"))
            return cls(
                owner=driver.owner,
                since=datetime.fromtimestamp(driver.since, UTC),
                alive=driver.alive,
                ended=None if ended is None else round(ended),
                left=None if left is None else round(left),
                per_second=told.get("per_second"),
                seconds_left=None if seconds is None else max(0.0, seconds - age),
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values; times as ISO 8601."""
        return {
            "owner": self.owner,
            "since": self.since.isoformat(timespec="seconds"),
            "alive": self.alive,
            "runs_ended": self.ended,
            "runs_left": self.left,
            "runs_per_second": None if self.per_second is None else round(self.per_second, 3),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
        }


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no figure")
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All pairs of a federation under one plan.

    Attributes:
        participants: How many there are, numbered from 0.
        pairs: Those that have a study.
        sweep_epochs: What the frozen grid would cost on these pairs.
        stale: Pairs without a recommendation of today that have one of an older federation or plan.
        drivers: Those at work, and those that are gone without having finished.
    """

    federation: str
    participants: int
    pairs: tuple[PairOverview, ...]
    sweep_epochs: int
    stale: int = 0
    drivers: tuple[AtWork, ...] = ()

    @property
    def judged(self) -> int:
        """Pairs that have a verdict."""
        return sum(one.verdict is not None for one in self.pairs)

    @property
    def discoveries(self) -> Discoveries:
        """How many of the judged pairs can be said to beat the default."""
        return discoveries([one.p_beats_default for one in self.pairs if one.verdict is not None])

    @property
    def cost(self) -> tuple[float, float]:
        """Epochs of search, and of race and confirmation, as shares of the sweep's."""
        sweep = max(self.sweep_epochs, 1)
        search = sum(one.search_epochs for one in self.pairs)
        confirmation = sum(one.confirmation_epochs for one in self.pairs)
        return search / sweep, confirmation / sweep

    def to_json(self) -> dict[str, Any]:
        """What `autokd status --json` prints."""
        search, confirmation = self.cost
        verdicts = Counter(one.verdict or "none" for one in self.pairs)
        return {
            "federation": self.federation,
            "participants": self.participants,
            "verdicts": dict(sorted(verdicts.items())),
            "beat_default": self.discoveries.to_json(),
            "stale": self.stale,
            "cost_of_sweep": {"search": round(search, 6), "confirmation": round(confirmation, 6)},
            "drivers": [one.to_json() for one in self.drivers],
            "pairs": [one.to_json() for one in self.pairs],
        }


def overview_of(
    pair: Pair,
    trials: Sequence[TrialRecord],
    runs: Sequence[RunRecord],
    answer: Mapping[str, Any] | None,
) -> PairOverview:
    """What is shown of a pair.

    Args:
        pair: Whose study it is.
        trials: Of the study.
        runs: Of the study.
        answer: Its stored recommendation, if there is one.
    """
    with validated(f"pair {pair}"):
        gain = None if answer is None else answer["gain"]
        return PairOverview(
            pair=pair,
            verdict=None if answer is None else answer["verdict"],
            gain=None if gain is None else gain["mean"],
            answer=None if answer is None else answer["recommended"]["answer"],
            trials=Counter(trial.state for trial in trials),
            runs=len(runs),
            search_epochs=sum(trial.epochs for trial in trials),
            confirmation_epochs=sum(run.epochs for run in runs),
            # A recommendation that an older autokd stored does not say; the next `tune` says it anew.
            p_beats_default=None if answer is None else answer.get("decided_on", {}).get("p_beats_default"),
        )
