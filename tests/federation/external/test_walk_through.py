"""Who follows docs/your-own-models.md word for word reaches a recommendation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

PAGE = (ROOT / "docs" / "your-own-models.md").read_text()
FILES = re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def test_files_and_commands_are_those_of_the_page() -> None:
    assert [name for name, _ in FILES] == ["networks.py", "train.py", "digits3.yaml"]
    assert [command.split()[:2] for command in COMMANDS] == [
        ["python", "train.py"],
        ["autokd", "check"],
        ["autokd", "tune"],
        ["autokd", "recommend"],
    ]


@pytest.mark.timeout(900)
@pytest.mark.ray
@pytest.mark.slow
def test_word_for_word_it_reaches_a_recommendation(tmp_path: Path) -> None:
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    said = []
    for command in COMMANDS:
        done = subprocess.run(
            command.split(),
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    trained = [float(share) for share in re.findall(r"network \d: ([\d.]+) of", said[0])]
    checked = [float(share) / 100 for share in re.findall(r"([\d.]+)% of them correct", said[1])]
    assert checked == pytest.approx(trained, abs=0.0006)
    assert len(checked) == 3
    assert all(name in said[1] for name in ("lab", "phone", "sensor"))
    assert "lab->sensor" in said[3]
    assert re.search(r"\b(tuned|default|skip|undecided)\b", said[3])
