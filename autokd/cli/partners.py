"""`autokd recommend --student 9`: its partners, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from autokd.cli.console import out, print_json

if TYPE_CHECKING:
    from autokd.recommendation.partners import Ranking
    from autokd.workspace import Workspace


def show_partners(workspace: Workspace, student: int, *, json: bool) -> None:
    """Rank the partners of a participant, and print them."""
    from autokd.workflows.recommend import partners

    found = partners(workspace, student)
    if json:
        print_json(found.to_json())
    else:
        show(found)


def show(found: Ranking) -> None:
    """The advice, and a line for each partner."""
    out.print(Text.assemble((f"participant {found.student}  ", "bold"), (found.advice, "bold")))
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("teacher", "verdict", "gain on test", "corrected", "setting judged"):
        grid.add_column(name, header_style="dim")
    for one in found.partners:
        mark = "=" if one.as_good else ""
        grid.add_row(
            f"{one.found.pair.teacher} {mark}",
            one.found.verdict.value,
            str(one.test),
            f"{one.corrected:+.1f} pp",
            str(one.found.setting),
        )
    out.print(grid)
    count = len(found.partners)
    note = (
        f"intervals: {found.confidence:.0%} for all {count} at once; =: not shown to be worse than the first"
    )
    if found.unknown:
        note += f"; no recommendation yet from {', '.join(map(str, found.unknown))}"
    out.print(Text(note, style="dim"))
