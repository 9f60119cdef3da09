"""Takes study recipes: checked by `autokd check`, in a process of its own, and then put into the home."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from autokd.config.study import StudyConfig
from autokd.config.yaml_text import parse
from autokd.core.atomic_write import make_folder, replacing
from autokd.core.safe_path import child_environment
from autokd.errors import PlanError
from autokd.service.catalogue import FOLDER, Catalogue
from autokd.service.places import plain_without_place
from autokd.service.problems import Problem
from autokd.service.recipe_rules import placed, recipe_problems
from autokd.service.settings import ServiceSettings
from autokd.service.subprocesses import run_autokd

_SECONDS: Final = 120.0
"""Longest time that a check may take."""
_OURS: Final = "AUTOKD_"
_AT_ONCE: Final = 2
"""Checks at once; each reads the data that a recipe names."""


@dataclass(frozen=True, slots=True)
class TakenRecipe:
    """A recipe that is in the home now.

    Attributes:
        new: Whether there was none of that name.
        sha256: Hash of what was written.
        inspection: What `autokd check --json` says of it.
    """

    new: bool
    sha256: str
    inspection: dict[str, Any]


class RecipeTaker:
    """Takes study recipes into the home.

    Args:
        settings: Where the home and the data root are, and which packages code may come from.
    """

    def __init__(self, settings: ServiceSettings, catalogue: Catalogue) -> None:
        self._settings, self._catalogue = settings, catalogue
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def take(self, name: str, text: str) -> TakenRecipe:
        """Check a recipe and write it; nothing is written if there is a problem.

        Raises:
            PlanError: If it is not valid; it has all problems.
            Problem: If a recipe from elsewhere has that name, or the check takes too long.
        """
        source = f"{name}.yaml"
        async with self._room:
            # Both take seconds for what is large, and the loop has others to serve.
            await run_in_threadpool(self._require_own, name)
            text = await run_in_threadpool(self._admitted, text, source)
        folder = self._settings.home / FOLDER
        make_folder(folder)
        final = folder / source
        # Beside its place, so that own code is found, and under a name that is in no list.
        draft = folder / f".{secrets.token_hex(8)}.yaml"
        try:
            with replacing(draft) as file:
                file.write_text(text, encoding="utf-8")
            async with self._room:
                inspection = await self._checked(draft, source)
            new = not final.exists()
            draft.replace(final)
        finally:
            draft.unlink(missing_ok=True)
        return TakenRecipe(new, hashlib.sha256(text.encode()).hexdigest(), inspection)

    def _admitted(self, text: str, source: str) -> str:
        """Return the text of a recipe that names nothing but what it may name, see `placed`.

        Raises:
            PlanError: If it is not valid, or names something else.
        """
        root = self._settings.root
        text = placed(text, source=source, root=root)
        try:
            config = StudyConfig.model_validate(parse(text, source=source))
        except PlanError as error:
            raise error.within(source) from None
        problems = recipe_problems(config, source=source, root=root, allowed=self._settings.allow_code)
        if problems:
            raise PlanError.together(problems)
        return text

    def _require_own(self, name: str) -> None:
        """Refuse names of recipes that are not the home's to change."""
        folder = self._settings.home / FOLDER
        studies = self._catalogue.studies()
        elsewhere = any(study.name == name and study.origin != "home" for study in studies)
        if elsewhere or (folder / f"{name}.yaml").is_symlink() or (folder / f"{name}.yml").exists():
            raise Problem(
                409,
                "name",
                f"the study recipe {name} is not one that was put here",
                field="name",
                way_out="choose another name",
            )

    async def _checked(self, draft: Path, source: str) -> dict[str, Any]:
        """Return what `autokd check --json` says of a draft, under the name that it will have."""
        # Own code may run in it, which has no use for addresses and tokens.
        own = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        environment = {**own, **child_environment()}
        printed = await run_autokd(
            ["check", str(draft), "--json"],
            environment={name: value for name, value in environment.items() if value is not None},
            seconds=_SECONDS,
            noun="the check",
            way_out="run autokd check where the data are",
        )
        try:
            said = json.loads(printed.output.decode().replace(str(draft), source).replace(draft.name, source))
        except ValueError:
            raise Problem(500, "check", "the check has failed; the service's log may say more") from None
        inspection: dict[str, Any] = plain_without_place(said, self._settings.home, self._settings.root)
        if inspection["problems"]:
            raise PlanError.together(
                [
                    PlanError(source=problem["file"], field=problem["field"], problem=problem["problem"])
                    for problem in inspection["problems"]
                ]
            )
        return {**inspection, "study": source.removesuffix(".yaml")}
