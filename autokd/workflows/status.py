"""Where a whole federation stands, from the store alone, whether a driver is at work or not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from autokd.config.space import sweep_epochs
from autokd.config.target import ClassShares, TargetName, target_json
from autokd.core.finding import Finding
from autokd.core.pair_records import PairRecords
from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.price import Prices
from autokd.core.public_calls import checked
from autokd.core.records import TrialState
from autokd.core.setting import AnyPair, Group, Split
from autokd.recommendation import unfinished
from autokd.recommendation.whole_federation import Answer, WholeFederation, whole_federation
from autokd.search.progress import VerdictSummary
from autokd.statistics.false_discovery import Discoveries, discoveries
from autokd.store import DriverFacts, validated
from autokd.workflows.readable import leaving_out
from autokd.workflows.results import StoredResults, nothing_tuned, open_any_results
from autokd.workflows.stale import StaleStudies, stale_hint
from autokd.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOverview:
    """One pair.

    Attributes:
        verdict: None while the pair is not judged.
        gain: Gain of the judged setting on test, in pp; None without a verdict or a setting.
        answer: `tuned`, `default` or `as-is`; None while the pair is not judged.
        trials: Number of trials by state; states without a trial are absent.
        runs: Number of race and confirmation runs that have ended.
        search_epochs: Epochs of trials.
        confirmation_epochs: Epochs of race and confirmation runs.
        p_beats_default: p-value of the verdict; None without a verdict or a winner.
        search_examples, confirmation_examples: Training examples of the same; None if unknown.
        advised: What the student is advised; None while the pair is not judged.
        action: What the student's owner should do; None in recommendations of earlier versions, too.
        action_gain: Gain of doing that on test, in pp.
    """

    pair: AnyPair
    verdict: str | None
    gain: float | None
    answer: str | None
    trials: Mapping[TrialState, int]
    runs: int
    search_epochs: int
    confirmation_epochs: int
    p_beats_default: float | None = None
    search_examples: int | None = None
    confirmation_examples: int | None = None
    advised: Answer | None = None
    action: str | None = None
    action_gain: float | None = None

    @property
    def summary(self) -> VerdictSummary:
        """The verdict of a judged pair in short."""
        assert self.verdict is not None, "the pair is not judged"
        return VerdictSummary(self.verdict, self.gain, self.action, self.action_gain)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; states have Optuna's names."""
        return {
            "pair": self.pair.to_json(),
            "decision": self.action,
            "decision_gain": self.action_gain,
            "verdict": self.verdict,
            "gain": self.gain,
            "answer": self.answer,
            "trials": {state.value: self.trials.get(state, 0) for state in TrialState},
            "runs": self.runs,
            "epochs_spent": {"search": self.search_epochs, "confirmation": self.confirmation_epochs},
            "examples_spent": {"search": self.search_examples, "confirmation": self.confirmation_examples},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStatus:
    """A driver that tunes pairs of the federation, or did so and is gone.

    Attributes:
        owner: User, machine and process of the driver.
        since: Start of the driver, in UTC.
        alive: Whether the driver seems to be at work still.
        ended: Runs that ended since then; None, like the next three, before its first progress.
        left: Estimate of the runs still to be done.
        per_second: Runs that end per second.
        seconds_left: Estimate of the time that is left, from now.
        asked_to_stop: Who has asked it to stop; None if nobody has.
    """

    owner: str
    since: datetime
    alive: bool
    ended: int | None = None
    left: int | None = None
    per_second: float | None = None
    seconds_left: float | None = None
    asked_to_stop: str | None = None

    @classmethod
    def of(cls, driver: DriverFacts) -> DriverStatus:
        """Return the status that a driver has stored."""
        with validated("what its driver tells"):
            figures = {name: _finite(value) for name, value in driver.words.items() if value is not None}
            age = _finite(driver.age)
            ended, left, seconds = (figures.get(name) for name in ("ended", "left", "seconds_left"))
            return cls(
                owner=driver.owner,
                since=datetime.fromtimestamp(driver.since, UTC),
                alive=driver.alive,
                ended=None if ended is None else round(ended),
                left=None if left is None else round(left),
                per_second=figures.get("per_second"),
                seconds_left=None if seconds is None else max(0.0, seconds - age),
                asked_to_stop=driver.asked_to_stop or None,
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain values; times as ISO 8601."""
        return {
            "owner": self.owner,
            "since": self.since.isoformat(timespec="seconds"),
            "alive": self.alive,
            "runs_ended": self.ended,
            "runs_left": self.left,
            "runs_per_second": None if self.per_second is None else round(self.per_second, 3),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
            "asked_to_stop": self.asked_to_stop,
        }


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no figure")
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All pairs of a federation under one study recipe.

    Attributes:
        participants: Number of participants, which are numbered from 0.
        pairs: Pairs that have a study.
        sweep_epochs: Cost of the sweep on these pairs, in epochs.
        sweep_budget: Epochs of each run of that sweep: the largest budget of a trial.
        sweep_examples: Cost of the sweep in training examples; None if that is unknown.
        stale: Number of pairs without a recommendation of today that have a stale one.
        drivers: Drivers at work, and those that are gone without having finished.
        target: Class distribution that gains are on.
        warnings: What was found when the federation was prepared.
        names: Names of the participants.
        groups: Groups that have a study.
        accuracies: Accuracy of each participant on test before, by its own target, in [0, 1].
    """

    federation: str
    participants: int
    pairs: tuple[PairOverview, ...]
    sweep_epochs: int
    stale: int = 0
    drivers: tuple[DriverStatus, ...] = ()
    target: TargetName | ClassShares = "common"
    sweep_budget: int | None = None
    sweep_examples: int | None = None
    warnings: tuple[Finding, ...] = ()
    names: ParticipantNames = NUMBERS_ONLY
    groups: tuple[PairOverview, ...] = ()
    accuracies: tuple[float, ...] = ()

    @property
    def whole(self) -> WholeFederation | None:
        """All participants together, before and after each follows its best answer."""
        answers = [each.advised for each in (*self.pairs, *self.groups) if each.advised is not None]
        return whole_federation(self.accuracies, answers)

    @property
    def judged(self) -> int:
        """Number of pairs that have a verdict."""
        return sum(pair.verdict is not None for pair in self.pairs)

    @property
    def discoveries(self) -> Discoveries:
        """The judged pairs that beat the default, corrected for how many there are."""
        return discoveries([pair.p_beats_default for pair in self.pairs if pair.verdict is not None])

    @property
    def cost(self) -> tuple[float, float]:
        """Epochs of search, and of race and confirmation, as shares of the sweep's."""
        sweep = max(self.sweep_epochs, 1)
        search = sum(pair.search_epochs for pair in self.pairs)
        confirmation = sum(pair.confirmation_epochs for pair in self.pairs)
        return search / sweep, confirmation / sweep

    @property
    def cost_in_examples(self) -> tuple[float, float] | None:
        """The two shares in training examples, which take about equal time; None if they are unknown."""
        search = [pair.search_examples for pair in self.pairs if pair.search_examples is not None]
        after = [pair.confirmation_examples for pair in self.pairs if pair.confirmation_examples is not None]
        if not self.sweep_examples or len(search) < len(self.pairs):
            return None
        return sum(search) / self.sweep_examples, sum(after) / self.sweep_examples

    def to_json(self) -> dict[str, Any]:
        """Return what `autokd status --json` prints."""
        search, confirmation = self.cost
        examples = self.cost_in_examples
        verdicts = Counter(pair.verdict or "none" for pair in self.pairs)
        return {
            "federation": self.federation,
            "participants": self.participants,
            **({"names": [name or None for name in self.names.names]} if self.names else {}),
            **target_json(self.target),
            "verdicts": dict(sorted(verdicts.items())),
            "beat_default": self.discoveries.to_json(),
            "stale": self.stale,
            "cost_of_sweep": {"search": round(search, 6), "confirmation": round(confirmation, 6)},
            "cost_of_sweep_in_examples": None
            if examples is None
            else {"search": round(examples[0], 6), "confirmation": round(examples[1], 6)},
            "sweep_budget": self.sweep_budget,
            "drivers": [driver.to_json() for driver in self.drivers],
            # Absent where there are none, as in earlier versions.
            **({"warnings": [warning.to_json() for warning in self.warnings]} if self.warnings else {}),
            "pairs": [{**pair.to_json(), **self.names.beside(pair.pair)} for pair in self.pairs],
            **({"groups": self._groups_json()} if self.groups else {}),
            "whole_federation": None if self.whole is None else self.whole.to_json(),
        }

    def _groups_json(self) -> list[dict[str, Any]]:
        return [{**group.to_json(), **self.names.beside(group.pair)} for group in self.groups]


@checked()
def status(workspace: Workspace) -> Overview:
    """Return where every pair stands, from the store alone, whether a driver is at work or not.

    Raises:
        NotTuned: If nothing has been tuned yet.

    >>> import autokd
    >>> autokd.status(autokd.Workspace.open("mine.yaml")).judged >= 1
    True
    """
    with open_any_results(workspace, "run autokd tune --all") as results:
        return status_in(workspace, results)


def status_in(workspace: Workspace, results: StoredResults) -> Overview:
    """Return where every pair of opened results stands; see `status`."""
    if not results.is_prepared:
        stale = StaleStudies(results).count(workspace.pairs)
        raise nothing_tuned(workspace, "run autokd tune --all", f"; {stale_hint(stale)}" if stale else "")
    results.only_read()
    return overview(results, workspace.pairs, {})


def overview(
    results: StoredResults, pairs: Sequence[AnyPair], judged: Mapping[AnyPair, PairOverview]
) -> Overview:
    """Return where the pairs of a federation stand.

    Args:
        judged: Pairs that were judged just now; they are not read again.
    """
    config, store, existing = results.config, results.store, set(results.store.studies())
    studies = {pair: study for pair in pairs if (study := results.study(pair)) in existing}
    overviews, of_today = dict(judged), set(judged)
    results.read_ahead(studies.keys() - judged)
    for pair in sorted(studies.keys() - judged):
        with leaving_out(pair):
            overviews[pair], is_done = results.derived(pair, "status", partial(_stands, results, pair))
            of_today |= {pair} if is_done else set()
        if pair not in overviews:
            del studies[pair]
    groups = results.groups()
    names, priced = [*studies.values(), *map(results.study, groups)], all(map(results.prices, studies))
    return Overview(
        federation=results.facts.name,
        participants=config.federation.size,
        pairs=tuple(overviews[pair] for pair in studies),
        groups=tuple(_group_overviews(results, groups)),
        accuracies=tuple(participant.accuracy(Split.TEST) for participant in results.facts.participants),
        sweep_epochs=sweep_epochs(config, results.space, len(studies)),
        sweep_budget=results.space.budgets(config)[-1],
        sweep_examples=sum(map(results.sweep_examples, studies)) if priced else None,
        stale=StaleStudies(results).count(pair for pair in pairs if pair not in of_today),
        drivers=tuple(map(DriverStatus.of, store.leases.drivers(names))),
        target=config.target,
        warnings=results.facts.warnings,
        names=config.federation.names,
    )


def _stands(results: StoredResults, pair: AnyPair) -> tuple[PairOverview, bool]:
    """Return where a pair stands, and whether it has a recommendation with nothing left to do."""
    records, stored = results.searched(pair), results.stored(pair)
    left = not stored or unfinished(results.config, results.facts, records)
    return pair_overview(records, stored, results.prices(pair)), not left


def _group_overviews(results: StoredResults, groups: Iterable[Group]) -> Iterator[PairOverview]:
    for group in groups:
        with leaving_out(group):
            yield pair_overview(results.searched(group), results.stored(group), results.prices(group))


def pair_overview(
    records: PairRecords, stored: Mapping[str, Any] | None, prices: Prices | None = None
) -> PairOverview:
    """Return where a pair stands.

    Args:
        records: Records of its search, race and confirmation.
        stored: Stored recommendation, if there is one.
        prices: Prices of its runs, if they are known.
    """
    with validated(f"pair {records.pair}"):
        gain = None if stored is None else stored["gain"]
        decision = None if stored is None else stored.get("decision")
        return PairOverview(
            pair=records.pair,
            verdict=None if stored is None else stored["verdict"],
            gain=None if gain is None else gain["mean"],
            answer=None if stored is None else stored["recommended"]["answer"],
            trials=Counter(trial.state for trial in records.trials),
            runs=len(records.runs),
            search_epochs=sum(trial.epochs for trial in records.trials),
            confirmation_epochs=sum(run.epochs for run in records.runs),
            search_examples=None if prices is None else prices.spent(records.trials),
            confirmation_examples=None if prices is None else prices.spent(records.runs),
            # Recommendations of older versions do not have these two; the next `tune` adds them.
            advised=None if stored is None else Answer.of_json(records.pair, stored),
            p_beats_default=None if stored is None else stored.get("decided_on", {}).get("p_beats_default"),
            action=decision and decision["action"],
            action_gain=decision and decision["gain"]["mean"],
        )
