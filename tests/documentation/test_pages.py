"""The pages for readers: errors that exist, words that mean one thing, and the way to both."""

from __future__ import annotations

import ast
import re
from functools import cache

import yaml
from typer.main import get_command

from autokd.cli.app import app
from tests.paths import ROOT

FAQ = (ROOT / "docs" / "faq.md").read_text()
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
QUOTED = [text for _, text in re.findall(r"^\| (`+)(.+?)\1 \|", FAQ, re.MULTILINE)]


@cache
def literals() -> tuple[str, ...]:
    """Every text of the code; \0 stands for what is filled in."""
    texts = []
    for path in (ROOT / "autokd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                texts.append(
                    "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values
                    )
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return tuple(texts)


def test_every_message_of_the_page_on_errors_is_one_of_the_code() -> None:
    assert len(QUOTED) > 25
    for message in QUOTED:
        parts = [part.strip() for part in message.split("...") if part.strip()]
        pattern = re.compile(r"[\s\S]*".join(map(re.escape, parts)))
        assert any(pattern.search(text) for text in literals()), message


def test_the_glossary_has_each_word_once_and_those_of_poster_and_optuna() -> None:
    words = re.findall(r"^\| ([^|]+?) \| ", GLOSSARY, re.MULTILINE)
    words = [word for word in words if word != "word"]
    assert len(words) == len(set(words))
    assert {"position", "transfer set", "setting", "pair (t, s)"} <= set(words)
    assert {"study", "trial", "sampler", "rung"} <= set(words)


def test_the_tenth_line_of_readme_leads_to_the_glossary() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert "](docs/glossary.md)" in lines[9]
    assert len(lines) <= 120


def test_who_has_models_finds_the_page_first() -> None:
    first = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"][0]
    assert first == {"I already have .pt files": "your-own-models.md"}


def test_commands_have_the_options_that_pages_name() -> None:
    """Also those in running text; what blocks show is typed by tests/documentation/test_blocks.py."""
    options = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        nested = getattr(command, "commands", {})
        for words, of in [(name, command), *((f"{name} {inner}", it) for inner, it in nested.items())]:
            options[words] = {option for parameter in of.params for option in parameter.opts} | {"--help"}
    named = 0
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")):
        for words, rest in re.findall(r"\bautokd ([a-z]+(?: [a-z]+)?)\b([^`\n|#;&]*)", page.read_text()):
            known = options.get(words) or options.get(words.split()[0]) or set()
            for option in re.findall(r"(?<![\w-])--[a-z][\w-]+", rest) if known else ():
                named += 1
                assert option in known, f"{page.name}: autokd {words} has no {option}"
    assert named > 100
