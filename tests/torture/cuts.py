"""A whole tune whose connection to the database is cut at one of its statements; no Ray, no training.

    python -m tests.torture.cuts [postgresql] [mariadb] [--first 1] [--last 0] [--step 1] [--again 60]

Cuts at each statement in turn, once before the server hears of it and once after it has done it. It ends with
code 0 if every tune came to its end, and nothing was lost or done twice. It says how far it has come; what
was interrupted goes on with `--first`, and ends early with `--last`. With `--again 60`, a tune is cut again
60 statements after its first cut, 75 after the second and so on; then nearly all statements are cut in a
tenth of the time.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from autokd.config.study import StudyConfig
from autokd.core.setting import Pair
from autokd.execution import driver
from autokd.execution.run_queue import RunQueue
from autokd.store import retrying
from autokd.workflows import session
from autokd.workflows.tune import tune_all
from autokd.workspace import Workspace
from tests.cutting import Cut, CuttingProxy, cutting
from tests.search.worlds import TINY, facts, instead_of_a_federation, open_space, record, report
from tests.store.conftest import SERVERS, empty_database
from tests.torture.verdict import check_pair

PAIRS = [Pair(0, 1), Pair(1, 0)]
_WORD = 10
"""After so many statements it says how far it has come."""
_CONFIRMATION = {"candidates": 2, "race_seeds": 1, "seeds": 2, "early_looks": [], "resamples": 200}


def place(home: Path, storage: str, number: int) -> Workspace:
    """A study like no other: its recipe has a number, so nothing is known when it begins."""
    recipe = {"learning_rate": 0.1 + number / 2**20, "epochs": 10}
    tiny = {**TINY, "name": f"cut-{number}", "confirmation": _CONFIRMATION, "distillation": recipe}
    config = StudyConfig.model_validate(tiny).with_(trials=2)
    return Workspace(config=config, space=open_space(), home=home, storage=storage)


def tune(where: Workspace, pairs: Sequence[Pair] = PAIRS, *, seconds: float = 0.0) -> int:
    """Tune pairs in this process, each rung in so many seconds; return how many runs ended."""
    with (
        instead_of_a_federation(facts()),
        patch.object(driver, "distilling", lambda config, *rest: config.rungs),
        patch.object(driver, "drive", partial(_drive, seconds=seconds)),
        patch.object(session, "ray_session", lambda **options: nullcontext()),
        patch.object(retrying, "_FIRST_WAIT", 0.01),
    ):
        batch = tune_all(where, pairs)
    assert not batch.interrupted
    assert set(batch.answers) == set(pairs)
    return batch.ran


def _drive(queue: RunQueue, rungs: tuple[int, ...], *, seconds: float, **options: Any) -> bool:
    """Do all runs, one after another; they follow formulas."""
    number = 0
    while not queue.finished:
        key, number = f"run-{number}", number + 1
        spec = queue.assign(key)
        assert spec is not None, "nothing is handed out, and yet it is not finished"
        time.sleep(seconds)
        if spec.stage is not None:
            queue.end(key, record(spec))
            continue
        *before, last = rungs
        for rung in before:
            if not queue.report(key, answer := report(spec, rung)):
                break
            time.sleep(seconds)
        else:
            answer = report(spec, last)
        queue.end(key, answer)
    return True


@contextmanager
def prepared(kind: str) -> Iterator[tuple[CuttingProxy, str, str]]:
    """Yield a proxy, the URL of a database with all tables through it, and the URL past it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        empty_database(kind, Path(folder)) as direct,
        cutting(direct) as (proxy, through),
    ):
        tune(place(Path(folder), through, 0))
        yield proxy, through, direct


def cut_once(
    proxy: CuttingProxy,
    through: str,
    direct: str,
    home: Path,
    number: int,
    statement: int,
    cut: Cut,
    *,
    again: int = 0,
) -> int:
    """Tune a study of its own, cut at a statement, and check what came of it; return how often it was cut."""
    where = place(home, through, number)
    before = proxy.cuts
    proxy.cut_at(statement, cut, again=again)
    ran = tune(where)
    cuts = proxy.cuts - before
    proxy.cut_at(0, cut)
    seen = Workspace(config=where.config, space=where.space, home=home, storage=direct)
    with seen.open_store(create=False) as store:
        for pair in PAIRS:
            check_pair(seen, store, pair)
    # Two trials of each pair, and two seeds of the default, and of the winner if there is one.
    assert ran >= 8, f"only {ran} runs ended"
    return cuts


def cut_everywhere(kind: str, first: int, last: int, step: int, again: int) -> int:
    """Cut at every `step`-th statement from `first` on, in both ways; return how many cuts there were.

    Args:
        last: The last statement that is cut; 0 for that of the tune.
        again: Number of statements between two cuts of one tune; 0 for one cut.
    """
    number, cuts = 0, 0
    with tempfile.TemporaryDirectory() as home, prepared(kind) as (proxy, through, direct):
        statement, goes_on = first, True
        end = min(limit for limit in (last, again, math.inf) if limit)
        while goes_on and statement <= end:
            for cut in Cut:
                number += 1
                try:
                    done = cut_once(proxy, through, direct, Path(home), number, statement, cut, again=again)
                except BaseException:
                    print(f"{kind}: cut {cut} statement {statement}")
                    raise
                cuts, goes_on = cuts + done, done > 0
            if statement // _WORD > (statement - step) // _WORD:
                print(f"{kind}: done up to statement {statement}", flush=True)
            statement += step
    return cuts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", default=[*SERVERS], help="postgresql, mariadb; by default both")
    parser.add_argument("--first", type=int, default=1, help="the first statement that is cut")
    parser.add_argument("--last", type=int, default=0, help="the last one; 0 for that of the tune")
    parser.add_argument("--step", type=int, default=1, help="cut only at each so-many-th statement")
    parser.add_argument("--again", type=int, default=0, help="statements between two cuts of one tune")
    options = parser.parse_args()
    for kind in options.kinds:
        cuts = cut_everywhere(kind, options.first, options.last, options.step, options.again)
        print(f"{kind}: {cuts} cuts; nothing was lost or done twice")


if __name__ == "__main__":
    main()
