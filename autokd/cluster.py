"""Ray, started quietly and ended again: one session serves pre-training and search."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ENVIRONMENT: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's behaviour to come, asked for now; without it Ray warns at each start.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_SECRET: Final = "AUTOKD_STORAGE"
"""An address that may hold a password: only the driver writes to the store, so no worker gets to see it."""


@contextmanager
def session(*, cpus: int | None = None) -> Iterator[None]:
    """Ray on this machine, unless it is started already: then that one is used, and left as it is.

    Args:
        cpus: How many to offer to workers; by default all there are.
    """
    # Imported here, since it takes seconds and much of autokd does without.
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.update(_ENVIRONMENT)
    secret = os.environ.pop(_SECRET, None)
    try:
        ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=_runtime_environment(),
        )
        yield
    finally:
        ray.shutdown()
        if secret is not None:
            os.environ[_SECRET] = secret


def _runtime_environment() -> dict[str, str]:
    """Ray starts Tune's workers by a shell, and forgets the quotes around Python's own path."""
    python = shlex.quote(sys.executable)
    return {} if python == sys.executable else {"py_executable": python}
