"""Who follows docs/your-own-models.md word for word reaches a recommendation."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Command
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "your-own-models.md").read_text()
FIRST, _, LAST = (re.split(r"^## ", PAGE, flags=re.MULTILINE)[number] for number in (1, 2, 3))
TABLE, TEXT = re.split(r"^### ", LAST, flags=re.MULTILINE)[1:]


def files(part: str) -> dict[str, str]:
    return dict(re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", part, re.DOTALL))


def commands(part: str) -> list[str]:
    return [line for block in re.findall(r"```sh\n(.*?)```", part, re.DOTALL) for line in block.splitlines()]


def accuracies(trained: str, checked: str) -> tuple[list[float], list[float]]:
    """What a script has printed for each model, and what `check` has."""
    shares = [float(share) for share in re.findall(r"^\w+: ([\d.]+) of its own", trained, re.MULTILINE)]
    return shares, [float(share) / 100 for share in re.findall(r"([\d.]+)% of them correct", checked)]


def test_files_and_commands_are_those_of_the_page() -> None:
    assert list(files(FIRST)) == ["networks.py", "train.py", "digits5.yaml"]
    assert list(files(TABLE)) == ["tabular.py", "tabular.yaml"]
    assert list(files(TEXT)) == ["words.py", "text.py", "text.yaml"]
    assert [command.split()[:2] for command in commands(FIRST)] == [
        ["python", "train.py"],
        ["autokd", "check"],
        ["autokd", "tune"],
        ["autokd", "recommend"],
    ]


@pytest.mark.timeout(900)
@pytest.mark.ray
@pytest.mark.slow
def test_word_for_word_it_reaches_a_recommendation(tmp_path: Path) -> None:
    for name, text in files(FIRST).items():
        (tmp_path / name).write_text(text)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    said = []
    for command in commands(FIRST):
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
    trained, checked = accuracies(*said[:2])
    assert checked == pytest.approx(trained, abs=0.0006)
    assert len(checked) == 5
    assert all(name in said[1] for name in ("lab", "phone", "sensor", "tablet", "watch"))
    assert "lab->sensor" in said[3]
    assert re.search(r"\b(tuned|default|skip|undecided)\b", said[3])


@pytest.mark.ray
@pytest.mark.parametrize(("part", "pair"), [(TABLE, "clinic_a->clinic_b"), (TEXT, "desk_b->desk_a")])
def test_tables_and_texts_reach_a_recommendation_in_this_process(
    part: str,
    pair: str,
    here: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, text in files(part).items():
        (tmp_path / name).write_text(text)
    script, check, tune = (command.split() for command in commands(part))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "words", raising=False)
    with torch.random.fork_rng():
        runpy.run_path(script[1])
    # The script's import is not what autokd uses.
    monkeypatch.delitem(sys.modules, "words", raising=False)
    printed = capsys.readouterr().out
    shown = here(*check[1:])
    assert shown.code == 0, shown.err
    trained, checked = accuracies(printed, shown.out)
    assert checked == pytest.approx(trained, abs=0.0006)
    assert len(checked) == 2
    tuned = here(*tune[1:])
    assert tuned.code == 0, tuned.err
    assert pair in tuned.out
    assert re.search(r"\b(tuned|default|skip|undecided)\b", tuned.out)
