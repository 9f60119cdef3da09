"""Problems of a recipe by field, collected so that a user sees all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autokd.core.finding import Finding, folded
from autokd.errors import InputError, PlanError

if TYPE_CHECKING:
    from autokd.federation.measured import Measured


@dataclass(slots=True)
class Findings:
    """Problems and warnings of a recipe.

    Attributes:
        source: File of the recipe.
        field_of: Return how the author wrote a place such as `participants.0.data`.
        problems: Errors that have to be corrected.
        warnings: Hints for the recipe's author.
        measured: What models get right, by participant; also of some if there are problems.
    """

    source: str
    field_of: Callable[[str], str] = "federation.{}".format
    problems: list[PlanError] = field(default_factory=list)
    warnings: list[PlanError] = field(default_factory=list)
    measured: dict[int, Measured] = field(default_factory=dict)

    def problem(self, where: str, problem: str) -> None:
        self.problems.append(self._finding(where, problem))

    def warn(self, where: str, problem: str) -> None:
        self.warnings.append(self._finding(where, problem))

    @property
    def told(self) -> tuple[Finding, ...]:
        """The warnings, each once."""
        return folded(Finding(warning.source, warning.field, warning.problem) for warning in self.warnings)

    def _finding(self, where: str, problem: str) -> PlanError:
        return PlanError(source=self.source, field=self.field_of(where), problem=problem)

    def noting(self, where: str) -> AbstractContextManager[None, bool]:
        """Return a context that catches an InputError and notes it under a field."""
        return _Noting(self, where)


@dataclass(frozen=True, slots=True)
class _Noting(AbstractContextManager[None, bool]):
    findings: Findings
    where: str

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, InputError):
            return False
        self.findings.problem(self.where, str(error))
        return True
