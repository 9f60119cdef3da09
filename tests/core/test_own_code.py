"""Own code is what lies beside the recipe, whatever is installed, imported, or in the working folder."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.import_factory import call, code_of, installed_notice
from autokd.core.own_code import OwnCode, read_own_code
from autokd.core.own_imports import with_imported_files
from autokd.errors import PlanError

PROJECTS: dict[str, tuple[dict[str, str], str]] = {
    "one file": ({"networks.py": "def make(): return 'MARK'"}, "networks:make"),
    "a file beside it": (
        {"networks.py": "import layers\ndef make(): return layers.mark", "layers.py": "mark = 'MARK'"},
        "networks:make",
    ),
    "names from a file beside it": (
        {"networks.py": "from layers import mark\ndef make(): return mark", "layers.py": "mark = 'MARK'"},
        "networks:make",
    ),
    "all names of a file": (
        {"networks.py": "from layers import *\ndef make(): return mark", "layers.py": "mark = 'MARK'"},
        "networks:make",
    ),
    "imported late": (
        {
            "networks.py": "def make():\n    from layers import mark\n    return mark",
            "layers.py": "mark = 'MARK'",
        },
        "networks:make",
    ),
    "three deep": (
        {
            "networks.py": "import a\ndef make(): return a.b.mark",
            "a.py": "import b",
            "b.py": "from c import mark",
            "c.py": "mark = 'MARK'",
        },
        "networks:make",
    ),
    "a circle": (
        {
            "networks.py": "import layers\nmark = 'MARK'\ndef make(): return layers.get()",
            "layers.py": "import networks\ndef get(): return networks.mark",
        },
        "networks:make",
    ),
    "a package": (
        {"zoo/__init__.py": "from .small import make", "zoo/small.py": "def make(): return 'MARK'"},
        "zoo:make",
    ),
    "a module of a package": (
        {
            "zoo/__init__.py": "",
            "zoo/nets/__init__.py": "",
            "zoo/nets/small.py": "from ..layers import mark\ndef make(): return mark",
            "zoo/layers.py": "from zoo.deep import mark",
            "zoo/deep.py": "mark = 'MARK'",
        },
        "zoo.nets.small:make",
    ),
    "a folder without __init__": (
        {
            "src/networks.py": "from src.layers import mark\ndef make(): return mark",
            "src/layers.py": "mark = 'MARK'",
        },
        "src.networks:make",
    ),
    "import with dots": (
        {
            "networks.py": "import zoo.deep.layers\nimport zoo.deep.layers as l\n"
            "def make(): return zoo.deep.layers.mark if l is zoo.deep.layers else None",
            "zoo/__init__.py": "",
            "zoo/deep/__init__.py": "",
            "zoo/deep/layers.py": "mark = 'MARK'",
        },
        "networks:make",
    ),
    "a relative import without a package": (
        {"networks.py": "from .layers import mark\ndef make(): return mark", "layers.py": "mark = 'MARK'"},
        "networks:make",
    ),
    "import_module by name": (
        {
            "networks.py": "import importlib\ndef make(): return importlib.import_module('layers').mark",
            "layers.py": "mark = 'MARK'",
        },
        "networks:make",
    ),
    "import_module by a computed name": (
        {
            "networks.py": "from importlib import import_module\n"
            "def make(kind='small'): return import_module(f'zoo.{kind}').mark",
            "zoo/__init__.py": "",
            "zoo/small.py": "mark = 'MARK'",
        },
        "networks:make",
    ),
    "a name of the standard library": (
        {"random.py": "import queue\ndef make(): return queue.mark", "queue.py": "mark = 'MARK'"},
        "random:make",
    ),
    "a name of an installed package": (
        {"datasets.py": "import yaml\ndef make(): return yaml.mark", "yaml.py": "mark = 'MARK'"},
        "datasets:make",
    ),
    "a folder that it puts on sys.path": (
        {
            "networks.py": "import os, sys\n"
            "sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))\n"
            "import blocks\ndef make():\n    import blocks as late\n"
            "    return late.mark if late is blocks else None",
            "lib/blocks.py": "from parts import mark",
            "lib/parts.py": "mark = 'MARK'",
        },
        "networks:make",
    ),
    "a method of a class": (
        {"networks.py": "class Zoo:\n    @staticmethod\n    def make(): return 'MARK'"},
        "networks:Zoo.make",
    ),
    "an import that may fail": (
        {
            "networks.py": "try:\n    from fast_ import mark\nexcept ImportError:\n"
            "    from slow import mark\n"
            "def make(): return mark",
            "slow.py": "mark = 'MARK'",
        },
        "networks:make",
    ),
}


def write(folder: Path, files: dict[str, str], mark: str) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace("MARK", mark))
    return folder


@pytest.mark.parametrize("case", PROJECTS)
def test_two_projects_in_one_process_get_their_own(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the shell stands in the one, and modules of its names were imported before."""
    files, name = PROJECTS[case]
    first, second = (write(tmp_path / mark, files, mark) for mark in ("one", "two"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    before, modules = list(sys.path), {key for key in sys.modules if not key.startswith("autokd_own_")}
    monkeypatch.chdir(first)
    codes = {folder: code_of(name, folder) for folder in (first, second)}
    assert call(name, {}, codes[first]) == "one"
    assert call(name, {}, codes[second]) == "two"
    assert [entry for entry in sys.path if not entry.endswith("lib")] == [
        module for module in before if not module.endswith("lib")
    ]
    new = {key for key in sys.modules if not key.startswith("autokd_own_")} - modules
    assert not {Path(file).stem for file in files} & new
    assert not list(tmp_path.rglob("__pycache__"))
    # What was imported is known, and enough to do the same where there is no such folder.
    for folder, code in codes.items():
        assert code.digests.keys() == set(files)
        elsewhere = OwnCode(Path("/not/here"), pickle.loads(pickle.dumps(code)).files, complete=True)
        assert call(name, {}, elsewhere) == folder.name


@pytest.mark.parametrize("case", PROJECTS)
def test_an_edit_anywhere_is_another_code_and_takes_effect(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, name = PROJECTS[case]
    monkeypatch.setattr(sys, "path", list(sys.path))
    write(tmp_path, files, "one")
    first = code_of(name, tmp_path)
    assert call(name, {}, first) == "one"
    write(tmp_path, files, "two")
    second = code_of(name, tmp_path)
    assert call(name, {}, second) == "two"
    assert with_imported_files(second).digests != first.digests
    # The earlier code is still what it was.
    assert call(name, {}, first) == "one"


def test_a_file_that_appears_changes_what_a_name_means(tmp_path: Path) -> None:
    (tmp_path / "networks.py").write_text("import colorsys\ndef make(): return colorsys")
    before = code_of("networks:make", tmp_path)
    assert call("networks:make", {}, before).rgb_to_hsv
    (tmp_path / "colorsys.py").write_text("")
    after = code_of("networks:make", tmp_path)
    assert after.digests.keys() == {"networks.py", "colorsys.py"}
    assert not hasattr(call("networks:make", {}, after), "rgb_to_hsv")


def test_own_code_leaves_standard_output_and_the_working_folder_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output is for a command's result, and its other paths are relative to the folder.

    Whatever writes to it: a module that own code asks prints with the usual `print`.
    """
    text = (
        "import os, sys\nprint('imported')\nsys.stdout.write('written\\n')\nos.chdir('/')\n"
        "def make():\n    os.chdir('..')\n    print('made', file=None)\n"
        "    print('asked for', file=sys.stdout)\n    return 'MARK'\n"
    )
    folder, before = write(tmp_path, {"networks.py": text}, "1"), Path.cwd()
    assert call("networks:make", {}, code_of("networks:make", folder)) == "1"
    assert Path.cwd() == before
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "imported\nwritten\nmade\nasked for\n")


SETTINGS = {
    "a type": ("torch.set_default_dtype(torch.float64)", "torch.get_default_dtype()"),
    "a device": ("torch.set_default_device('meta')", "torch.empty(1).device"),
    "no gradients": ("torch.set_grad_enabled(False)", "torch.is_grad_enabled()"),
    "no gradients for ever": ("torch.no_grad().__enter__()", "torch.is_grad_enabled()"),
    "threads": ("torch.set_num_threads(torch.get_num_threads() + 1)", "torch.get_num_threads()"),
    "determinism": (
        "torch.use_deterministic_algorithms(True, warn_only=True)",
        "torch.get_deterministic_debug_mode()",
    ),
    "precision": ("torch.set_float32_matmul_precision('medium')", "torch.get_float32_matmul_precision()"),
    "a benchmark": ("torch.backends.cudnn.benchmark = True", "torch.backends.cudnn.benchmark"),
    "a folder": ("import os; os.chdir('/')", "Path.cwd()"),
    "a command line": ("import sys; sys.argv = ['mine', '--epochs', '3']", "sys.argv"),
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("case", SETTINGS)
def test_own_code_leaves_the_process_as_it_was(case: str, late: bool, tmp_path: Path) -> None:
    """Training would have another precision, or none, and no rule would say why."""
    change, ask = SETTINGS[case]
    lines = ["import torch", *([] if late else [change]), "def make():", f"    {change if late else 'pass'}"]
    write(tmp_path, {"networks.py": "\n".join([*lines, "    return 'MARK'"])}, "1")

    def asked() -> object:
        return eval(ask, {"torch": torch, "Path": Path, "sys": sys})

    before = asked()
    assert call("networks:make", {}, code_of("networks:make", tmp_path)) == "1"
    assert asked() == before


def test_a_script_that_reads_its_command_line_finds_its_defaults(tmp_path: Path) -> None:
    text = (
        "import argparse, sys\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--width', type=int, default=8)\noptions = parser.parse_args()\n"
        "def make(): return options.width, sys.argv\n"
    )
    write(tmp_path, {"networks.py": text}, "")
    assert call("networks:make", {}, code_of("networks:make", tmp_path)) == (8, ["networks.py"])


def test_a_folder_of_data_is_no_code(tmp_path: Path) -> None:
    (tmp_path / "colorsys").mkdir()
    (tmp_path / "colorsys" / "image.png").write_bytes(b"")
    (tmp_path / "networks.py").write_text("from colorsys import rgb_to_hsv as make")
    assert code_of("networks:make", tmp_path).digests.keys() == {"networks.py"}
    assert not code_of("colorsys:rgb_to_hsv", tmp_path).files
    options = {"r": 0, "g": 0, "b": 0}
    assert call("networks:make", options, code_of("networks:make", tmp_path)) == (0.0, 0.0, 0)


def test_an_installed_package_is_used_where_the_folder_has_none_and_it_is_said(tmp_path: Path) -> None:
    code = code_of("yaml:safe_load", tmp_path)
    assert call("yaml:safe_load", {"stream": "[1]"}, code) == [1]
    assert "yaml:safe_load is code of the package yaml" in installed_notice("yaml:safe_load", code)
    (tmp_path / "yaml.py").write_text("")
    assert installed_notice("yaml:safe_load", code_of("yaml:safe_load", tmp_path)) == ""


REFUSED = {
    "nowhere": ({}, "networks:make", ("has no networks.py", "beside the recipe")),
    "in the working folder only": (
        {"../work/networks.py": "def make(): 1"},
        "networks:make",
        ("has no networks.py",),
    ),
    "the program": ({}, "__main__:make", ("program that is running", "networks.py", "networks:make")),
    "a name that it has not": (
        {"networks.py": ""},
        "networks:make",
        ("no attribute 'make'", "project/networks.py"),
    ),
    "it does not parse": (
        {"networks.py": "def make(:"},
        "networks:make",
        ("SyntaxError", "networks.py, line 1"),
    ),
    "it raises": ({"networks.py": "1 / 0"}, "networks:make", ("ZeroDivisionError",)),
    "it exits": (
        {"networks.py": "import sys; sys.exit()"},
        "networks:make",
        ("ends the program", "__main__"),
    ),
    "what it imports is not there": (
        {"networks.py": "import layerz"},
        "networks:make",
        ("No module named 'layerz'", "project/networks.py"),
    ),
    "a submodule that is not there": (
        {"zoo/__init__.py": "import zoo.nets"},
        "zoo:make",
        ("No module named 'zoo.nets'", "zoo/__init__.py"),
    ),
    "a network that is made already": (
        {"networks.py": "from torch import nn\nnet = nn.Linear(2, 2)"},
        "networks:net",
        ("is a Linear that is made already", "a function that makes it"),
    ),
    "a value": ({"networks.py": "net = [1]"}, "networks:net", ("is a list that is made already",)),
    "the name of a file": ({"networks.py": ""}, "networks.py:make", ("names a file; say networks:make",)),
    "no text": ({"networks.py": "\0"}, "networks:make", ("networks.py",)),
    "the factory raises": (
        {"networks.py": "def make(): raise KeyError('a')"},
        "networks:make",
        ("raises KeyError",),
    ),
    "options that it does not take": (
        {"networks.py": "def make(width): pass"},
        "networks:make",
        ("raises TypeError", "make() missing 1 required"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_told_in_a_line(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, name, words = REFUSED[case]
    (tmp_path / "work").mkdir()
    write(tmp_path / "project", files, "one")
    (tmp_path / "project").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.syspath_prepend(str(tmp_path / "work"))
    with pytest.raises(PlanError) as caught:
        call(name, {}, code_of(name, tmp_path / "project"))
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "autokd_own_" not in str(caught.value)


def test_code_that_went_is_not_replaced_by_what_is_installed(tmp_path: Path) -> None:
    lost = OwnCode(tmp_path, {}, complete=True, lost=("yaml.py",))
    with pytest.raises(
        PlanError, match=r"yaml\.py, which it was checked with, is not in .* now; put it back"
    ):
        call("yaml:safe_load", {"stream": ""}, lost)


def test_what_a_program_names_is_what_it_would_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"of_a_program.py": "def make(): return 'MARK'"}, "one")
    monkeypatch.syspath_prepend(str(tmp_path))
    code = code_of("of_a_program:make", None)
    assert code.folder == tmp_path
    assert call("of_a_program:make", {}, code) == "one"
    assert not code_of("yaml:safe_load", None).files


_MODULES = [f"m{number}" for number in range(6)]


@given(st.dictionaries(st.sampled_from(_MODULES), st.sets(st.sampled_from(_MODULES), max_size=3)))
def test_code_is_all_that_can_be_reached_by_imports(
    tmp_path_factory: pytest.TempPathFactory, imports: dict[str, set[str]]
) -> None:
    """And nothing else: a file that nobody imports may change."""
    folder = tmp_path_factory.mktemp("law")
    imports = {"m0": set()} | imports
    for name, others in imports.items():
        (folder / f"{name}.py").write_text(
            "".join(f"def f{name}():\n    import {name}\n" for name in sorted(others))
        )
    reached, waiting = set(), ["m0"]
    while waiting:
        name = waiting.pop()
        if name in imports and name not in reached:
            reached.add(name)
            waiting += imports[name]
    assert read_own_code(folder, "m0").digests.keys() == {f"{name}.py" for name in reached}
