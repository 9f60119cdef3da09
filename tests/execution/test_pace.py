from __future__ import annotations

import pytest

from autokd.execution.pace import Pace


def test_the_end_of_a_command_takes_as_long_as_judging_has_taken_so_far() -> None:
    pace = Pace()
    alone = pace.ending(0)
    assert pace.ending(90) > alone > 0
    pace.add_judged(2, 0.5)
    pace.add_judged(2, 0.3)
    assert pace.ending(90) == pytest.approx(alone + 90 * 0.2)
