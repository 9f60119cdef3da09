"""`autokd recommend --student 9`: rank the partners of a participant, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from autokd.cli.console import out

if TYPE_CHECKING:
    from autokd.recommendation.partners import Ranking


def show_partners(ranking: Ranking) -> None:
    """Print the advice, and a line for each partner."""
    out.print(Text.assemble((f"participant {ranking.student}  ", "bold"), (ranking.advice, "bold")))
    names = ("teacher", "verdict", "gain on test", "corrected", "setting judged")
    grid = Table(*names, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for partner in ranking.partners:
        mark = "=" if partner.as_good else ""
        grid.add_row(
            f"{partner.recommendation.pair.teacher} {mark}",
            partner.recommendation.verdict.value,
            str(partner.test),
            f"{partner.corrected:+.1f} pp",
            str(partner.recommendation.setting),
        )
    out.print(grid)
    together = f"{ranking.confidence:.0%} for all {len(ranking.partners)} together"
    note = f"intervals: {together}; =: not shown to be worse than the first"
    if ranking.unknown:
        note += f"; no recommendation yet from {', '.join(map(str, ranking.unknown))}"
    out.print(Text(note, style="dim"))
