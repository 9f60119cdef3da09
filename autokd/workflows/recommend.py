"""Recommending from the store alone: one pair, many pairs, the partners of a participant, or a prediction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.public_calls import checked, only_pair
from autokd.core.setting import AnyPair, Pair, Setting
from autokd.errors import ArgumentError, NotTuned
from autokd.federation.federation import Federation
from autokd.recommendation import Recommendation
from autokd.recommendation.notebook import html_table
from autokd.recommendation.partners import Ranking, ranked
from autokd.search.prediction import Prediction, predicted
from autokd.search.transfer import warm_started_sampler
from autokd.text.quoting import counted
from autokd.workflows.publishing import Payload
from autokd.workflows.readable import leaving_out
from autokd.workflows.result_table import columns, gain_of, row_of
from autokd.workflows.results import StoredResults, nothing_tuned, open_any_results, open_results
from autokd.workflows.stale import StaleStudies
from autokd.workspace import Workspace

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairResult:
    """What the store has of one pair.

    Attributes:
        recommendation: Recommendation of today, if there is one.
        kept: Stale recommendation in its place, as the store has it, if it was asked for.
        missing: Why there is none of today, in words; empty if there is.
        stale: Why `kept` is not of today.
        held_back: Whether there is a stale recommendation that was not asked for.
        names: Names of the federation's participants.
    """

    pair: AnyPair
    recommendation: Recommendation | None = None
    kept: Payload | None = None
    missing: str = ""
    stale: str = ""
    held_back: bool = False
    names: ParticipantNames = NUMBERS_ONLY

    def __repr__(self) -> str:
        return f"<PairResult {_in_short(self)}>"

    @property
    def payload(self) -> Payload | None:
        """The recommendation as `Recommendation.to_json` writes it, of today or stale, if there is one."""
        return self.kept if self.recommendation is None else self.recommendation.to_json()

    @property
    def way_out(self) -> str:
        """The command that makes a recommendation of today."""
        return tune_command(self.pair)

    def to_json(self) -> dict[str, object]:
        """Return an entry of `autokd recommend --all --json`; all have `pair`, `verdict` and `stale`."""
        if self.recommendation is not None:
            return {**self.recommendation.to_json(), "stale": False}
        beside = {"pair": self.pair.to_json(), **self.names.beside(self.pair)}
        if self.kept is not None:
            kept = {
                name: value for name, value in self.kept.items() if name not in ("basis", "pair", "names")
            }
            return {**beside, **kept, "stale": True, "why_stale": self.stale, "way_out": self.way_out}
        return {
            **beside,
            "verdict": None,
            "stale": False,
            "reason": self.missing,
            "way_out": self.way_out,
        }


class PairResults(tuple[PairResult, ...]):
    """What the store has of several pairs, in their order; a notebook shows it as a table."""

    __slots__ = ()

    def best(self, *, top: int | None = None, verdicts: Collection[str] = ()) -> PairResults:
        """Return those with a recommendation, the largest gain of its advice on test first.

        Args:
            top: At most so many.
            verdicts: Only those with one of these verdicts; by default with any.
        """
        payloads = [(each, payload) for each in self if (payload := each.payload) is not None]
        wanted = [each for each in payloads if not verdicts or each[1]["verdict"] in verdicts]
        wanted.sort(key=lambda each: -gain_of(each[1]))
        return PairResults(each for each, _ in wanted[:top])

    def to_pandas(self) -> DataFrame:
        """Return a data frame with the columns of `autokd recommend --all --csv`; gains are in pp on test."""
        import pandas as pd

        rows = [row_of(each.to_json()) for each in self]
        return pd.DataFrame(rows, columns=columns(rows))

    def __repr__(self) -> str:
        return f"<{counted(len(self), 'pair')}: {', '.join(map(_in_short, self[:_SHOWN]))}{_more(self)}>"

    def _repr_html_(self) -> str:
        heads = ("pair", "verdict", "gain of the advice on test, pp", "setting")
        rows = [
            (
                each.names.arrow(each.pair),
                payload["verdict"] + (" (stale)" if each.stale else ""),
                f"{gain_of(payload):+.1f}",
                "" if payload["setting"] is None else Setting.from_json(payload["setting"]),
            )
            for each in self
            if (payload := each.payload) is not None
        ]
        without = len(self) - len(rows)
        more = f"<p>{counted(without, 'pair')} without a recommendation</p>" if without else ""
        return html_table(heads, rows) + more


_SHOWN: Final = 3
"""Pairs that are named in one line."""


def _more(results: PairResults) -> str:
    return f" and {len(results) - _SHOWN} more" if len(results) > _SHOWN else ""


def _in_short(result: PairResult) -> str:
    payload = result.payload
    return f"{result.names.arrow(result.pair)} {'none' if payload is None else payload['verdict']}"


@checked()
def recommend(workspace: Workspace, pair: AnyPair) -> Recommendation:
    """Return the recommendation of a pair, from what the store has.

    Raises:
        NotTuned: If there is none yet.
    """
    with open_results(workspace, f"run {tune_command(pair)}") as (_, results):
        return results.recommendation(pair)


@checked()
def recommend_all(workspace: Workspace, pairs: Sequence[AnyPair], *, stale: bool = False) -> PairResults:
    """Return what the store has of each pair; for a pair without a recommendation, why there is none.

    The result is a tuple; `best` sorts it by gain, and `to_pandas` makes it a data frame.

    Args:
        stale: Whether a stale recommendation is wanted where there is none of today.

    Raises:
        NotTuned: If there is nothing at all.

    >>> import autokd
    >>> workspace = autokd.Workspace.open("mine.yaml")
    >>> results = autokd.recommend_all(workspace, [autokd.Pair(0, 2), autokd.Pair(1, 0)])
    >>> [result.payload is None for result in results]
    [False, True]
    >>> results.best(top=1).to_pandas()["teacher"].tolist()
    [0]
    """
    with open_any_results(workspace, _way_out(pairs)) as results:
        return answers_in(workspace, results, pairs, stale=stale)


def answers_in(
    workspace: Workspace, results: StoredResults, pairs: Sequence[AnyPair], *, stale: bool = False
) -> PairResults:
    """Return what opened results have of each pair; see `recommend_all`."""
    if not results.is_prepared and not StaleStudies(results).count(pairs):
        raise nothing_tuned(workspace, _way_out(pairs))
    if results.is_prepared:
        results.only_read()
    return pair_results(results, pairs, stale=stale)


def _way_out(pairs: Sequence[AnyPair]) -> str:
    return f"run {tune_command(pairs[0])}" if len(pairs) == 1 else "run autokd tune --all"


def pair_results(results: StoredResults, pairs: Sequence[AnyPair], *, stale: bool = False) -> PairResults:
    """Return what the store has of each pair; see `recommend_all`."""
    studies = StaleStudies(results)
    if results.is_prepared:
        results.read_ahead(pairs)
    readable = [pair for pair in pairs if not results.is_prepared or results.is_readable(pair)]
    names = results.config.federation.names
    listed: list[PairResult] = []
    for pair in readable:
        with leaving_out(pair):
            listed.append(replace(_pair_result(results, studies, pair, stale=stale), names=names))
    return PairResults(listed)


def _pair_result(results: StoredResults, studies: StaleStudies, pair: AnyPair, *, stale: bool) -> PairResult:
    try:
        return PairResult(pair=pair, recommendation=results.recommendation(pair))
    except NotTuned as error:
        missing = str(error)
    others = studies.of(pair)
    if not others:
        return PairResult(pair=pair, missing=missing)
    why = studies.reason(others[0])
    if stale:
        kept = results.store.recommendation(others[0])
        return PairResult(pair=pair, kept=kept, missing=missing, stale=why)
    hint = f"{missing}; a stale one is there ({why}): --stale shows it"
    return PairResult(pair=pair, missing=hint, held_back=True)


@checked()
def partners(workspace: Workspace, student: int) -> Ranking:
    """Rank the partners of a participant, best first, by the tuned pairs in which it learns.

    Raises:
        ArgumentError: If there is no such participant.
        NotTuned: If none of these pairs has a recommendation.
    """
    _check_participant(workspace, student)
    with open_results(workspace, _tune_student(student)) as (_, results):
        return partners_in(results, student)


def partners_in(results: StoredResults, student: int) -> Ranking:
    """Rank the partners of a participant by opened results; see `partners`."""
    federation = results.config.federation
    recommendations, unknown = [], []
    teachers = sorted({*range(federation.size)} - {student, *federation.untrained})
    for pair in (Pair(other, student) for other in teachers):
        try:
            recommendations.append(results.recommendation(pair))
        except NotTuned:
            unknown.append(pair.teacher)
    if not recommendations:
        problem = f"participant {student} has no partner with a recommendation"
        raise NotTuned(f"{problem}; {_tune_student(student)}")
    return ranked(recommendations, student=student, unknown=unknown)


def _check_participant(workspace: Workspace, student: int) -> None:
    count = workspace.config.federation.size
    if not 0 <= student < count:
        problem = f"participant {student} does not exist; they are numbered 0 to {count - 1}"
        raise ArgumentError("student", problem)


def _tune_student(student: int) -> str:
    return f"run autokd tune --student {student}"


@checked(pair=only_pair)
def predict(workspace: Workspace, pair: Pair) -> Prediction:
    """Return what is to be expected of a pair, from the runs of other pairs; its own runs do not count.

    Raises:
        NotTuned: If the store has no other pair with this recipe and space.
    """
    with open_results(workspace, "run autokd tune on other pairs first") as (federation, results):
        return prediction_in(federation, results, pair)


def prediction_in(federation: Federation, results: StoredResults, pair: Pair) -> Prediction:
    """Return what is to be expected of a pair by opened results; see `predict`."""
    names = {pair: results.study(pair)}
    learner = warm_started_sampler(
        results.store,
        config=results.config,
        space=results.space,
        federation=federation,
        facts=results.facts,
        names=names,
    )
    if not learner.runs:
        raise NotTuned("there is no other pair to learn from; run autokd tune on some first")
    return replace(predicted(learner, names[pair], pair), names=results.config.federation.names)


def tune_command(pair: AnyPair) -> str:
    """Return the command that makes a recommendation of today."""
    return f"autokd tune {pair.options}"
