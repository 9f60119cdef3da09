"""What the author of a recipe should know, and how it is told to whoever calls autokd."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from autokd.text.escaping import one_line

_PACKAGE: Final = f"{Path(__file__).parents[1]}{os.sep}"


class FindingWarning(UserWarning):
    """A finding, told to a program whose logging nobody has set up."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a recipe, or in what it names, that may not be as its author means it.

    Attributes:
        file: Recipe.
        field: Its field, with dots.
        problem: What is odd about it, and the way out.
    """

    file: str
    field: str
    problem: str

    def __str__(self) -> str:
        # It may quote what somebody else has written.
        return one_line(": ".join(part for part in (self.file, self.field, self.problem) if part))

    def to_json(self) -> dict[str, str]:
        """Return file, field and problem."""
        return asdict(self)


def folded(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return each finding once: one that several fields share names the first and how many more there are."""
    fields: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        named = fields.setdefault((finding.file, finding.problem), [])
        if finding.field not in named:
            named.append(finding.field)
    return tuple(
        Finding(file, named[0] + (f" (and {len(named) - 1} more)" if len(named) > 1 else ""), problem)
        for (file, problem), named in fields.items()
    )


def tell(findings: Iterable[Finding], logger: logging.Logger) -> None:
    """Log each finding as a warning, or warn the caller of autokd if no handler would show a log record."""
    for finding in findings:
        if _is_heard(logger):
            logger.warning("%s", finding)
        else:
            warnings.warn(str(finding), FindingWarning, stacklevel=_outside())


def _is_heard(logger: logging.Logger | None) -> bool:
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _outside() -> int:
    """Return the distance from `tell` to the first frame that is not of this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    return level
