"""What a server tells the driver that it starts for a job."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from autokd.config.defaults import STORAGE_VARIABLE

VARIABLE: Final = "AUTOKD_JOB"
"""Variable of the environment that has the order; the storage, which may hold a password, has its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverOrder:
    """An order for a driver.

    Attributes:
        id, claim: The job and its claim.
        study: Name or file of its study recipe.
        compute, workers: Fields of `Compute` and `Resources`.
    """

    id: int
    claim: str
    home: str
    data_root: str
    study: str
    compute: Mapping[str, Any]
    workers: Mapping[str, Any]

    def to_environment(self, storage: str) -> dict[str, str]:
        """Return the variables of the environment that tell it."""
        return {VARIABLE: json.dumps(asdict(self)), STORAGE_VARIABLE: storage}

    @classmethod
    def of_environment(cls) -> Self:
        """Return the order of this process."""
        return cls(**json.loads(os.environ[VARIABLE]))
