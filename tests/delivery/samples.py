"""A plan for the random federation, and requests for models of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autokd.config.study import StudyConfig
from autokd.core.setting import Pair, Setting, TransferSet
from autokd.delivery import DistillationRequest

PLAN = StudyConfig.model_validate(
    {
        "name": "random",
        "federation": {
            "name": "random",
            "dataset": "digits",
            "participants": 2,
            "partition": {"scheme": "iid"},
            "splits": {"validation": 40, "confirmation": 60, "test": 50, "public": 20},
            "architectures": [{"name": "cnn", "options": {"widths": [8, 16]}}],
            "pretraining": {"learning_rate": 0.01, "epochs": 1},
        },
        "distillation": {"learning_rate": 0.1, "batch_size": 16, "epochs": 4},
        "search": {"stopping": {"rungs": [1]}},
        "confirmation": {"resamples": 200},
    }
)
REQUEST = DistillationRequest(
    pair=Pair(teacher=0, student=1),
    setting=Setting(temperature=2.0, alpha=0.3, transfer_set=TransferSet.BOTH),
    study="random.yaml",
    home="autokd-home",
    file="student.safetensors",
)


def make_request(**changes: Any) -> DistillationRequest:
    return replace(REQUEST, **changes)
