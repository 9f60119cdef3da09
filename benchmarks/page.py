"""How long a report takes to make and to open, in a headless Chromium.

    python -m benchmarks.page [--home DIR] [--study digits]

Without `--home`: 90 pairs with 64 trials each, whose runs are a formula. The time to load is that from asking
for the file until every figure of the page is drawn; a pair is drawn when it is opened.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from time import perf_counter
from typing import Final

from autokd.core.records import TrialRecord, TrialState
from autokd.core.setting import Pair
from autokd.report import ReportData, ReportFacts, page
from autokd.workflows.report import report_data
from autokd.workspace import Workspace
from benchmarks.screen import chromium
from tests.report.federations import GOOD, make_material
from tests.report.samples import BASELINE, HOT, trial

TIMES: Final = 5
PARTICIPANTS: Final = 10


def made_up() -> ReportData:
    """90 pairs with 64 trials each."""
    trials: list[TrialRecord] = [BASELINE, trial(1, HOT, TrialState.COMPLETE, (3, 0.6), (6, 0.8), (10, 1.0))]
    for number in range(2, 64):
        setting = replace(HOT, temperature=1 + number / 7, alpha=number / 64)
        curve = [(epoch, (number * 37 % 101) / 150 + epoch / 1000) for epoch in (3, 6, 10)]
        state, rungs = (TrialState.COMPLETE, 3) if number % 3 else (TrialState.PRUNED, 1)
        trials.append(trial(number, setting, state, *curve[:rungs]))
    everybody = range(PARTICIPANTS)
    own = [0.3 + 0.05 * number for number in everybody]
    return make_material(
        own, dict.fromkeys((Pair(*two) for two in permutations(everybody, 2)), GOOD), trials=trials
    )


async def opened(path: Path, pair: Pair) -> tuple[list[float], list[float], list[str]]:
    """Seconds until the page is drawn, and from a click until the pair is; and what went wrong."""
    loads, clicks, wrong = [], [], []
    link = f'.matrix a[href="#pair-{pair.teacher}-{pair.student}"]'
    for _ in range(TIMES):
        async with chromium() as screen:
            began = perf_counter()
            await screen.open(path.as_uri())
            await screen.wait_for("document.body && document.body.dataset.drawn == 'yes'")
            loads.append(perf_counter() - began)
            began = perf_counter()
            await screen.run(f"document.querySelector('{link}').click()")
            await screen.wait_for("document.querySelector('.pair:target').dataset.drawn == 'yes'")
            clicks.append(perf_counter() - began)
            wrong += [
                request for request in screen.requests if not request.startswith(path.as_uri())
            ] + screen.complaints
    return loads, clicks, wrong


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--study", default="digits")
    options = parser.parse_args()
    material = (
        made_up() if options.home is None else report_data(Workspace.open(options.study, home=options.home))
    )
    began = perf_counter()
    text = page(ReportFacts(material))
    making = perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        path.write_text(text, encoding="utf-8")
        pair = next(iter(material.recommendations))
        loads, clicks, wrong = asyncio.run(opened(path, pair))
    trials = sum(len(data.records.trials) for data in material.pairs)
    print(
        f"{len(material.pairs)} pairs, {trials} trials: {len(text.encode()) / 1e6:.1f} MB in {making:.1f} s"
    )
    for what, times in (("loads", loads), (f"opens {pair}", clicks)):
        low, *_, high = sorted(times)
        print(f"{what} in {sorted(times)[TIMES // 2]:.2f} s ({low:.2f} to {high:.2f}, {TIMES} times)")
    print(f"other requests and complaints: {wrong or 'none'}")
    print(f"load average {', '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
