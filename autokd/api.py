"""`tune`, `recommend` and `distill` for one pair: the commands of the same names, with their defaults.

Nothing heavy is imported before one of them is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autokd.core.public_calls import checked
from autokd.core.public_calls import pair as as_pair
from autokd.core.setting import AnyPair, Position, Setting
from autokd.errors import ArgumentError
from autokd.workflows.deprecated import accepts_listener

if TYPE_CHECKING:
    from autokd.compute.device import Compute
    from autokd.compute.resources import Resources
    from autokd.config.study import StudyConfig
    from autokd.delivery import Card
    from autokd.recommendation import Recommendation
    from autokd.workflows.callbacks import Callbacks


def _later(name: str, value: object) -> object:
    """Return a pair as it is: only the study recipe knows the names of participants."""
    return value


def _setting(name: str, value: object) -> Setting:
    """Return a setting: a `Setting`, a text as `try_` takes it, or a mapping."""
    from autokd.config.asked import asked_setting

    try:
        return asked_setting(value)
    except ValueError as error:
        raise ArgumentError(name, str(error)) from None


@accepts_listener
@checked(pair=_later)
def tune(
    pair: AnyPair | str | tuple[int | str, int | str],
    *,
    study: str | Path | StudyConfig | None = None,
    home: str | Path | None = None,
    storage: str | None = None,
    space: str | Path | None = None,
    trials: int | None = None,
    try_: Iterable[Setting | str | Mapping[str, Any]] = (),
    position: Position | None = None,
    compute: Compute | None = None,
    workers: Resources | None = None,
    callbacks: Callbacks | None = None,
) -> Recommendation:
    """Search the best setting of a pair, confirm it, and return what the student should do.

    Stored runs are not repeated: a second call returns at once.

    Args:
        pair: `Pair(4, 9)`, `(4, 9)`, `"4,9"` or `"4->9"`, by numbers or names: teacher first; or
            `Group((0, 3, 7), 9)` for several teachers.
        study: As in `Workspace.open`, like `home`, `storage`, `space`, `trials` and `try_`.
        position: Search only this position of the student; by default all positions of the space.
        compute: How runs compute.
        workers: Resources that runs use; by default all cores of this machine.
        callbacks: Called with the progress.

    Raises:
        InputError: If an argument is not valid; nothing was changed.
        AutokdError: If store or federation fail; stored runs are kept, and the same call continues.
        KeyboardInterrupt: After Ctrl-C; stored runs are kept, and the same call continues.

    >>> import autokd
    >>> recommendation = autokd.tune(autokd.Pair(0, 2), study="mine.yaml")
    >>> recommendation.verdict in autokd.Verdict
    True
    """
    from autokd.workflows import tune as workflow
    from autokd.workspace import Workspace

    workspace = Workspace.open(study, home=home, storage=storage, space=space, trials=trials, try_=try_)
    outcome = workflow.tune(
        workspace,
        as_pair("pair", pair, names=workspace.names),
        position=position,
        compute=compute,
        workers=workers,
        callbacks=callbacks,
    )
    if outcome.interrupted:
        raise KeyboardInterrupt
    return outcome.recommendations[0]


@checked(pair=_later)
def recommend(
    pair: AnyPair | str | tuple[int | str, int | str],
    *,
    study: str | Path | StudyConfig | None = None,
    home: str | Path | None = None,
    storage: str | None = None,
    space: str | Path | None = None,
) -> Recommendation:
    """Return what the student of a tuned pair should do, from the store alone.

    Args:
        pair: `Pair(4, 9)`, `(4, 9)`, `"4,9"` or `"4->9"`, by numbers or names: teacher first; or
            `Group((0, 3, 7), 9)` for several teachers.
        study: As in `Workspace.open`, like `home`, `storage` and `space`.

    Raises:
        NotTuned: If there is no recommendation yet.

    >>> import autokd
    >>> recommendation = autokd.recommend("0,2", study="mine.yaml")
    >>> recommendation.pair
    Pair(teacher=0, student=2)
    >>> recommendation.to_json()["split"]
    'test'
    """
    from autokd.workflows import recommend as workflow
    from autokd.workspace import Workspace

    workspace = Workspace.open(study, home=home, storage=storage, space=space)
    return workflow.recommend(workspace, as_pair("pair", pair, names=workspace.names))


@accepts_listener
@checked(setting=_setting, pair=_later)
def distill(
    pair: AnyPair | str | tuple[int | str, int | str],
    out: str | Path,
    *,
    setting: Setting | None = None,
    seed: int = 0,
    force: bool = False,
    for_: str | Path | Mapping[str, float] = "common",
    study: str | Path | StudyConfig | None = None,
    home: str | Path | None = None,
    storage: str | None = None,
    space: str | Path | None = None,
    compute: Compute | None = None,
    callbacks: Callbacks | None = None,
) -> Card:
    """Train the recommended student in this process, and write its weights with a card beside them.

    Args:
        pair: `Pair(4, 9)`, `(4, 9)`, `"4,9"` or `"4->9"`, by numbers or names: teacher first; or
            `Group((0, 3, 7), 9)` for several teachers.
        out: `*.safetensors`; the card is written beside it as `.json` and `.md`.
        setting: Used instead of the recommended setting; then the pair need not be tuned.
        seed: Number of the run of this setting, from 0; search, race and confirmation use none of them.
        force: Distil even if the advice is to leave the model as it is, and replace existing files.
        for_: Class distribution that the model is for. `"common"`: as it was trained; `"own"`: with the
            logarithms of the student's own class shares added to its logits, as far as that helps on
            validation; or class shares by class name, as a mapping or a JSON file.
        study: As in `Workspace.open`, like `home`, `storage` and `space`.
        compute: How the run computes.
        callbacks: Called with the progress.

    Raises:
        NotRecommended: If the advice is to leave the model as it is; nothing was changed.
        InputError: If an argument is not valid, e.g. a file exists already; nothing was changed.
        AutokdError: If run, store or federation fail.

    >>> import autokd
    >>> setting = autokd.Setting(temperature=2.0, alpha=0.3, transfer_set=autokd.TransferSet.BOTH)
    >>> card = autokd.distill("0,2", "student.safetensors", setting=setting, study="mine.yaml")
    >>> card.scores[autokd.Split.TEST].examples
    250
    """
    from autokd.config.target import read_target
    from autokd.workflows import distill as workflow
    from autokd.workspace import Workspace

    target = read_target(for_, option="for_")
    workspace = Workspace.open(study, home=home, storage=storage, space=space)
    return workflow.distill(
        workspace,
        as_pair("pair", pair, names=workspace.names),
        Path(out),
        setting=setting,
        seed=seed,
        force=force,
        target=target,
        compute=compute,
        callbacks=callbacks,
    )
