from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autokd.config.objective import Constraints, Objective


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_what_a_run_is_worth(gain: float, forgetting: float) -> None:
    assert Objective().value(gain, forgetting) == gain
    assert Objective(objective="gain_local").value(gain, forgetting) == -forgetting
    assert Objective(objective="gain_minus_forgetting").value(gain, forgetting) == gain - forgetting


def test_the_lower_limit_counts() -> None:
    aims = Objective(constraints=Constraints(max_forgetting=2.0, max_local_loss=1.0))
    assert aims.constraints.limit == 1.0
    assert aims.keeps(1.0)
    assert not aims.keeps(1.1)
    assert Objective().keeps(100.0)
