"""No command imports a module from the folder that it was typed in, or from the home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autokd.core import safe_path
from tests import paths
from tests.trap import AT_ITS_START, set_trap

ROOT = str(paths.ROOT)
PROGRAM = str(Path(sys.executable).parent / "autokd")


def ran(command: list[str], *, cwd: Path, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    changes = {"HOME": str(home), "PYTHONPATH": ROOT, **variables}
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONSAFEPATH"} | changes
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("program", [[PROGRAM], [sys.executable, "-m", "autokd"]], ids=["script", "module"])
@pytest.mark.parametrize(
    "python_path",
    [ROOT, f"{ROOT}:", f":{ROOT}", f".:{ROOT}", "{cwd}:{home}:" + ROOT],
    ids=["usual", "empty entry", "empty first entry", "relative", "the folders themselves"],
)
def test_nothing_is_imported_from_where_one_stands(
    program: list[str], python_path: str, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    # What Python itself does before any program begins is not for a program to prevent.
    without = () if python_path == ROOT else AT_ITS_START
    cwd, home = (set_trap(tmp_path / name, mark, without=without) for name in ("cwd", "home"))
    path = python_path.format(cwd=cwd, home=home)
    done = ran([*program, "version"], cwd=cwd, home=home, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert not mark.exists(), mark.read_text()


@pytest.mark.parametrize("command", [["tune", "--pair", "4,4"], ["check", "none.yaml"], ["dashboard"]])
def test_whatever_the_command_is(command: list[str], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    cwd, home = (set_trap(tmp_path / name, mark) for name in ("cwd", "home"))
    done = ran([sys.executable, "-m", "autokd", *command], cwd=cwd, home=home)
    assert done.returncode == 2, done.stderr
    assert not mark.exists(), mark.read_text()


def test_a_program_that_restarts_itself_to_hide_a_password_does_it_safely(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    cwd = set_trap(tmp_path / "cwd", mark)
    (cwd / "autokd.py").write_text((cwd / "torch.py").read_text())
    address = "postgresql://somebody:secret@nowhere.invalid/db"
    done = ran([PROGRAM, "status", "--storage", address], cwd=cwd, home=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "secret" not in done.stderr
    assert not mark.exists(), mark.read_text()


def test_a_checkout_works_from_its_own_folder_but_hides_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    checkout = set_trap(tmp_path / "checkout", mark)
    (checkout / "autokd").symlink_to(Path(ROOT) / "autokd")
    for folder in ("studies", "search_spaces"):
        (checkout / folder).symlink_to(Path(ROOT) / folder)
    done = ran([sys.executable, "-m", "autokd", "version"], cwd=checkout, home=tmp_path, PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    assert not mark.exists(), mark.read_text()


@pytest.mark.parametrize(
    ("path", "python_path", "kept"),
    [
        (["/cwd", "/lib", "/site"], "", ["/lib", "/site"]),
        (["", "/lib"], "", ["/lib"]),
        (["/lib", "", "sub", "/site"], ":sub", ["/lib", "/site"]),
        (["/lib", "/cwd", "/home", "/site"], "/cwd:/home", ["/lib", "/site"]),
        # An installed project says in a .pth file that it is there, whatever folder one types in.
        (["/lib", "/cwd", "/site"], "", ["/lib", "/site", "/cwd"]),
        # Python has made an empty entry, or a relative one, the working folder.
        (["/lib", "/cwd", "/site"], ":/lib", ["/lib", "/site"]),
        (["/lib", "/site", "/cwd"], "/lib:.", ["/lib", "/site"]),
        (["/lib", "/site", "/elsewhere"], "/elsewhere", ["/lib", "/site", "/elsewhere"]),
    ],
)
def test_what_stays_on_the_path(
    path: list[str], python_path: str, kept: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {name: tmp_path / name for name in ("cwd", "home", "lib", "site", "elsewhere")}
    for place in places.values():
        place.mkdir()

    def there(entry: str) -> str:
        return str(places[entry[1:]]) if entry.startswith("/") else entry

    monkeypatch.chdir(places["cwd"])
    monkeypatch.setenv("HOME", str(places["home"]))
    monkeypatch.setenv("PYTHONPATH", ":".join(map(there, python_path.split(":"))))
    monkeypatch.setattr(sys, "argv", ["-m"])
    monkeypatch.setattr(sys, "path", [*map(there, path), ROOT])
    safe_path.use_safe_path()
    assert [entry for entry in sys.path if entry != ROOT] == [there(entry) for entry in kept]
    assert ROOT in sys.path
    before = list(sys.path)
    safe_path.use_safe_path()
    assert sys.path == before


@pytest.mark.parametrize(
    ("python_path", "expected"),
    [("", None), (":", None), (".:sub", None), ("/a::/b", "/a:/b"), ("{cwd}:/a", "/a"), ("{home}", None)],
)
def test_the_path_of_processes_that_are_started(
    python_path: str, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cwd, home = tmp_path / "cwd", tmp_path / "home"
    for folder in (cwd, home):
        folder.mkdir()
    monkeypatch.chdir(cwd)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", python_path.format(cwd=cwd, home=home))
    assert safe_path.child_environment() == {"PYTHONPATH": expected, "PYTHONSAFEPATH": "1"}


def test_a_program_that_uses_autokd_keeps_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("X = 1\n")
    (tmp_path / "program.py").write_text("import autokd, mine; print(mine.X, autokd.Pair(0, 1))\n")
    done = ran([sys.executable, "program.py"], cwd=tmp_path, home=tmp_path)
    assert done.stdout.strip() == "1 0->1", done.stderr
