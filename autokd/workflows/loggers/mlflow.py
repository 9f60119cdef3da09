"""Trials for MLflow: a run for each, in one experiment."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from autokd.core.arguments import text
from autokd.core.atomic_write import make_folder
from autokd.core.records import TrialState
from autokd.workflows.loggers.base import LoggedTrial, TrialLogger

_MANNERS: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # The addresses of runs would stand amid what `--json` prints.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # What fails is raised, too, and told in one line; on a full disk it would be a traceback before.
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
}
"""Settings of MLflow, by environment variable."""
_LONGEST: Final = 500
"""Characters of a parameter or tag that every MLflow server takes."""
_KEY: Final = "autokd.key"
_SQLITE: Final = "sqlite:///"
_PAGE: Final = 1000


class MlflowLogger(TrialLogger):
    """Writes each trial as a run with parameters, curve, and the verdict of its pair as a tag.

    MLflow's own messages to its makers and to the terminal are switched off, unless the environment says
    otherwise.

    Args:
        tracking_uri: Where runs are kept, e.g. `sqlite:///mlflow.db` or the address of a server.
        experiment: Name of the experiment, which is made if it is missing.
    """

    TOOL, PACKAGE, EXTRA = "MLflow", "mlflow", "mlflow"

    def __init__(self, tracking_uri: str, *, experiment: str = "autokd") -> None:
        self._uri, self._experiment = text("tracking_uri", tracking_uri), text("experiment", experiment)
        self._client: Any = None
        self._number = ""
        self._begun: dict[str, str] = {}
        super().__init__()

    def written(self, trials: Sequence[LoggedTrial]) -> Collection[str]:
        there: set[str] = set()
        by_number = {str(trial.number): trial.key for trial in trials}
        for run in self._runs_of(trials[0].study) if trials else ():
            tags = run.data.tags
            # Runs of earlier versions have no key.
            key = str(tags.get(_KEY) or by_number.get(str(tags.get("trial"))))
            if key in by_number.values():
                if run.info.status == "RUNNING":
                    self._begun[key] = run.info.run_id
                else:
                    there.add(key)
        return there

    def write(self, trial: LoggedTrial) -> None:
        from mlflow.entities import Metric, Param

        client = self._connected()
        if (begun := self._begun.pop(trial.key, None)) is not None:
            client.delete_run(begun)
        tags = {
            "study": trial.study,
            "pair": trial.pair,
            "trial": str(trial.number),
            _KEY: trial.key,
            **trial.tags,
        }
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

    def _runs_of(self, study: str) -> Sequence[Any]:
        """Return the runs of a study's trials."""
        client, runs, token = self._connected(), [], None
        while True:
            page = client.search_runs(
                [self._number], f"tags.study = '{study[:_LONGEST]}'", max_results=_PAGE, page_token=token
            )
            runs += page
            if not (token := page.token):
                return runs

    def _connected(self) -> Any:
        if self._client is None:
            for variable, value in _MANNERS.items():
                os.environ.setdefault(variable, value)
            if self._uri.startswith(_SQLITE):
                _prepare(Path(self._uri.removeprefix(_SQLITE).partition("?")[0]))
            from mlflow.tracking import MlflowClient

            client = MlflowClient(tracking_uri=self._uri)
            experiment = client.get_experiment_by_name(self._experiment)
            self._number = (
                client.create_experiment(self._experiment) if experiment is None else experiment.experiment_id
            )
            self._client = client
        return self._client


def _prepare(file: Path) -> None:
    """Make MLflow's tables in a SQLite file that has none; raise what SQLite says if it cannot be written.

    MLflow by itself would try again for minutes. A kill while it makes its tables, which takes some seconds,
    would leave a file that it refuses for ever, so they are made beside the file.
    """
    from mlflow.tracking import MlflowClient

    if not file.exists() or not file.stat().st_size:
        make_folder(file.parent)
        draft = file.with_name(f".autokd-{os.getpid()}-{file.name}")
        try:
            _check_is_writable(draft)
            MlflowClient(tracking_uri=f"{_SQLITE}{draft}").search_experiments(max_results=1)
            if not file.exists() or not file.stat().st_size:  # Another process may have been quicker.
                draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    _check_is_writable(file)


def _check_is_writable(file: Path) -> None:
    with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
