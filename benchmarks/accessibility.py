"""Whether axe-core finds anything on a report, in widths of a phone, a tablet and a desk, light and dark.

    npm install axe-core
    python -m benchmarks.accessibility report.html --axe node_modules/axe-core/axe.min.js

Ends with 1 if a violation is serious or critical. Each page is looked at as it opens and with a pair open.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks.screen import chromium

WIDTHS: Final = (390, 800, 1440)
SERIOUS: Final = ("serious", "critical")
_FIND: Final = (
    "axe.run(document).then((found) => found.violations.map((one) =>"
    " ({id: one.id, impact: one.impact, nodes: one.nodes.map((node) => node.html.slice(0, 120))})))"
)


async def violations(page: Path, axe: str) -> list[tuple[str, dict[str, Any]]]:
    """What axe-core finds, by how the page was looked at."""
    broken = []
    async with chromium() as screen:
        for width in WIDTHS:
            for dark in (False, True):
                for opened in ("", "#pair"):
                    await screen.open("about:blank")
                    await screen.open(page.as_uri(), width=width, dark=dark)
                    await screen.wait_for("document.body && document.readyState === 'complete'")
                    await screen.run("new Promise((done) => setTimeout(done, 2000))")
                    if opened:
                        await screen.run("location.hash = document.querySelector('.pair')?.id ?? ''")
                        await screen.run("new Promise((done) => setTimeout(done, 1000))")
                    await screen.run(f"{axe};0")
                    how = f"{width} px, {'dark' if dark else 'light'}{', a pair open' if opened else ''}"
                    broken += [(how, violation) for violation in await screen.run(_FIND)]
    return broken


def main() -> None:
    """Look, print, and end with 1 if something is serious."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--axe", type=Path, required=True)
    options = parser.parse_args()
    broken = asyncio.run(violations(options.page.resolve(), options.axe.read_text(encoding="utf-8")))
    for how, violation in broken:
        places = violation["nodes"]
        print(f"{how}: {violation['impact']}: {violation['id']}, {len(places)} places, e.g. {places[0]}")
    serious = sum(violation["impact"] in SERIOUS for _, violation in broken)
    print(f"{len(broken)} violations, {serious} of them serious")
    sys.exit(1 if serious else 0)


if __name__ == "__main__":
    main()
