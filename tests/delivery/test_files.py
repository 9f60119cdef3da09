from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autokd.delivery import Files, deliver
from autokd.delivery.deliver import Delivered
from autokd.errors import InputError
from autokd.federation.federation import Federation
from tests.delivery.samples import PLAN, REQUEST


@pytest.fixture(scope="module")
def made(federation: Federation) -> Delivered:
    return deliver(federation, PLAN, REQUEST)


def test_three_files_lie_beside_each_other(made: Delivered, tmp_path: Path) -> None:
    files = Files(tmp_path / "new" / "student.safetensors")
    files.check(force=False)
    assert not files.weights.parent.exists()
    files.write(made, folder=Path("home"), force=False)
    assert sorted(path.name for path in files.weights.parent.iterdir()) == [
        "student.json",
        "student.md",
        "student.safetensors",
    ]
    assert files.weights.read_bytes() == made.content
    assert json.loads(files.card.read_text()) == json.loads(json.dumps(made.card.to_json()))
    text = files.markdown.read_text()
    assert made.card.request.command in text
    assert f"{made.card.scores[next(iter(made.card.scores))].after:.1%}" in text


@pytest.mark.parametrize("name", ["student.safetensors", "student.json", "student.md"])
def test_what_is_there_is_not_replaced_unless_forced(made: Delivered, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    files = Files(tmp_path / "student.safetensors")
    with pytest.raises(InputError, match=f"{name} is there already; --force replaces it"):
        files.check(force=False)
    with pytest.raises(InputError, match="--force"):
        files.write(made, folder=tmp_path, force=False)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
    files.write(made, folder=tmp_path, force=True)
    assert files.weights.read_bytes() == made.content
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("name", ["student", "student.json", "student.pt", "."])
def test_weights_have_their_own_ending(name: str) -> None:
    with pytest.raises(InputError, match=r"must end in \.safetensors"):
        Files(Path(name))


def test_a_place_that_takes_no_files_is_found_out_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="nothing can be written"):
        Files(tmp_path / "file" / "student.safetensors").check(force=False)
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(InputError, match="is no file"):
        Files(tmp_path / "folder.safetensors").check(force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.safetensors"]


def test_the_script_on_a_card_imports_nothing_else(made: Delivered, tmp_path: Path) -> None:
    files = Files(tmp_path / "student.safetensors")
    files.write(made, folder=tmp_path / "home", force=False)
    code = files.markdown.read_text().partition("```python\n")[2].partition("```")[0]
    lines = [line for line in code.splitlines() if line]
    assert len(lines) == 10
    assert [line.split()[1] for line in lines if line.startswith(("import", "from"))] == [
        "torch",
        "safetensors.torch",
        "autokd.models.architectures",
    ]
    loads = "\n".join([*lines[:5], "print(sum(one.numel() for one in network.parameters()))"])
    done = subprocess.run(
        [sys.executable, "-c", loads], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    trained = (value.size for name, value in made.weights.items() if name.endswith(("weight", "bias")))
    assert int(done.stdout) == sum(trained)
