"""Tuning, recommending and distilling from Python: the commands of the same names, with their defaults.

Nothing heavy is imported before one of them is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autokd.config.defaults import STUDY
from autokd.core.setting import Pair, Position, Setting
from autokd.workflows.callbacks import accepts_listener

if TYPE_CHECKING:
    from autokd.compute.device import Compute
    from autokd.compute.resources import Resources
    from autokd.config.study import StudyConfig
    from autokd.delivery import Card
    from autokd.recommendation import Recommendation
    from autokd.workflows.callbacks import Callbacks
    from autokd.workspace import Workspace


@accepts_listener
def tune(
    pair: Pair | str,
    *,
    study: str | Path | StudyConfig = STUDY,
    home: str | Path | None = None,
    storage: str | None = None,
    space: str | Path | None = None,
    trials: int | None = None,
    position: Position | None = None,
    compute: Compute | None = None,
    workers: Resources | None = None,
    callbacks: Callbacks | None = None,
) -> Recommendation:
    """Search a pair (by default with the reverse one), prove what was found, and say what to do.

    What the store has is not done again: a second call returns at once.

    Args:
        pair: `Pair(4, 9)` or `"4,9"`: teacher first.
        study: As in `Workspace.open`, like `home`, `storage`, `space` and `trials`.
        position: Search only this position of the student; by default all that the space holds.
        compute: How runs compute.
        workers: On what; by default on all cores of this machine.
        callbacks: Called while it lasts.

    Raises:
        InputError: If something asked for does not hold; nothing was changed.
        AutokdError: If store or federation fail; what was stored is kept, and the same call goes on.
        KeyboardInterrupt: After Ctrl-C; likewise.

    >>> import autokd
    >>> found = autokd.tune(autokd.Pair(0, 2), study="mine.yaml")
    >>> found.verdict in autokd.Verdict
    True
    """
    from autokd.workflows import tune as workflow

    here = _workspace(study, home=home, storage=storage, space=space, trials=trials)
    asked = here.pair(str(pair))
    outcome = workflow.tune(
        here, asked, position=position, compute=compute, workers=workers, callbacks=callbacks
    )
    if outcome.interrupted:
        raise KeyboardInterrupt
    return outcome.recommendations[0]


def recommend(
    pair: Pair | str,
    *,
    study: str | Path | StudyConfig = STUDY,
    home: str | Path | None = None,
    storage: str | None = None,
    space: str | Path | None = None,
) -> Recommendation:
    """What the student of a tuned pair should do, from the store alone.

    Args:
        pair: `Pair(4, 9)` or `"4,9"`: teacher first.
        study: As in `Workspace.open`, like `home`, `storage` and `space`.

    Raises:
        NotTuned: If there is no recommendation yet.

    >>> import autokd
    >>> found = autokd.recommend("0,2", study="mine.yaml")
    >>> found.pair
    Pair(teacher=0, student=2)
    >>> found.to_json()["split"]
    'test'
    """
    from autokd.workflows import recommend as workflow

    here = _workspace(study, home=home, storage=storage, space=space)
    return workflow.recommend(here, here.pair(str(pair)))


@accepts_listener
def distill(
    pair: Pair | str,
    out: str | Path,
    *,
    setting: Setting | None = None,
    seed: int = 0,
    force: bool = False,
    study: str | Path | StudyConfig = STUDY,
    home: str | Path | None = None,
    storage: str | None = None,
    space: str | Path | None = None,
    compute: Compute | None = None,
    callbacks: Callbacks | None = None,
) -> Card:
    """Make the recommended student in this process; its weights go to `out`, with a card beside them.

    Args:
        pair: `Pair(4, 9)` or `"4,9"`: teacher first.
        out: `*.safetensors`; the card is written beside it as `.json` and `.md`.
        setting: In place of what is recommended; the pair need not have been tuned then.
        seed: Which of this setting's runs, from 0; none of them was seen by search, race or confirmation.
        force: Distil even where the advice is to leave the model as it is, and replace files that are there.
        study: As in `Workspace.open`, like `home`, `storage` and `space`.
        compute: How the run computes.
        callbacks: Called while it lasts.

    Raises:
        NotRecommended: If the advice is to leave the model as it is; nothing was changed.
        InputError: If something else asked for does not hold, e.g. a file is there already; likewise.
        AutokdError: If the run fails, or store or federation do.

    >>> import autokd
    >>> setting = autokd.Setting(temperature=2.0, alpha=0.3, transfer_set=autokd.TransferSet.BOTH)
    >>> card = autokd.distill("0,2", "student.safetensors", setting=setting, study="mine.yaml")
    >>> card.scores[autokd.Split.TEST].examples
    250
    """
    from autokd.workflows import distill as workflow

    here = _workspace(study, home=home, storage=storage, space=space)
    return workflow.distill(
        here,
        here.pair(str(pair)),
        Path(out),
        setting=setting,
        seed=seed,
        force=force,
        compute=compute,
        callbacks=callbacks,
    )


def _workspace(
    study: str | Path | StudyConfig,
    *,
    home: str | Path | None,
    storage: str | None,
    space: str | Path | None,
    trials: int | None = None,
) -> Workspace:
    from autokd.workspace import Workspace

    return Workspace.open(study, home=home, storage=storage, space=space, trials=trials)
