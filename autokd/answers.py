"""What the store has to say of a federation's pairs: recommendations, why there is none, and stale ones.

A recommendation is *stale* if it is not what study and store say today: it was made for a federation, recipe,
early stopping or space of the same names but other content, or from fewer runs than the plan now asks for. It
is never shown as if it were of today, and nothing is ever distilled by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from autokd.config.space import Space, sweep_epochs
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts
from autokd.core.setting import Pair
from autokd.errors import NotTuned
from autokd.judging import Judge, Payload
from autokd.recommendation import Recommendation, unfinished
from autokd.search.overview import AtWork, Overview, overview_of
from autokd.search.study_names import namesakes
from autokd.store import Store


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """One pair.

    Attributes:
        found: The recommendation of today, if there is one.
        kept: A stale one in its place, as the store has it, if it was wanted.
        missing: Why there is none of today, in words; empty if there is.
        stale: Why `kept` is not of today.
        held_back: Whether there is a stale one that was not wanted.
    """

    pair: Pair
    found: Recommendation | None = None
    kept: Payload | None = None
    missing: str = ""
    stale: str = ""
    held_back: bool = False

    @property
    def payload(self) -> Payload | None:
        """The recommendation as `Recommendation.to_json` writes it, of today or not, if there is one."""
        return self.kept if self.found is None else self.found.to_json()

    @property
    def way_out(self) -> str:
        """The command that makes a recommendation of today."""
        return tune_command(self.pair)

    def to_json(self) -> dict[str, object]:
        """As `autokd recommend --all --json` lists it: every entry has `pair`, `verdict` and `stale`."""
        if self.found is not None:
            return {**self.found.to_json(), "stale": False}
        if self.kept is not None:
            content = {name: value for name, value in self.kept.items() if name != "basis"}
            return {**content, "stale": True, "why_stale": self.stale, "way_out": self.way_out}
        return {
            "pair": {"teacher": self.pair.teacher, "student": self.pair.student},
            "verdict": None,
            "stale": False,
            "reason": self.missing,
            "way_out": self.way_out,
        }


@dataclass(frozen=True)
class Records:
    """What a store has under a study.

    Attributes:
        federation: The study's, None if it is not prepared; then all that is there is stale.
    """

    store: Store
    plan: StudyConfig
    space: Space
    federation: FederationFacts | None

    def answers(self, pairs: Sequence[Pair], *, stale: bool = False) -> tuple[Answer, ...]:
        """Of each pair.

        Args:
            stale: Whether a stale recommendation is wanted where there is none of today.
        """
        return tuple(self._answer(pair, stale=stale) for pair in pairs)

    def overview(self, pairs: Sequence[Pair]) -> Overview:
        """Where they stand.

        Raises:
            NotTuned: If the federation is not prepared.
        """
        judge, there = self._judge, set(self.store.studies())
        searched = {
            pair: PairRecords(
                pair=pair, study=name, trials=self.store.trials(name), runs=self.store.runs(name)
            )
            for pair in pairs
            for name in [judge.study(pair)]
            if name in there
        }
        kept = {pair: self.store.recommendation(one.study) for pair, one in searched.items()}
        today = {
            pair
            for pair, one in searched.items()
            if kept[pair] and not unfinished(self.plan, judge.federation, one)
        }
        return Overview(
            federation=judge.federation.name,
            participants=self.plan.federation.size,
            pairs=tuple(
                overview_of(pair, one.trials, one.runs, kept[pair]) for pair, one in searched.items()
            ),
            sweep_epochs=sweep_epochs(self.plan, len(searched)),
            stale=self.stale(pair for pair in pairs if pair not in today),
            drivers=tuple(
                AtWork.of(one) for one in self.store.drivers([one.study for one in searched.values()])
            ),
        )

    def stale(self, pairs: Iterable[Pair]) -> int:
        """How many of these pairs, which have no recommendation of today, have a stale one."""
        return sum(bool(self._namesakes(pair)) for pair in pairs)

    @property
    def _judge(self) -> Judge:
        if self.federation is None:
            raise NotTuned(f"the federation of study {self.plan.name} is not prepared")
        return Judge(self.plan, self.space, self.federation)

    @cached_property
    def _recommended(self) -> tuple[str, ...]:
        return self.store.recommended()

    @cached_property
    def _federations(self) -> tuple[str, ...]:
        return self.store.federations()

    def _answer(self, pair: Pair, *, stale: bool) -> Answer:
        try:
            return Answer(pair=pair, found=self._judge.recommendation(self.store, pair))
        except NotTuned as error:
            missing = str(error)
        others = self._namesakes(pair)
        if not others:
            return Answer(pair=pair, missing=missing)
        why = self._why(others[0])
        if stale:
            kept = self.store.recommendation(others[0])
            return Answer(pair=pair, kept=kept, missing=missing, stale=why)
        hint = f"{missing}; a stale one is there ({why}): --stale shows it"
        return Answer(pair=pair, missing=hint, held_back=True)

    def _namesakes(self, pair: Pair) -> tuple[str, ...]:
        """Studies of this pair that have a recommendation, the closest to today's first.

        Closest is today's own study, then another of the same federation, then that of the last federation.
        """

        def closeness(study: str) -> tuple[bool, bool, int]:
            federation = study.partition("/")[0]
            came = self._federations.index(federation) if federation in self._federations else -1
            return self._own(study, pair), self._present(study), came

        return tuple(
            sorted(namesakes(self._recommended, self.plan, self.space, pair), key=closeness, reverse=True)
        )

    def _own(self, study: str, pair: Pair) -> bool:
        return self.federation is not None and study == self._judge.study(pair)

    def _present(self, study: str) -> bool:
        return self.federation is not None and study.partition("/")[0] == self.federation.name

    def _why(self, study: str) -> str:
        """In words, what of a stale study is other than today's."""
        pair = Pair.parse(study.rpartition("/")[2])
        if self._own(study, pair):
            return "the plan has come to ask for more runs than it was made from"
        if self._present(study):
            was = study.rpartition("/")[0].partition("/")[2]
            return f"recipe, early stopping or space of the study were others then, {was}"
        today = "not prepared" if self.federation is None else self.federation.name
        return f"it is of federation {study.partition('/')[0]}, today's is {today}"


def tune_command(pair: Pair) -> str:
    """Makes a recommendation of today."""
    return f"autokd tune --pair {pair.teacher},{pair.student}"


def stale_ones(count: int) -> str:
    """That there are some, and how to see them."""
    some = "1 recommendation is" if count == 1 else f"{count} recommendations are"
    return f"{some} of an older federation or plan (stale): autokd recommend --all --stale shows them"
