"""What is simulated: a whole batch from cold, and a pair that comes to a store where others were tuned."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Final

from autokd.config.study import StudyConfig
from autokd.core.setting import Pair, Setting
from autokd.execution.search_queue import SearchQueue
from autokd.search.prediction import predicted
from autokd.search.tpe import Sampler
from benchmarks.simulation.measure import answer, cost, half, meeting_answer, meeting_yardstick, yardstick
from benchmarks.simulation.policies import POLICIES, Policy, learner
from benchmarks.simulation.replay import Ran, replay
from benchmarks.simulation.table import Table

POINTS: Final = (2, 3, 4, 6, 8, 12, 16, 24)
"""Trials of a pair at which a batch is measured, the default setting among them."""
TUNED: Final = 8
"""Trials that pairs were tuned with which a new pair learns from."""


def cold(
    table: Table,
    policy: Policy,
    seed: int,
    trials: int,
    *,
    order: Sequence[Pair] | None = None,
    serves: type[SearchQueue] = SearchQueue,
) -> tuple[float, float]:
    """Cost and share of a batch of all pairs from an empty store, with fixed roles.

    Args:
        order: In which the pairs are served; by default one of the seed's.
        serves: The queue; by default the real one.
    """
    meetings = [(pair,) for pair in order] if order else _shuffled([(pair,) for pair in table.pairs], seed)
    ran = _search(table, policy, seed, meetings, trials, serves=serves)
    return cost(table, ran, len(table.pairs)), _share(table, seed, ran, table.pairs)


def cold_meetings(table: Table, policy: Policy, seed: int, trials: int) -> tuple[float, float]:
    """Search meetings with free position: both pairs share their trials, and the best model counts."""
    meetings = _shuffled([(pair, pair.reverse) for pair in half(table)], seed)
    ran = _search(table, policy, seed, meetings, trials)
    ends, tried = meeting_yardstick(table, seed % table.seeds), _tried(ran)
    answers = {
        pair: meeting_answer(
            table, seed % table.seeds, pair, tried.get(pair, ()), tried.get(pair.reverse, ())
        )
        for pair in half(table)
    }
    return cost(table, ran, len(table.pairs)), ends.share(answers)


def newcomer(table: Table, policy: Policy, seed: int, trials: Sequence[int]) -> list[tuple[float, float]]:
    """Cost and share of pairs tuned one by one, after all pairs without either participant were tuned.

    Every seed takes one round of a tournament: five meetings in which each of ten participants is once.
    """
    ran = newcomers(table, policy, seed, max(trials))
    ends = yardstick(table, seed % table.seeds)
    points = []
    for most in trials:
        spent = sum(cost(table, mine[:most], 1) for mine in ran.values()) / len(ran)
        answers = {
            pair: answer(table, seed % table.seeds, pair, _tried(mine[:most]).get(pair, ()))
            for pair, mine in ran.items()
        }
        points.append((spent, ends.share(answers)))
    return points


def newcomers(table: Table, policy: Policy, seed: int, trials: int) -> dict[Pair, list[Ran]]:
    """The trials of those pairs, in the order in which they ended."""
    runs_by_pair: dict[Pair, list[Ran]] = {}
    for meeting, others in meetings(table, seed):
        before = policy.make(table, _names([*others, *meeting], seed), seed)
        if policy.shares:
            _search(table, policy, seed, _shuffled([(each,) for each in others], seed), TUNED, before)
        for pair in meeting:
            # Neither of the two pairs learns from the other.
            runs_by_pair[pair] = _search(table, policy, seed, [(pair,)], trials, deepcopy(before))
    return runs_by_pair


def meetings(table: Table, seed: int) -> Iterator[tuple[list[Pair], list[Pair]]]:
    """The meetings of a seed's round, each with the pairs without either of its participants."""
    for first, other in _round(len(table.own), seed):
        others = [pair for pair in table.pairs if not pair.meeting & {first, other}]
        yield [Pair(first, other), Pair(other, first)], others


def tuned(table: Table, policy: Policy, seed: int, pairs: Sequence[Pair]) -> list[Ran]:
    """What was run of pairs that a newcomer learns from."""
    return _search(table, policy, seed, _shuffled([(pair,) for pair in pairs], seed), TUNED)


def unseen(table: Table, seed: int) -> tuple[float, float]:
    """Share of predicted settings without a run of their own, and how often the interval held the gain.

    As in `newcomer`, after all pairs without either participant were tuned. Of the pairs for which nothing is
    expected to help there is no interval.
    """
    policy = POLICIES["autokd"]
    answers: dict[Pair, float] = {}
    held: list[bool] = []
    gains = table.gain[:, :, seed % table.seeds]
    for mine, others in meetings(table, seed):
        names = _names([*others, *mine], seed)
        sampler = learner(table, names, seed)
        _search(table, policy, seed, _shuffled([(each,) for each in others], seed), TUNED, sampler)
        for pair in mine:
            prediction = predicted(sampler, names[pair], pair)
            answers[pair] = 0.0
            if prediction.setting is not None:
                validation, _, test = gains[table.row[pair], table.column[prediction.setting]]
                answers[pair] = float(test)
                held.append(bool(prediction.low <= validation <= prediction.high))
    ends = yardstick(table, seed % table.seeds)
    return ends.share(answers), sum(held) / max(len(held), 1)


def _search(
    table: Table,
    policy: Policy,
    seed: int,
    meetings: Sequence[Sequence[Pair]],
    trials: int,
    sampler: Sampler | None = None,
    *,
    serves: type[SearchQueue] = SearchQueue,
) -> list[Ran]:
    names = _names([pair for meeting in meetings for pair in meeting], seed)
    return replay(
        table,
        config=_plan(table.config, policy, trials),
        meetings=meetings,
        sampler=sampler or policy.make(table, names, seed),
        seed=seed % table.seeds,
        names=names,
        serves=serves,
    )


def _plan(config: StudyConfig, policy: Policy, trials: int) -> StudyConfig:
    return config.with_(trials=trials, stopping=policy.stopping)


def _names(pairs: Sequence[Pair], seed: int) -> Mapping[Pair, str]:
    """Samplers draw from the name of a study: so each seed has its own."""
    return {pair: f"{seed}/{pair}" for pair in pairs}


def _share(table: Table, seed: int, ran: Sequence[Ran], pairs: Sequence[Pair]) -> float:
    tried = _tried(ran)
    settings = {pair: answer(table, seed % table.seeds, pair, tried.get(pair, ())) for pair in pairs}
    return yardstick(table, seed % table.seeds).share(settings)


def _tried(ran: Sequence[Ran]) -> dict[Pair, list[Setting]]:
    """The settings that were run to the end."""
    tried: dict[Pair, list[Setting]] = {}
    for trial in ran:
        if trial.whole:
            tried.setdefault(trial.pair, []).append(trial.setting)
    return tried


def _shuffled(meetings: list[tuple[Pair, ...]], seed: int) -> list[tuple[Pair, ...]]:
    return random.Random(seed).sample(meetings, len(meetings))


def _round(participants: int, number: int) -> list[tuple[int, int]]:
    """A round of the circle method: everybody meets somebody, and over all rounds everybody else."""
    circle = list(range(1, participants))
    turn = number % len(circle)
    row = [0, *circle[turn:], *circle[:turn]]
    return [(row[place], row[-1 - place]) for place in range(participants // 2)]
