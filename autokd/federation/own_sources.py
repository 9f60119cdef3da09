"""Own code of a recipe: which fields name it, what it is now, and whether a federation was made with it.

Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autokd.config.external import ExternalFederation
from autokd.config.federation import AnyFederation
from autokd.config.sources import CodeSource
from autokd.core.import_factory import code_of, installed_notice, is_hf, is_timm
from autokd.core.own_code import OwnCode, read_own_code
from autokd.core.own_imports import with_imported_files
from autokd.errors import PlanError
from autokd.federation.hashing import CodeDigests
from autokd.federation.source_changes import sources


def installed_notices(recipe: AnyFederation) -> dict[str, str]:
    """Return what to know of code that is not the recipe author's own, by field of the recipe."""
    notices = {}
    for field, name in _named(recipe):
        try:
            notices[field] = installed_notice(name, code_of(name, recipe.code_folder))
        except PlanError:
            continue  # Importing it says what is wrong.
    return {field: notice for field, notice in notices.items() if notice}


def code_digests(recipe: AnyFederation) -> dict[str, dict[str, str]]:
    """Return SHA-256 of each file of own code by field; none of installed packages.

    After code was imported, the files that were imported by computed names are among them.
    """
    digests = {}
    for field, name in _named(recipe):
        try:
            digests[field] = with_imported_files(code_of(name, recipe.code_folder)).digests
        except PlanError:
            continue  # Importing it says what is wrong.
    return {field: files for field, files in digests.items() if files}


def changed_meanwhile(before: CodeDigests, after: CodeDigests) -> str:
    """Return the file of own code that is another than before it was imported; empty if all are the same."""
    for field, files in before.items():
        for file, digest in files.items():
            if after.get(field, {}).get(file) != digest:
                return file
    return ""


def changed_code(recipe: AnyFederation, written: CodeDigests) -> str:
    """Return what has changed in own code since; empty if nothing has. Removed code does not count."""
    for field, name in _named(recipe):
        before = written.get(field, {})
        try:
            now = _now(recipe, name, before)
        except PlanError:
            continue
        if not now.files:
            continue
        changes = sorted(
            file for file in {*before, *now.digests} if before.get(file) != now.digests.get(file)
        )
        if changes and not before:
            return f"it was prepared without a record of {changes[0]}, which {name} is in"
        if changes:
            more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
            return f"{changes[0]}{more}, of {field}, changed since"
    return ""


def recorded_code(recipe: ExternalFederation, number: int, written: CodeDigests) -> OwnCode | None:
    """Return the sources of a participant's network as a federation was made with them.

    What is not there any more is listed as lost: importing the code then says so.
    """
    name = recipe.participants[number].architecture.name
    if ":" not in name or is_timm(name, recipe.code_folder):
        return None
    before = written.get(f"participants.{number}.architecture", {})
    now = _now(recipe, name, before)
    kept = {file: now.files[file] for file, digest in before.items() if now.digests.get(file) == digest}
    return OwnCode(now.folder, kept, complete=True, lost=sorted(before.keys() - kept.keys()))


def _now(recipe: AnyFederation, name: str, before: Mapping[str, str]) -> OwnCode:
    code = code_of(name, recipe.code_folder)
    if not code.files or is_hf(name, recipe.code_folder):
        return code
    return read_own_code(code.folder, name.partition(":")[0], also=before)


def _named(recipe: AnyFederation) -> Iterator[tuple[str, str]]:
    """Yield the fields of a recipe that name code, with the name."""
    if isinstance(recipe, ExternalFederation):
        for number, participant in enumerate(recipe.participants):
            name = participant.architecture.name
            if ":" in name and not is_timm(name, recipe.code_folder):
                yield f"participants.{number}.architecture", participant.architecture.name
    for field, source in sources(recipe):
        if isinstance(source, CodeSource):
            yield field, source.factory
