"""What is to be distilled, and the command that orders it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final

from autokd.compute.device import Compute
from autokd.config.study import DELIVERY_SEEDS
from autokd.core.setting import Pair, Setting
from autokd.statistics.paired import Interval

USUAL: Final = Compute()
"""How runs compute if nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a recommendation said of the setting before this run; gains in pp on test, with intervals.

    Attributes:
        study: Whose runs it rests on.
        gain: Mean over seeds; None if there was nothing to judge, as the next two.
        single_run: Where the gain of one further run lies: such a run is this one.
        seeds: How many.
    """

    study: str
    verdict: str
    reason: str
    gain: Interval | None = None
    default_gain: Interval | None = None
    single_run: Interval | None = None
    seeds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One model to be made.

    Attributes:
        promise: None if the setting was given by hand.
        seed: Which of the runs of this setting, from 0.
        study: A shipped study's name, or its file, as it is typed.
        home: Where the federation lies, as it is typed.
        file: The name that the weights are to have.
    """

    pair: Pair
    setting: Setting
    promise: Promise | None = None
    seed: int = 0
    study: str
    home: str
    file: str
    compute: Compute = USUAL

    @property
    def seed_index(self) -> int:
        """Of the run; no search, race or confirmation has it."""
        return DELIVERY_SEEDS + self.seed

    @property
    def command(self) -> str:
        """Makes the same weights again: the setting is spelled out, since a recommendation may change.

        Numbers are exact. A store is not named: none is needed, and its address may hold a password.
        """
        words = ["autokd", "distill", "--pair", f"{self.pair.teacher},{self.pair.student}"]
        words += ["--study", self.study, "--home", self.home, *_setting(self.setting)]
        words += ["--seed", str(self.seed), *_compute(self.compute), "--out", self.file]
        return shlex.join(words)


def _setting(setting: Setting) -> list[str]:
    """Only what the setting says; the rest is the recipe's, or has no meaning."""
    told = {name: value for name, value in setting.to_json().items() if value is not None}
    return [word for name, value in told.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def _compute(compute: Compute) -> list[str]:
    """Only what is not usual."""
    options = {"device": compute.device, "precision": compute.precision, "threads": compute.threads}
    words = [
        word
        for name, value in options.items()
        if value != getattr(USUAL, name)
        for word in (f"--{name}", str(value))
    ]
    return [*words, "--channels-last"] if compute.channels_last else words
