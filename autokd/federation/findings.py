"""What is wrong with a recipe of own participants: noted by field, so that all of it is seen at once."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from autokd.errors import InputError, PlanError


@dataclass(slots=True)
class Findings:
    """What is wrong with a recipe.

    Attributes:
        source: The recipe's file.
        problems: What has to be mended.
        warnings: What the recipe's author should know.
    """

    source: str
    problems: list[PlanError] = field(default_factory=list)
    warnings: list[PlanError] = field(default_factory=list)

    def problem(self, where: str, problem: str) -> None:
        self.problems.append(self._finding(where, problem))

    def warn(self, where: str, problem: str) -> None:
        self.warnings.append(self._finding(where, problem))

    def _finding(self, where: str, problem: str) -> PlanError:
        return PlanError(source=self.source, field=f"federation.{where}", problem=problem)

    def noting(self, where: str) -> AbstractContextManager[None, bool]:
        """Inside, what is raised is noted under a field, and ends no more than the inside."""
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
