"""What a study recipe that comes over HTTP may name: data below the data root, and code from named packages.

A recipe is code's way in: a data set or a network may be a function of one's own. Paths of such a recipe
start from the data root, and are stored as absolute paths, since those of other recipes start from the
recipe's own folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import yaml

from autokd.config.external import UNTRAINED, ExternalFederation
from autokd.config.sources import CodeSource, Source, TorchvisionSource
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import shipped
from autokd.config.yaml_text import parse
from autokd.core.import_factory import is_timm
from autokd.errors import PlanError

_PATHS: Final = frozenset({"checkpoint", "path", "root", "indices"})
"""Fields of a federation that hold a path, or several."""
_HF: Final = "hf:"
_WAY_OUT: Final = "name files by paths that start from the data root; PUT /v1/files/{path} puts them there"


def placed(text: str, *, source: str, root: Path) -> str:
    """Return the text of a recipe with its relative paths as absolute ones below the data root.

    All else stays as it was written, comments among it.

    Raises:
        PlanError: If it is not valid YAML.
    """
    parse(text, source=source)
    edits: list[tuple[int, int, str]] = []
    for node in _path_nodes(yaml.compose(text, Loader=yaml.SafeLoader)):
        value = node.value
        prefix, path = (_HF, value[len(_HF) :]) if value.startswith(_HF) else ("", value)
        if path != UNTRAINED and not path.startswith(("/", "~")) and node.style in (None, "'", '"'):
            absolute = json.dumps(f"{prefix}{root}/{path}", ensure_ascii=False)
            edits.append((node.start_mark.index, node.end_mark.index, absolute))
    for start, end, new in sorted(set(edits), reverse=True):
        text = f"{text[:start]}{new}{text[end:]}"
    return text


def recipe_problems(
    config: StudyConfig, *, source: str, root: Path, allowed: Collection[str]
) -> list[PlanError]:
    """Return what a recipe names that it may not name.

    Args:
        root: The data root, an absolute path.
        allowed: Packages that code may come from.
    """
    mistakes: list[tuple[str, str]] = []
    if config.space not in shipped("search_spaces"):
        mistakes.append(("space", "over HTTP a space is a shipped one, e.g. default or extended"))
    for field, path in _named_paths(config):
        if problem := _of_path(path, root):
            mistakes.append((field, f"{problem}; {_WAY_OUT}"))
    for field, name, package in _named_code(config):
        if "." in name.partition(":")[2] and not name.startswith(_HF):
            # A module also offers what it imports: `package.module:os.system`.
            problem = "names code by a path with dots; over HTTP it is a function or class of a module"
            mistakes.append((field, f"{problem}, written module:function"))
        if package not in allowed:
            packages = ", ".join(sorted(allowed)) or "none"
            problem = f"names code of {package}, and the service takes code from: {packages}"
            way_out = f"whoever runs it can add --allow-code {package}"
            mistakes.append((field, f"{problem}; {way_out}"))
    for field, origin in _sources(config):
        if isinstance(origin, TorchvisionSource) and origin.download:
            mistakes.append((f"{field}.download", "nothing is downloaded for a recipe that comes over HTTP"))
    return [
        PlanError(source=source, field=f"federation.{field}" if field != "space" else field, problem=problem)
        for field, problem in mistakes
    ]


def _path_nodes(root: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """Yield the scalars of a federation that hold a path; each once, also if aliases name it."""
    seen: set[int] = set()
    waiting = [
        (key.value, value)
        for key, value in (root.value if isinstance(root, yaml.MappingNode) else ())
        if key.value == "federation"
    ]
    while waiting:
        name, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            # Options are those of a network or of own code, and mean what that makes of them.
            waiting += [(str(key.value), value) for key, value in node.value if key.value != "options"]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(name, value) for value in node.value]
        elif isinstance(node, yaml.ScalarNode) and (
            name in _PATHS or (name == "name" and node.value.startswith(_HF))
        ):
            yield node


def _sources(config: StudyConfig) -> Iterator[tuple[str, Source]]:
    federation = config.federation
    if isinstance(federation, ExternalFederation):
        yield from federation.sources()
    elif isinstance(federation.dataset, Source):
        yield "dataset", federation.dataset


def _networks(config: StudyConfig) -> Iterator[tuple[str, str]]:
    federation = config.federation
    if isinstance(federation, ExternalFederation):
        for number, participant in enumerate(federation.participants):
            yield f"participants.{number}.architecture.name", participant.architecture.name
    else:
        for number, architecture in enumerate(federation.architectures):
            yield f"architectures.{number}.name", architecture.name


def _named_paths(config: StudyConfig) -> Iterator[tuple[str, str]]:
    if isinstance(config.federation, ExternalFederation):
        for number, participant in enumerate(config.federation.participants):
            if not participant.is_untrained:
                yield f"participants.{number}.checkpoint", participant.checkpoint
    for field, name in _networks(config):
        if name.startswith(_HF):
            yield field, name.removeprefix(_HF)
    for field, source in _sources(config):
        for key in sorted(_PATHS):
            value = getattr(source, key, None)
            for path in (value,) if isinstance(value, str) else value or ():
                yield f"{field}.{key}", path


def _named_code(config: StudyConfig) -> Iterator[tuple[str, str, str]]:
    """Yield what names a recipe's code, and the package that it is from; models that timm lists are none."""
    for field, name in _networks(config):
        module, colon, _ = name.partition(":")
        if name.startswith(_HF):
            yield field, name, "transformers"
        elif (colon or "." in module) and not is_timm(name, None):
            yield field, name, module.partition(".")[0]
    for field, source in _sources(config):
        if isinstance(source, CodeSource):
            yield f"{field}.factory", source.factory, source.factory.partition(":")[0].partition(".")[0]


def _of_path(path: str, root: Path) -> str:
    """Return what is wrong with a path; empty if it may be named."""
    place = Path(path)
    if path.startswith("~") or ".." in place.parts or not place.is_absolute():
        return "a path has neither .. nor ~ in it"
    if place != root and root not in place.parents:
        return "the path is outside of the data root"
    inside = root.resolve()
    # What a pattern of several files means.
    matches = root.glob(str(place.relative_to(root))) if place != root else ()
    for named in (place, *matches):
        if not named.resolve().is_relative_to(inside) or any(_links_out(named, inside)):
            return "a link leads out of the data root"
    return ""


def _links_out(folder: Path, inside: Path) -> Iterator[Path]:
    """Yield the links below a folder that lead elsewhere."""
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            entry = Path(above, name)
            if entry.is_symlink() and not entry.resolve().is_relative_to(inside):
                yield entry
