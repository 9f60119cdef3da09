"""Settings made from other settings: the same elsewhere, the same without a teacher."""

from __future__ import annotations

from dataclasses import replace

from autokd.core.setting import DEFAULT, Method, Setting, TransferSet


def untaught(setting: Setting) -> Setting:
    """The same examples and budget, and no teacher."""
    return plain(replace(setting, alpha=0.0))


def moved(setting: Setting, transfer_set: TransferSet) -> Setting:
    """The setting on another transfer set; a weight that it does not have is the default's."""
    if transfer_set is TransferSet.PUBLIC:
        return replace(setting, alpha=None, transfer_set=transfer_set)
    alpha = DEFAULT.alpha if setting.alpha is None else setting.alpha
    return replace(setting, alpha=alpha, transfer_set=transfer_set)


def plain(setting: Setting) -> Setting:
    """The setting without what has no effect: where no teacher is used (α = 0), temperature and method."""
    return replace(setting, temperature=1.0, method=Method.PLAIN) if setting.alpha == 0 else setting
