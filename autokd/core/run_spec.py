"""One run to do, and how a run ends; plain values that cross Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from autokd.core.records import REASON_LENGTH, Failure, RungReport, RunRecord, RunState, Stage, TrialOrigin
from autokd.core.setting import AnyPair, Group, Pair, Setting
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat

SEARCH: Final = "search"
"""Stands in a worker's config for the stage of a trial."""


@dataclass(frozen=True, slots=True)
class RunFailure:
    """Why a run ended without a result. It is a value, since an exception would cost Tune the worker."""

    failure: Failure
    reason: str

    def __post_init__(self) -> None:
        # The store keeps no more; so a record made of it is equal to the stored one.
        object.__setattr__(self, "reason", self.reason[:REASON_LENGTH])


RunResult = RungReport | RunRecord | RunFailure
"""What a worker reports: a rung of a trial, the record of a run outside the search, or a failure."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run to do.

    Attributes:
        stage: None for a trial of the search, which reports every rung and may be stopped early.
        role: Origin of a trial; it has no meaning for runs outside the search.
    """

    pair: AnyPair
    setting: Setting
    seed: int
    stage: Stage | None
    role: TrialOrigin = TrialOrigin.SEARCH

    @classmethod
    def of(cls, pair: AnyPair, run: RunRecord) -> RunSpec:
        """Return the spec that a finished run of a pair had."""
        return cls(pair, run.setting, run.seed, run.stage)

    def to_config(self) -> dict[str, Any]:
        """Return the spec as Tune's `config`, of plain values only."""
        return {
            **self.pair.to_json(),
            "setting": self.setting.to_json(),
            "seed": self.seed,
            "stage": SEARCH if self.stage is None else str(self.stage),
            "role": str(self.role),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> RunSpec:
        """Return the spec that `to_config` wrote, exactly."""
        stage, student = config["stage"], config["student"]
        return cls(
            pair=Group(tuple(config["teachers"]), student)
            if "teachers" in config
            else Pair(config["teacher"], student),
            setting=Setting.from_json(config["setting"]),
            seed=config["seed"],
            stage=None if stage == SEARCH else Stage(stage),
            role=TrialOrigin(config["role"]),
        )

    def failed(self, failure: RunFailure, tensor_format: TensorFormat = FORMER_FORMAT) -> RunRecord:
        """Return the record of a run outside the search that failed."""
        assert self.stage is not None
        return RunRecord(
            stage=self.stage,
            setting=self.setting,
            seed=self.seed,
            state=RunState.FAIL,
            failure=failure.failure,
            reason=failure.reason,
            tensor_format=tensor_format,
        )
