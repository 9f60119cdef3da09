"""autokd finds the knowledge-distillation setting that works for each pair of already trained models.

    import autokd

    recommendation = autokd.tune("4,9")            # teacher 4, student 9
    print(recommendation.advice)
    autokd.distill("4,9", "student.safetensors")

`tune`, `recommend` and `distill` take one pair and name their study recipe; the other functions take a
`Workspace`. Each name is imported when it is first used, so that `import autokd` is quick.
"""

from __future__ import annotations

# First of all: `python -m autokd` begins with the working folder in Python's path.
from autokd.core import safe_path as _safe_path

if _safe_path.program_is_autokd():
    _safe_path.use_safe_path()

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Final

from autokd._version import __version__

if TYPE_CHECKING:
    from autokd.api import distill, recommend, tune
    from autokd.client import Client
    from autokd.compute.deprecated import Compute
    from autokd.compute.resources import Resources
    from autokd.config.space import Space
    from autokd.config.study import StudyConfig
    from autokd.core.setting import DEFAULT, Group, Pair, Position, Setting, Split, TransferSet
    from autokd.delivery import Card
    from autokd.errors import AutokdError, InputError, NotRecommended, NotTuned
    from autokd.federation.deprecated import Federation
    from autokd.federation.in_memory import federation_from_models
    from autokd.federation.members import Member
    from autokd.federation.preparation import load_federation
    from autokd.recommendation import Recommendation, Verdict
    from autokd.statistics.paired import Interval
    from autokd.workflows.advise import advise, advise_all
    from autokd.workflows.callbacks import CallbackList, Callbacks, JudgedTrials
    from autokd.workflows.explain import explain
    from autokd.workflows.export import export
    from autokd.workflows.loggers.mlflow import MlflowLogger
    from autokd.workflows.loggers.tensorboard import TensorBoardLogger
    from autokd.workflows.loggers.wandb import WandbLogger
    from autokd.workflows.observe_claims import observe_claims
    from autokd.workflows.prepare import prepare
    from autokd.workflows.recommend import PairResult, partners, predict, recommend_all
    from autokd.workflows.report import report_data
    from autokd.workflows.status import status
    from autokd.workflows.stop import stop
    from autokd.workflows.sweep import sweep
    from autokd.workflows.tune import Batch, tune_all
    from autokd.workspace import Workspace

# A library prints nothing by itself; the command line adds a handler of its own.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "DEFAULT", "AutokdError", "Batch", "CallbackList", "Callbacks", "Card", "Client", "Compute", "Federation",
    "Group", "InputError", "Interval", "JudgedTrials", "Member", "MlflowLogger", "NotRecommended",
    "NotTuned", "Pair", "PairResult", "Position", "Recommendation", "Resources", "Setting", "Space",
    "Split", "StudyConfig", "TensorBoardLogger", "TransferSet", "Verdict", "WandbLogger", "Workspace",
    "__version__", "advise", "advise_all", "distill", "explain", "export", "federation_from_models",
    "load_federation", "observe_claims", "partners", "predict", "prepare", "recommend", "recommend_all",
    "report_data", "status", "stop", "sweep", "tune", "tune_all",
]  # fmt: skip
_NAMES: Final = {
    "autokd.api": "distill recommend tune",
    "autokd.client": "Client",
    "autokd.compute.deprecated": "Compute",
    "autokd.compute.resources": "Resources",
    "autokd.config.space": "Space",
    "autokd.config.study": "StudyConfig",
    "autokd.core.setting": "DEFAULT Group Pair Position Setting Split TransferSet",
    "autokd.delivery": "Card",
    "autokd.errors": "AutokdError InputError NotRecommended NotTuned",
    "autokd.federation.deprecated": "Federation",
    "autokd.federation.in_memory": "federation_from_models",
    "autokd.federation.members": "Member",
    "autokd.federation.preparation": "load_federation",
    "autokd.recommendation": "Recommendation Verdict",
    "autokd.statistics.paired": "Interval",
    "autokd.workflows.advise": "advise advise_all",
    "autokd.workflows.callbacks": "CallbackList Callbacks JudgedTrials",
    "autokd.workflows.explain": "explain",
    "autokd.workflows.export": "export",
    "autokd.workflows.loggers.mlflow": "MlflowLogger",
    "autokd.workflows.loggers.tensorboard": "TensorBoardLogger",
    "autokd.workflows.loggers.wandb": "WandbLogger",
    "autokd.workflows.observe_claims": "observe_claims",
    "autokd.workflows.prepare": "prepare",
    "autokd.workflows.recommend": "PairResult partners predict recommend_all",
    "autokd.workflows.report": "report_data",
    "autokd.workflows.status": "status",
    "autokd.workflows.stop": "stop",
    "autokd.workflows.sweep": "sweep",
    "autokd.workflows.tune": "Batch tune_all",
    "autokd.workspace": "Workspace",
}
"""Public names by the module that defines them."""
_FROM: Final = {name: module for module, names in _NAMES.items() for name in names.split()}

if not TYPE_CHECKING:  # Else a checker would take any name for one of ours.

    def __getattr__(name: str) -> object:
        if name not in _FROM:
            return import_module("autokd.workflows.deprecated").former_name(name)
        value: object = getattr(import_module(_FROM[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM})
