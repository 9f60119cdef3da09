"""Trials for MLflow: a run for each, in one experiment."""

from __future__ import annotations

import os
import time
from typing import Any, Final

from autokd.core.arguments import text
from autokd.core.records import TrialState
from autokd.workflows.loggers.base import LoggedTrial, TrialLogger

_TELEMETRY: Final = "MLFLOW_DISABLE_TELEMETRY"
_LONGEST: Final = 500
"""Characters of a parameter or tag that every MLflow server takes."""


class MlflowLogger(TrialLogger):
    """Writes each trial as a run with parameters, curve, and the verdict of its pair as a tag.

    MLflow's own messages to its makers are switched off, unless the environment says otherwise.

    Args:
        tracking_uri: Where runs are kept, e.g. `sqlite:///mlflow.db` or the address of a server.
        experiment: Name of the experiment, which is made if it is missing.
    """

    TOOL, PACKAGE, EXTRA = "MLflow", "mlflow", "mlflow"

    def __init__(self, tracking_uri: str, *, experiment: str = "autokd") -> None:
        self._uri, self._experiment = text("tracking_uri", tracking_uri), text("experiment", experiment)
        self._client: Any = None
        self._number = ""
        super().__init__()

    def write(self, trial: LoggedTrial) -> None:
        os.environ.setdefault(_TELEMETRY, "true")
        from mlflow.entities import Metric, Param

        client = self._connected()
        tags = {"study": trial.study, "pair": trial.pair, "trial": str(trial.number), **trial.tags}
        run = client.create_run(
            self._number, run_name=trial.name, tags={name: value[:_LONGEST] for name, value in tags.items()}
        ).info.run_id
        now = int(time.time() * 1000)
        curve = [Metric(name, value, now, epoch) for epoch, of in trial.curve for name, value in of.items()]
        last = trial.curve[-1][0] if trial.curve else 0
        ends = [Metric(name, value, now, last) for name, value in trial.figures.items()]
        parameters = [Param(name, str(value)[:_LONGEST]) for name, value in trial.parameters.items()]
        client.log_batch(run, metrics=[*curve, *ends], params=parameters)
        client.set_terminated(run, "FAILED" if trial.state is TrialState.FAIL else "FINISHED")

    def _connected(self) -> Any:
        if self._client is None:
            from mlflow.tracking import MlflowClient

            client = MlflowClient(tracking_uri=self._uri)
            experiment = client.get_experiment_by_name(self._experiment)
            self._number = (
                client.create_experiment(self._experiment) if experiment is None else experiment.experiment_id
            )
            self._client = client
        return self._client
