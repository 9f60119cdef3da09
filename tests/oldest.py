"""Prints as constraints of pip the oldest releases that pyproject.toml admits; `make oldest` installs them.

python -m tests.oldest > constraints-oldest.txt

Only what pyproject.toml itself names is held back: what those packages need in turn is as new as they admit.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from packaging.requirements import Requirement

from tests.paths import ROOT

_TOOLS: Final = "dev"
"""Extra of what only developers need: whoever uses autokd never meets it."""


def oldest(project: Mapping[str, Any]) -> Iterator[str]:
    """Yield a constraint `name==version` for each requirement of a project, and of its extras save `dev`.

    Raises:
        ValueError: If a requirement of a release of autokd has no lower bound.
    """
    extras = project.get("optional-dependencies", {})
    listed: Iterable[str] = [*project["dependencies"]]
    for extra, requirements in extras.items():
        listed = [*listed, *(requirements if extra != _TOOLS else ())]
    lowest: dict[str, str] = {}
    for text in listed:
        requirement = Requirement(text)
        bounds = [part.version for part in requirement.specifier if part.operator in (">=", "==", "~=")]
        if len(bounds) != 1:
            raise ValueError(f"{text!r} needs one lower bound, which `make oldest` tests")
        lowest[requirement.name] = bounds[0]
    yield from (f"{name}=={version}" for name, version in sorted(lowest.items()))


def main() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        print("\n".join(oldest(tomllib.load(file)["project"])))


if __name__ == "__main__":
    main()
