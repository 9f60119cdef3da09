"""Values that tests of several layers draw."""

from __future__ import annotations

from hypothesis import strategies as st

from autokd.core.setting import BatchNorm, Method, Setting, TransferSet

temperatures = st.floats(min_value=1e-3, max_value=1e3)
alphas = st.floats(min_value=0, max_value=1)
_more = {
    "method": st.sampled_from(Method),
    "learning_rate": st.none() | st.floats(min_value=1e-5, max_value=1),
    "epochs": st.none() | st.integers(1, 1000),
    "batch_norm": st.none() | st.sampled_from(BatchNorm),
}
_labelled = [one for one in TransferSet if one is not TransferSet.PUBLIC]
settings = st.one_of(
    st.builds(Setting, temperatures, alphas, st.sampled_from(_labelled), **_more),
    st.builds(Setting, temperatures, st.none(), st.just(TransferSet.PUBLIC), **_more),
)
"""Any setting there can be."""
