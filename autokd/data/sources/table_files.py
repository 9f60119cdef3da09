"""The files of a data set of Hugging Face: one, several, a folder of shards, or what `save_to_disk` wrote."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from autokd.data.sources.labelled_images import unreadable
from autokd.errors import PlanError

_SHARD: Final = re.compile(r"(.*?)-?(\d{3,})-of-(\d{3,})")
_SPLIT: Final = re.compile(
    r"(?<![^\W_])(train|training|test|testing|eval|evaluation|validation|valid|val|dev)(?![^\W\d_])"
)
"""Words by which `datasets` tells the splits of a folder apart, as whole words."""
_SAME: Final = {"training": "train", "testing": "test", "evaluation": "test", "eval": "test"}
_VALIDATION: Final = ("valid", "val", "dev")
_STATE: Final = "state.json"
_SEVERAL: Final = "dataset_dict.json"


def table_files(paths: str | Sequence[str], base: Path) -> list[Path]:
    """Return the files that a source names, in order: those of a folder or a pattern in the order of names.

    Raises:
        PlanError: If there is none, a shard is missing, or they are those of several splits.
    """
    patterns = [paths] if isinstance(paths, str) else paths
    try:
        files = [file for path in patterns for file in _files(base / Path(path).expanduser())]
    except OSError as error:
        raise unreadable(error.filename or str(base), error) from error
    twice = next((file for number, file in enumerate(files) if file in files[:number]), None)
    if twice is not None:
        raise PlanError(source=str(twice), field="path", problem="is named twice")
    return files


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        if (path / _STATE).is_file():
            return _saved(path)
        if (path / _SEVERAL).is_file():
            raise PlanError(source=str(path), field="path", problem=_parts_of(path))
        files = _visible(path, sorted(path.rglob("*.parquet")))
        if not files:
            problem = "holds neither Parquet files nor a data set of save_to_disk"
            raise PlanError(source=str(path), field="path", problem=problem)
        return _one_split(path, files)
    if not path.exists() and _is_pattern(str(path)):
        files = matching(path)
        if not files:
            raise PlanError(source=str(path), field="path", problem="matches no file")
        return _one_split(path, files)
    return [path]


def places(path: Path) -> list[Path]:
    """Return a path itself, or the files that it matches if it is a pattern."""
    return matching(path) if not path.exists() and _is_pattern(str(path)) else [path]


def matching(path: Path) -> list[Path]:
    """Return the files that a pattern matches, in the order of their names; no hidden ones, as in a shell."""
    fixed = next(number for number, part in enumerate(path.parts) if _is_pattern(part))
    matches = Path(*path.parts[:fixed]).glob("/".join(path.parts[fixed:]))
    return sorted(file for file in matches if file.is_file() and file.name[0] != ".")


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _visible(folder: Path, files: list[Path]) -> list[Path]:
    return [
        file
        for file in files
        if file.is_file() and not any(part[0] in "._" for part in file.relative_to(folder).parts)
    ]


def _one_split(path: Path, files: list[Path]) -> list[Path]:
    """Return files of one split, none of whose shards is missing."""
    splits: dict[str, Path] = {}
    shards: defaultdict[tuple[Path, str, int], set[int]] = defaultdict(set)
    for file in files:
        where = str(file.relative_to(path)) if file.is_relative_to(path) else file.name
        for word in _SPLIT.findall(where.lower()):
            name = "validation" if word in _VALIDATION else _SAME.get(word, word)
            splits.setdefault(name, file)
        shard = _SHARD.fullmatch(file.stem)
        if shard:
            shards[file.parent, shard[1], int(shard[3])].add(int(shard[2]))
    if len(splits) > 1:
        example = _pattern(path, splits)
        problem = f"holds several splits ({', '.join(sorted(splits))}); name one, e.g. path: {example}"
        raise PlanError(source=str(path), field="path", problem=problem)
    for (_, name, total), there in shards.items():
        missing = set(range(total)) - there
        if missing:
            problem = f"lacks shard {min(missing)} of {total} of {name or 'its files'}"
            raise PlanError(source=str(path), field="path", problem=problem)
    return files


def _pattern(path: Path, splits: dict[str, Path]) -> str:
    file = splits[sorted(splits)[-1]]
    shard = _SHARD.fullmatch(file.stem)
    name = f"{shard[1]}-*.parquet" if shard else file.name
    return str(file.parent.relative_to(path) / name) if file.is_relative_to(path) else name


def _parts_of(folder: Path) -> str:
    try:
        names = json.loads((folder / _SEVERAL).read_text(encoding="utf-8"))["splits"]
        parts = ", ".join(map(str, names))
    except (OSError, ValueError, LookupError, TypeError):
        parts = "see its subfolders"
    return f"holds a data set of several splits ({parts}); name the folder of one"


def _saved(folder: Path) -> list[Path]:
    """Return the Arrow files of a data set that `save_to_disk` wrote.

    Raises:
        PlanError: If its description cannot be read, or it is a selection that was not written out.
    """
    state = folder / _STATE
    try:
        saved = json.loads(state.read_text(encoding="utf-8"))
        names = [str(entry["filename"]) for entry in saved["_data_files"]]
        selected = bool(saved.get("_indices_data_files"))
    except OSError as error:
        raise unreadable(state, error) from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        problem = "is no description of a data set, or a damaged one"
        raise PlanError(source=str(state), problem=problem) from error
    if selected:
        problem = "is a selection of rows that older versions of datasets kept apart; save it anew"
        raise PlanError(source=str(folder), field="path", problem=problem)
    if not names or any("\0" in name or Path(name).name != name for name in names):
        raise PlanError(source=str(state), problem="names no files of its folder")
    return [folder / name for name in names]
