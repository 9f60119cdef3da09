"""What all loggers share: they write beside the search, and what fails in them costs a warning and no run."""

from __future__ import annotations

import logging
import queue
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from autokd.core.records import TrialRecord, TrialState
from autokd.errors import InputError
from autokd.workflows.callbacks import Callbacks, JudgedTrials

_log = logging.getLogger(__name__)
_CREDENTIALS: Final = re.compile(r"://[^/@\s]+@")
"""What stands before the host of an address: errors quote addresses."""
_SECONDS: Final = 120.0
"""How long the end of a command waits for what is still to be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedTrial:
    """One trial as the tools take it.

    Attributes:
        study: Name of its study, which groups the trials of a pair.
        pair: The pair in words, e.g. `4->9`.
        parameters: Its setting and seed; what it leaves to the recipe is absent.
        curve: Figures at each rung, by epoch: validation accuracy in [0, 1], and forgetting in pp.
        tags: State, and what the pair was judged to be.
        figures: Last validation accuracy, and gains of the pair on test in pp.
    """

    study: str
    pair: str
    number: int
    state: TrialState
    parameters: Mapping[str, str | float]
    curve: tuple[tuple[int, Mapping[str, float]], ...]
    tags: Mapping[str, str]
    figures: Mapping[str, float]

    @property
    def name(self) -> str:
        """What a list of runs calls it."""
        return f"{self.pair} trial {self.number}"


class TrialLogger(Callbacks, ABC):
    """Writes the trials of each pair when the pair is judged, in a thread of its own.

    A subclass writes one trial. If that fails, there is one warning, and nothing more is written there.

    Attributes:
        TOOL: What warnings call the tool.
        PACKAGE: Package that must be installed.
        EXTRA: Extra of autokd that has it.
    """

    TOOL = ""
    PACKAGE = ""
    EXTRA = ""

    def __init__(self) -> None:
        """Check that the tool is installed.

        Raises:
            InputError: If it is not.
        """
        if find_spec(self.PACKAGE) is None:
            raise InputError(
                f"logging to {self.TOOL} needs {self.PACKAGE}; run: pip install 'autokd[{self.EXTRA}]'"
            )
        self._waiting: queue.SimpleQueue[LoggedTrial | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failed = False

    @abstractmethod
    def write(self, trial: LoggedTrial) -> None:
        """Write one trial; may raise anything."""

    def close(self) -> None:
        """Finish writing; may raise anything."""

    def on_verdict(self, judged: JudgedTrials) -> None:
        for trial in judged.trials:
            self._waiting.put(logged(judged, trial))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"autokd-{self.EXTRA}", daemon=True)
            self._thread.start()

    def on_end(self) -> None:
        if self._thread is None:
            return
        self._waiting.put(None)
        self._thread.join(_SECONDS)
        if self._thread.is_alive():
            _log.warning(
                "%s did not take all trials in %.0f s; the rest is not logged there", self.TOOL, _SECONDS
            )
        self._thread = None

    def _work(self) -> None:
        while (trial := self._waiting.get()) is not None:
            self._guarded(lambda: self.write(trial))
        self._guarded(self.close)

    def _guarded(self, action: object) -> None:
        if self._failed:
            return
        try:
            action()  # type: ignore[operator]
        except Exception as error:
            self._failed = True
            _log.warning(
                "logging to %s failed (%s: %s); nothing more is logged there, and no run is affected",
                self.TOOL,
                type(error).__name__,
                _CREDENTIALS.sub("://***@", " ".join(str(error).split()))[:200],
            )


def logged(judged: JudgedTrials, trial: TrialRecord) -> LoggedTrial:
    """Return a trial of a judged pair as the tools take it."""
    setting = {name: value for name, value in trial.setting.to_json().items() if value is not None}
    parameters: dict[str, str | float] = {"seed": trial.seed}
    for name, value in setting.items():
        parameters[name] = value if isinstance(value, int | float | str) else " ".join(map(str, value))
    forgetting = trial.forgetting_curve or (None,) * len(trial.curve)
    curve = tuple(
        (epoch, {"validation_accuracy": accuracy, **({} if lost is None else {"forgetting": lost})})
        for (epoch, accuracy), lost in zip(trial.curve, forgetting, strict=True)
    )
    recommendation = judged.recommendation
    tags = {"state": trial.state.value, "role": trial.role.value, "verdict": str(recommendation["verdict"])}
    figures = {} if trial.accuracy is None else {"final_validation_accuracy": trial.accuracy}
    if (decision := recommendation.get("decision")) is not None:
        tags |= {"decision": str(decision["action"]), "what_to_do": str(decision["words"])}
        figures["decision_gain"] = float(decision["gain"]["mean"])
    for name in ("gain", "default_gain"):
        if recommendation.get(name) is not None:
            figures[name] = float(recommendation[name]["mean"])
    if trial.reason:
        tags["reason"] = trial.reason[:200]
    return LoggedTrial(
        study=judged.study,
        pair=judged.pair,
        number=trial.number,
        state=trial.state,
        parameters=parameters,
        curve=curve,
        tags=tags,
        figures=figures,
    )
