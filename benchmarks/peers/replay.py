"""A peer's own ask and tell, served by two workers in simulated time that look its answers up in a table."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from time import process_time
from typing import NamedTuple, Protocol

from benchmarks.peers.problem import Order, Problem, Step

WORKERS = 2
_ASKS_IN_VAIN = 100
"""After so many repeated settings in a row a peer has nothing new to try."""


class Wish(NamedTuple):
    """What a peer wants to see next: a setting's column, and the epochs to run it for at most."""

    column: int
    epochs: int


class Peer(Protocol):
    """Searches one pair. Accuracies are on validation, in [0, 1]; `trial` is the number of an `ask`."""

    def begin(self, curve: Mapping[int, float]) -> None:
        """The default setting has run to its end: it is the baseline, whoever searches.

        Args:
            curve: Accuracy by epoch.
        """

    def ask(self, trial: int) -> Wish | None:
        """The next trial, None if nothing is to be tried any more."""

    def report(self, trial: int, epoch: int, accuracy: float) -> bool:
        """A trial has come to a recorded epoch before its last; False if it is to stop there."""

    def end(self, trial: int, epoch: int, accuracy: float | None) -> None:
        """A trial has ended, stopped or not; None if it diverged."""


def tell_of_default(peer: Peer, problem: Problem, curve: Mapping[int, float]) -> None:
    """`begin` of a peer whose first wish is the default setting: it is told as of any other trial."""
    wish = peer.ask(-1)
    assert wish is not None
    assert wish.column == problem.default
    for epoch, accuracy in curve.items():
        if epoch < problem.epochs:
            peer.report(-1, epoch, accuracy)
    peer.end(-1, problem.epochs, curve[problem.epochs])


Makes = Callable[[Problem, int, Mapping[int, Mapping[int, float]], int], Peer]
"""A peer for one pair: from the problem, a seed, what is known of other pairs, and the epochs that it has.

What is known is the accuracy by column, of each pair of which something is known.
"""


def search(problem: Problem, curves: Sequence[Sequence[float]], peer: Peer, budget: int) -> list[Step]:
    """Search one pair until the epochs are spent.

    A run is a function of its setting: what has been run of a setting is not run again, takes no time and
    costs nothing.

    Args:
        curves: Accuracy of each setting at each rung.
        budget: Epochs; the trial that exceeds it is the last one that counts.

    Returns:
        All trials in the order in which they ended, the default setting's first.
    """
    rungs = problem.rungs
    reached = {problem.default: problem.epochs}
    steps = [Step(problem.default, problem.epochs, whole=True)]
    peer.begin(dict(zip(rungs, curves[problem.default], strict=True)))
    busy: list[tuple[int, int, Wish, int, int]] = []
    spent, now, trial, vain, over = problem.epochs, 0, 0, 0, False

    def push(number: int, wish: Wish, place: int, paid: int) -> None:
        """Send a trial on to its next rung."""
        taken = max(0, rungs[place] - reached.get(wish.column, 0))
        heapq.heappush(busy, (now + taken, number, wish, place, paid))

    while spent < budget:
        while len(busy) < WORKERS and not over:
            wish = peer.ask(trial)
            over = wish is None
            if wish is not None:
                push(trial, wish, 0, 0)
                trial += 1
        if not busy:
            break
        now, number, wish, place, paid = heapq.heappop(busy)
        epoch, accuracy = rungs[place], curves[wish.column][place]
        new = max(0, epoch - reached.get(wish.column, 0))
        reached[wish.column] = max(epoch, reached.get(wish.column, 0))
        paid, spent = paid + new, spent + new
        diverged = math.isnan(accuracy)
        if not diverged and epoch < wish.epochs and peer.report(number, epoch, accuracy):
            push(number, wish, place + 1, paid)
            continue
        peer.end(number, epoch, None if diverged else accuracy)
        steps.append(Step(wish.column, paid, whole=epoch == problem.epochs and not diverged))
        vain = 0 if paid else vain + 1
        over = over or vain > _ASKS_IN_VAIN
    return steps


def answer(
    problem: Problem, orders: Sequence[Order], makes: Makes, tell: Callable[[str], None] = lambda line: None
) -> tuple[list[list[list[Step]]], float]:
    """Carry out orders with a peer.

    Returns:
        The trials by order and pair, and the seconds of CPU time that it took.
    """
    began = process_time()
    done = []
    for number, order in enumerate(orders):
        known = {pair: _known(problem, pair, columns, order.answers) for pair, columns in order.known.items()}
        answers = []
        for pair in order.pairs:
            peer = makes(problem, 1000 * order.seed + pair, known, order.budget)
            answers.append(search(problem, problem.curves(pair, order.answers), peer, order.budget))
            if order.hands_on:
                whole = tuple(dict.fromkeys(step.column for step in answers[-1] if step.whole))
                known[pair] = _known(problem, pair, whole, order.answers)
        done.append(answers)
        tell(f"{number + 1} of {len(orders)} orders, {process_time() - began:.0f} s of CPU time")
    return done, process_time() - began


def _known(problem: Problem, pair: int, columns: Sequence[int], seed: int) -> dict[int, float]:
    """Accuracy at the end; a run that diverged is as bad as one can be."""
    ends = problem.accuracy[pair, :, seed, -1]
    return {column: 0.0 if math.isnan(ends[column]) else float(ends[column]) for column in columns}
