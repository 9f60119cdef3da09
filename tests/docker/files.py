"""What Dockerfile and compose file say, read as Docker would, as far as they use what Docker can do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docker"
_VARIABLE: Final = re.compile(r"\$\{(?P<name>\w+)(?P<how>:[-?])?(?P<rest>[^}]*)\}")


@dataclass(frozen=True)
class Instruction:
    """One of a Dockerfile, continuation lines joined: `RUN`, and what follows it."""

    name: str
    value: str


@dataclass(frozen=True)
class Stage:
    """A stage of a Dockerfile under its name, with the image or stage that it starts from."""

    name: str
    source: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(instruction.value for instruction in self.instructions if instruction.name == name)


def stages(text: str) -> Mapping[str, Stage]:
    """A Dockerfile's stages in order; comments are dropped."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    instructions: dict[str, list[Instruction]] = {}
    sources: dict[str, str] = {}
    for line in filter(None, (part.strip() for part in joined.splitlines())):
        name, _, value = line.partition(" ")
        if name == "FROM":
            source, _, stage = value.partition(" AS ")
            sources[stage], instructions[stage] = source, []
        else:
            instructions[stage].append(Instruction(name, " ".join(value.split())))
    return {stage: Stage(stage, sources[stage], tuple(listed)) for stage, listed in instructions.items()}


def dockerfile() -> Mapping[str, Stage]:
    return stages((FOLDER / "Dockerfile").read_text())


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """The compose file with its variables filled in; a required one that is missing is a KeyError."""
    content = _filled(yaml.safe_load((FOLDER / "compose.yaml").read_text()), variables)
    assert isinstance(content, dict)
    return content


def command(service: Mapping[str, Any]) -> list[str]:
    """What a service's container runs: its entry point and its command."""
    return [word for part in ("entrypoint", "command") for word in _words(service.get(part, []))]


def health_check(service: Mapping[str, Any]) -> list[str]:
    kind, *words = service["healthcheck"]["test"]
    assert kind == "CMD"
    return [str(word) for word in words]


def _words(text: str | Sequence[str]) -> list[str]:
    return shlex.split(text) if isinstance(text, str) else list(text)


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(entry, variables) for key, entry in value.items()}
    if isinstance(value, list):
        return [_filled(entry, variables) for entry in value]
    if isinstance(value, str):
        # As in compose, what is a number once it is filled in counts as one.
        return yaml.safe_load(text) if (text := _text(value, variables)) != value and text.isdigit() else text
    return value


def _text(value: str, variables: Mapping[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        name, how, rest = match["name"], match["how"], match["rest"]
        if variables.get(name):
            return variables[name]
        if how == ":-":
            return rest
        raise KeyError(f"{name}: {rest}")

    return _VARIABLE.sub(fill, value)
