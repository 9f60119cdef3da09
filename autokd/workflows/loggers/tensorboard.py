"""Trials for TensorBoard: one folder of events for each, below the name of its study."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from autokd.core.arguments import path
from autokd.core.atomic_write import make_folder, replacing
from autokd.workflows.loggers.base import LoggedTrial, TrialLogger

_EVENTS: Final = "events.out.tfevents."
"""How TensorBoard knows a file of events by its name."""
_OURS: Final = ".autokd-"
"""What stands before a trial's key in such a name."""
_LONGEST: Final = 120
"""Characters of a folder's name."""


class TensorBoardLogger(TrialLogger):
    """Writes each trial's curve, its parameters (the tab HPARAMS) and the verdict of its pair.

    Args:
        folder: Folder of events, for `tensorboard --logdir`; made when the first trial is written.
    """

    TOOL, PACKAGE, EXTRA = "TensorBoard", "tensorboard", "tensorboard"

    def __init__(self, folder: str | Path) -> None:
        self._folder = path("folder", folder)
        super().__init__()

    def written(self, trials: Sequence[LoggedTrial]) -> Collection[str]:
        return {trial.key for trial in trials if self._has(trial)}

    def write(self, trial: LoggedTrial) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        place = self._place(trial)
        if _events(place):  # Of a study of the same name that was deleted.
            place = place.with_name(f"{place.name}-{trial.key[:8]}")
        # NOTE: not by SummaryWriter, which leaves half a file, and whose thread prints a traceback, where the
        # disk is full.
        content, now = BytesIO(), time.time()
        records = RecordWriter(content)
        for event in _of_trial(trial):
            event.wall_time = now
            records.write(event.SerializeToString())
        make_folder(place)
        with replacing(place / f"{_EVENTS}{now:.0f}{_OURS}{trial.key}") as draft:
            draft.write_bytes(content.getvalue())

    def _has(self, trial: LoggedTrial) -> bool:
        place = self._place(trial)
        names = [*_events(place), *_events(place.with_name(f"{place.name}-{trial.key[:8]}"))]
        # Files of earlier versions have no key.
        return any(name.endswith(f"{_OURS}{trial.key}") for name in names) or (
            bool(names) and all(_OURS not in name for name in names)
        )

    def _place(self, trial: LoggedTrial) -> Path:
        # An arrow or braces in a path would have to be quoted in a shell.
        study = trial.study.replace("->", "-to-").replace("{", "").replace("}", "")
        parts = [_short(part) for part in study.split("/")]
        return self._folder.joinpath(*parts) / f"trial-{trial.number:03}"


def _short(name: str) -> str:
    """Return a name that a folder can have: many teachers make one of more than 255 bytes."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[:40]}...{sha256(name.encode()).hexdigest()[:8]}...{name[-40:]}"


def _events(folder: Path) -> list[str]:
    return [file.name for file in folder.glob(f"{_EVENTS}*")]


def _of_trial(trial: LoggedTrial) -> Iterator[Any]:
    """Yield the events of a trial, the version of their format first."""
    from tensorboard.compat.proto.event_pb2 import Event
    from torch.utils import tensorboard

    summary: Any = tensorboard.summary  # It has no types.

    yield Event(file_version="brain.Event:2")
    for epoch, figures in trial.curve:
        for name, value in figures.items():
            yield Event(step=epoch, summary=summary.scalar(name, value))
    words = ", ".join(f"{name} {value}" for name, value in trial.tags.items())
    yield Event(summary=summary.text("pair", f"{trial.name}: {words}"))
    for part in summary.hparams({**trial.parameters, **trial.tags}, dict(trial.figures)):
        yield Event(summary=part)
    for name, value in trial.figures.items():
        yield Event(summary=summary.scalar(name, value))
