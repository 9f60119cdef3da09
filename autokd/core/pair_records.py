"""What the store has of one pair or group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.records import RungReport, RunRecord, TrialOrigin, TrialRecord
from autokd.core.setting import AnyPair, Pair
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.core.verdict_basis import VerdictBasis


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairRecords:
    """The stored records of one pair or group; a part that was not read is empty.

    Attributes:
        study: Name of the pair's study, `<federation>/<recipe>/4->9`.
        rule: Version of the verdict's rule that the study was created with.
        bases: What its verdicts by rule 2 rest on, the one that holds last; see `VerdictBasis`.
        tensor_format: Memory format and precision of the study's runs.
        trials: Trials of the search, by number.
        runs: Race and confirmation runs that have ended.
        reports: Rung reports of each trial, by trial number.
        sweep_runs: Runs of the sweep, which no verdict reads.
        alternative_runs: Runs of the alternatives that an explanation compares.
        weights: Weights of the examples on the target distribution of the pair's student. All accuracies of
            the pair are means with them; those of trials and curves are stored so.
    """

    pair: AnyPair
    study: str
    rule: int = 1
    bases: Sequence[VerdictBasis] = ()
    tensor_format: TensorFormat = FORMER_FORMAT
    trials: Sequence[TrialRecord] = ()
    runs: Sequence[RunRecord] = ()
    reports: Mapping[int, Sequence[RungReport]] = field(default_factory=dict)
    sweep_runs: Sequence[RunRecord] = ()
    alternative_runs: Sequence[RunRecord] = ()
    weights: ExampleWeights = EVEN

    @property
    def of_pair(self) -> Pair:
        """The pair; raise `ValueError` if the records are of a group."""
        if not isinstance(self.pair, Pair):
            raise ValueError(f"{self.pair} is no pair")
        return self.pair

    @property
    def basis(self) -> VerdictBasis | None:
        """What the pair's verdict rests on; None by rule 1, and before the search has ended."""
        return self.bases[-1] if self.bases else None

    @property
    def baselines(self) -> list[TrialRecord]:
        """The trials of the default setting: the first, and its retries."""
        return [trial for trial in self.trials if trial.role is TrialOrigin.BASELINE]
