"""The Dockerfile's build stage without Docker: its very instructions, in a folder that stands for the image.

    python -m tests.docker.image FOLDER [COMPUTE=cpu] [TORCH_INDEX=...]

FOLDER/opt becomes what the image has in /opt. This downloads what a build of the image downloads.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docker.files import ROOT, dockerfile


def build(folder: Path, arguments: Mapping[str, str]) -> Path:
    """Where the programs of the image are then."""
    (folder / "opt").mkdir(parents=True)
    stages = dockerfile()
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    work = folder
    for stage in (stages["base"], stages["build"]):
        for instruction in stage.instructions:
            value = _inside(instruction.value, folder)
            match instruction.name:
                case "ARG":
                    name, _, default = value.partition("=")
                    environment[name] = arguments.get(name, default)
                case "ENV":
                    for assignment in shlex.split(value):
                        name, _, text = assignment.partition("=")
                        environment[name] = text.replace("$PATH", environment["PATH"])
                case "WORKDIR":
                    work = Path(value)
                    work.mkdir(exist_ok=True)
                case "COPY":
                    *sources, target = value.split()
                    for source in sources:
                        _copy(ROOT / source, work / target)
                case "RUN":
                    print(f"RUN {value}", flush=True)
                    subprocess.run(["/bin/sh", "-c", value], cwd=work, env=environment, check=True)
                case other:
                    raise NotImplementedError(other)
    return folder / "opt" / "autokd" / "bin"


def _inside(text: str, folder: Path) -> str:
    return text.replace("/opt/", f"{folder}/opt/").replace("/src", f"{folder}/src")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


if __name__ == "__main__":
    print(build(Path(sys.argv[1]).absolute(), dict(argument.split("=", 1) for argument in sys.argv[2:])))
