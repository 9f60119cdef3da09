"""Where the search of a large space starts: with the setting that was best for all pairs before."""

from __future__ import annotations

from dataclasses import replace

from autokd.config.space import LABEL_PRIOR, Space
from autokd.core.setting import LabelPrior, Setting, TransferSet
from autokd.search.tpe import initial_settings


def start_setting(space: Space) -> Setting | None:
    """Return what a study in a large space tries first after the default; None if the space lacks it.

    No teacher, the adjusted loss, the recipe's rate and schedule and the largest budget, on the examples of
    both participants, or the student's where no others may be used. Of all settings of both recorded tables
    of large spaces it is the best single one on validation, as good there as choosing for each pair
    (`benchmarks.simulation.budgets`). A search that does not know it may end with less.

    Args:
        space: A resolved space.
    """
    if not isinstance(space.epochs, tuple) or LABEL_PRIOR not in space.dimensions:
        return None
    simple = {
        setting.transfer_set: setting
        for setting in initial_settings(space)
        if setting.label_prior is LabelPrior.ADJUSTED
    }
    setting = simple.get(TransferSet.BOTH, simple.get(TransferSet.STUDENT))
    if setting is None:
        return None
    longest = replace(setting, epochs=max(epochs for epochs in space.epochs if epochs is not None))
    return longest if longest in space else None
