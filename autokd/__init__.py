"""autokd finds the knowledge-distillation setting that works for each pair of already trained models.

    import autokd

    found = autokd.tune("4,9")            # teacher 4, student 9
    print(found.advice)
    autokd.distill("4,9", "student.safetensors")

Each name is imported when it is first used, so that `import autokd` is quick.
"""

from __future__ import annotations

import logging
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Final

from autokd._version import __version__ as __version__

if TYPE_CHECKING:
    from autokd.api import distill as distill
    from autokd.api import recommend as recommend
    from autokd.api import tune as tune
    from autokd.compute.device import Compute as Compute
    from autokd.compute.resources import Resources as Resources
    from autokd.config.space import Space as Space
    from autokd.config.study import StudyConfig as StudyConfig
    from autokd.core.setting import DEFAULT as DEFAULT
    from autokd.core.setting import Pair as Pair
    from autokd.core.setting import Position as Position
    from autokd.core.setting import Setting as Setting
    from autokd.core.setting import Split as Split
    from autokd.core.setting import TransferSet as TransferSet
    from autokd.delivery import Card as Card
    from autokd.errors import AutokdError as AutokdError
    from autokd.errors import InputError as InputError
    from autokd.errors import NotRecommended as NotRecommended
    from autokd.errors import NotTuned as NotTuned
    from autokd.federation.deprecated import Federation as Federation
    from autokd.federation.in_memory import Member as Member
    from autokd.federation.in_memory import federation_from_models as federation_from_models
    from autokd.federation.preparation import load_federation as load_federation
    from autokd.recommendation import Recommendation as Recommendation
    from autokd.recommendation import Verdict as Verdict
    from autokd.statistics.paired import Interval as Interval
    from autokd.workflows.callbacks import Callbacks as Callbacks
    from autokd.workflows.recommend import PairResult as PairResult
    from autokd.workflows.tune import Batch as Batch
    from autokd.workspace import Workspace as Workspace

# A library prints nothing by itself; the command line adds a handler of its own.
logging.getLogger(__name__).addHandler(logging.NullHandler())

_FROM: Final = {
    "distill": "autokd.api",
    "recommend": "autokd.api",
    "tune": "autokd.api",
    "Callbacks": "autokd.workflows.callbacks",
    "Compute": "autokd.compute.device",
    "Card": "autokd.delivery",
    "AutokdError": "autokd.errors",
    "InputError": "autokd.errors",
    "NotRecommended": "autokd.errors",
    "NotTuned": "autokd.errors",
    "Federation": "autokd.federation.deprecated",
    "Member": "autokd.federation.in_memory",
    "federation_from_models": "autokd.federation.in_memory",
    "load_federation": "autokd.federation.preparation",
    "StudyConfig": "autokd.config.study",
    "Interval": "autokd.statistics.paired",
    "Recommendation": "autokd.recommendation",
    "Verdict": "autokd.recommendation",
    "Space": "autokd.config.space",
    "Resources": "autokd.compute.resources",
    "DEFAULT": "autokd.core.setting",
    "Pair": "autokd.core.setting",
    "Position": "autokd.core.setting",
    "Setting": "autokd.core.setting",
    "Split": "autokd.core.setting",
    "TransferSet": "autokd.core.setting",
    "PairResult": "autokd.workflows.recommend",
    "Batch": "autokd.workflows.tune",
    "Workspace": "autokd.workspace",
}
"""Where each public name is imported from."""
_FORMER: Final = {
    "Answer": ("autokd.workflows.recommend", "PairResult"),
    "Listener": ("autokd.workflows.callbacks", "Callbacks"),
    "StudyPlan": ("autokd.config.study", "StudyConfig"),
    "Workers": ("autokd.compute.resources", "Resources"),
}
"""Former public names, for one more release: the module of each, and the name to use instead."""

__all__ = ["__version__", *_FROM]


if not TYPE_CHECKING:  # Else a checker would take any name for one of ours.

    def __getattr__(name: str) -> object:
        if name in _FORMER:
            where, instead = _FORMER[name]
            warnings.warn(
                f"autokd.{name} is deprecated: use autokd.{instead}", DeprecationWarning, stacklevel=2
            )
            module = import_module(where)
            return getattr(module, name if hasattr(module, name) else instead)
        if name not in _FROM:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(_FROM[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM})
