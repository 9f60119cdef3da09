"""What all loggers share: they write beside the search, and what fails in them costs a warning and no run."""

from __future__ import annotations

import json
import logging
import queue
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from time import monotonic
from typing import Final

from autokd.core.records import TrialRecord, TrialState
from autokd.errors import InputError
from autokd.workflows.callbacks import Callbacks, JudgedTrials

_log = logging.getLogger(__name__)
_CREDENTIALS: Final = re.compile(r"://[^/@\s]+@")
"""What stands before the host of an address: errors quote addresses."""
_SILENT_SECONDS: Final = 60.0
"""How long the end of a command waits for a tool that takes no trial."""
_NOTICE_SECONDS: Final = 5.0
"""How long it waits without a word."""
_LOOK_SECONDS: Final = 0.1
_LATER: Final = "the same command logs the rest when it is run again"


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

    @property
    def key(self) -> str:
        """What tells it from all others, in hexadecimal digits.

        It is made of what was run, since a study that is deleted and tuned again has the numbers of before.
        """
        curve = [
            (epoch, sorted((name, round(value, 9)) for name, value in of.items())) for epoch, of in self.curve
        ]
        run = (self.study, self.number, self.state.value, sorted(self.parameters.items()), curve)
        return sha256(json.dumps(run).encode()).hexdigest()[:16]


class TrialLogger(Callbacks, ABC):
    """Writes the trials of each pair when the pair is judged, in a thread of its own.

    Trials that earlier commands should have written are written, too, if the tool lacks them: a command may
    have been killed, or its logger have failed. If one cannot be written, there is one warning, and nothing
    more is written there.

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
        self._waiting: queue.SimpleQueue[JudgedTrials | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failed = False
        self._steps = 0

    @abstractmethod
    def written(self, trials: Sequence[LoggedTrial]) -> Collection[str]:
        """Return the keys of those trials of a study that the tool has as a whole; may raise anything."""

    @abstractmethod
    def write(self, trial: LoggedTrial) -> None:
        """Write one trial, and replace what was begun of it; may raise anything."""

    def close(self) -> None:
        """Finish writing; may raise anything."""

    def on_verdict(self, judged: JudgedTrials) -> None:
        if self._failed:
            return
        self._waiting.put(judged)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"autokd-{self.EXTRA}", daemon=True)
            self._thread.start()

    def on_end(self) -> None:
        if self._thread is None:
            return
        self._waiting.put(None)
        try:
            self._wait(self._thread)
        except KeyboardInterrupt:
            # It ends the wait only: the command has its answer, and would not show it.
            _log.warning("not waiting for %s; %s", self.TOOL, _LATER)
        self._thread = None

    def _wait(self, thread: threading.Thread) -> None:
        began = changed = monotonic()
        steps, noticed = self._steps, False
        while thread.is_alive():
            thread.join(_LOOK_SECONDS)
            now = monotonic()
            if self._steps != steps:
                steps, changed = self._steps, now
            if now - changed > _SILENT_SECONDS:
                # Whatever it still gets through is found there by the next command.
                self._failed = True
                _log.warning(
                    "%s has taken no trial for %.0f s, so it is not waited for; %s",
                    self.TOOL,
                    _SILENT_SECONDS,
                    _LATER,
                )
                return
            if now - began > _NOTICE_SECONDS and not noticed and thread.is_alive():
                noticed = True
                _log.warning(
                    "waiting for %s to take the trials; Ctrl-C leaves them to the next command", self.TOOL
                )

    def _work(self) -> None:
        while (judged := self._waiting.get()) is not None:
            self._guarded(lambda: self._write_missing(judged))
        self._guarded(self.close)

    def _write_missing(self, judged: JudgedTrials) -> None:
        trials = [logged(judged, trial) for trial in (*judged.earlier, *judged.trials)]
        there = self.written(trials)
        self._steps += 1
        for trial in trials:
            if self._failed:
                return
            if trial.key not in there:
                self.write(trial)
                self._steps += 1

    def _guarded(self, action: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            action()
        except Exception as error:
            given_up, self._failed = self._failed, True
            _log.log(
                # A word was said before, when it was no longer waited for.
                logging.DEBUG if given_up else logging.WARNING,
                "logging to %s failed (%s: %s); nothing more is logged there, and no run is affected; %s",
                self.TOOL,
                type(error).__name__,
                _CREDENTIALS.sub("://***@", " ".join(str(error).split()))[:200],
                _LATER,
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
