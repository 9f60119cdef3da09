"""Settings derived from others: without a teacher, or on another transfer set."""

from __future__ import annotations

from dataclasses import replace

from autokd.core.setting import DEFAULT, Method, Setting, TransferSet


def untaught(setting: Setting) -> Setting:
    """Return the setting with the same examples and budget, and no teacher."""
    return plain(replace(setting, alpha=0.0))


def moved(setting: Setting, transfer_set: TransferSet) -> Setting:
    """Return the setting on another transfer set; if it has no alpha, with the default's."""
    if transfer_set is TransferSet.PUBLIC:
        return replace(setting, alpha=None, transfer_set=transfer_set)
    alpha = DEFAULT.alpha if setting.alpha is None else setting.alpha
    return replace(setting, alpha=alpha, transfer_set=transfer_set)


def plain(setting: Setting) -> Setting:
    """Return the setting without parts that have no effect: T and method where no teacher is used (α = 0)."""
    return replace(setting, temperature=1.0, method=Method.PLAIN) if setting.alpha == 0 else setting
