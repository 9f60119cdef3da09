"""The sizes and names that docs/architecture.md promises; import-linter checks the layers (`make check`)."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

import autokd
from tests.paths import ROOT

PACKAGE: Final = Path(autokd.__file__).parent
MODULE_LINES: Final = 350
CLASS_LINES: Final = 250
VAGUE: Final = {"one", "found", "told", "given"}
LEANING: Final = re.compile(r'\b[Ll]ikewise\b|"""Of |^\s+[a-z_, *]+: Of ')
ROOT_MODULES: Final = {"__init__", "__main__", "_version", "api", "errors", "workspace"}


def too_long(file: Path) -> list[str]:
    """What of a module is longer than allowed, and the way out."""
    text = file.read_text(encoding="utf-8")
    name, lines = file.relative_to(PACKAGE.parent), len(text.splitlines())
    problems = []
    if lines > MODULE_LINES:
        problems.append(
            f"{name} has {lines} lines, at most {MODULE_LINES} are allowed: move what is about something "
            "else into a module of its own, named after it"
        )
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines = (node.end_lineno or first) - first + 1
            if lines > CLASS_LINES:
                problems.append(
                    f"{name}: class {node.name} has {lines} lines, at most {CLASS_LINES} are allowed: make "
                    "functions of what does not need the object, or objects of its own of what it is made of"
                )
    return problems


def test_modules_and_classes_are_read_at_one_look() -> None:
    problems = [problem for file in sorted(PACKAGE.rglob("*.py")) for problem in too_long(file)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n" * 351, "has 351 lines"),
        ("class Large:\n" + "    x = 1\n" * 250, "class Large has 251 lines"),
        ("@final\nclass Large:\n" + "    x = 1\n" * 249, "class Large has 251 lines"),
        ("\n" * 100 + "class Large:\n" + "    x = 1\n" * 249, ""),
    ],
)
def test_what_is_too_long_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    file = tmp_path / "large.py"
    file.write_text(text)
    problems = too_long(file)
    assert [message in problem for problem in problems] == [True] * bool(message)


def vague_names(text: str) -> list[str]:
    """Arguments and locals whose name says nothing, with their lines; fields of classes are not meant."""
    names: list[tuple[int, str]] = []
    tree = ast.parse(text)
    fields = {id(entry) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for entry in node.body}
    targets = {
        id(node.target) for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and id(node) in fields
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            names.append((node.lineno, node.arg))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in targets:
            names.append((node.lineno, node.id))
    return [f"line {line}: {name}" for line, name in sorted(names) if name in VAGUE]


def test_names_say_what_they_hold() -> None:
    vague = {
        str(file.relative_to(ROOT)): lines
        for folder in ("autokd", "benchmarks", "tests")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if (lines := vague_names(file.read_text(encoding="utf-8")))
    }
    assert not vague, f"take the noun for what it holds: {vague}"


def test_a_name_that_says_nothing_is_noticed() -> None:
    text = "class A:\n    found: int\n\ndef f(given):\n    told = [one for one in given]\n    return told\n"
    assert vague_names(text) == ["line 4: given", "line 5: one", "line 5: told"]


def test_docstrings_do_not_lean_on_the_one_before() -> None:
    leaning = [
        f"{file.relative_to(PACKAGE)}:{number}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if LEANING.search(line)
    ]
    assert not leaning, f"say what it is in full, not 'likewise' or 'Of ...': {leaning}"


def undeclared(text: str) -> list[str]:
    """Names that a docstring's `Args` explain, and that the function does not have."""
    wrong = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        explained = (ast.get_docstring(node) or "").partition("\nArgs:\n")[2]
        section = re.split(r"^\S", explained, maxsplit=1, flags=re.MULTILINE)[0]
        names = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        listed = re.findall(r"^    ([a-z_*][\w*]*(?:, [a-z_*][\w*]*)*): ", section, flags=re.MULTILINE)
        wrong += [
            f"{node.name}: {name}"
            for line in listed
            for name in re.split(", ", line.replace("*", ""))
            if name not in names
        ]
    return wrong


def test_docstrings_explain_arguments_that_exist() -> None:
    wrong = {
        str(file.relative_to(PACKAGE)): names
        for file in sorted(PACKAGE.rglob("*.py"))
        if (names := undeclared(file.read_text(encoding="utf-8")))
    }
    assert not wrong, f"they were renamed or removed: {wrong}"


def test_an_argument_that_does_not_exist_is_noticed() -> None:
    text = (
        'def f(a, *b, c=1):\n    """F.\n\n    Args:\n        a, b: A.\n            d: text.\n'
        '        c: C.\n        e: E.\n\n    Returns:\n        g: text.\n    """\n'
    )
    assert undeclared(text) == ["f: e"]


def test_the_root_has_few_modules() -> None:
    extra = {file.stem for file in PACKAGE.glob("*.py")} - ROOT_MODULES
    assert not extra, f"move into a package: {', '.join(sorted(extra))}"
