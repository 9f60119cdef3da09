"""The card for people, whatever the names in it are."""

from __future__ import annotations

import ast
import html
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from autokd.core.setting import Split
from autokd.delivery import deliver
from autokd.delivery.markdown import markdown
from autokd.federation.federation import Federation
from tests.delivery.samples import PLAN, REQUEST, make_request

NAMES = ("=1+1|2", "<img src=x>", "a\n# heading\n", "\x1b[31m`c`\u202e")


@pytest.fixture(scope="module")
def card(federation: Federation):
    card = deliver(federation, PLAN, REQUEST).card
    scores = {
        split: replace(
            of,
            classes=tuple(replace(shown, name=name) for shown, name in zip(of.classes, NAMES, strict=False)),
        )
        for split, of in card.scores.items()
    }
    return replace(card, scores=scores)


def test_names_stay_in_their_cells(card) -> None:
    text = markdown(card, folder="home")
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    tables = page.split("<table>")
    classes = tables[-1].split("</table>")[0]
    shown = [html.unescape(row.split("</td>")[0].strip()) for row in classes.split("<tr>\n<td>")[1:]]
    assert shown == ["=1+1|2", "<img src=x>", "a\\n# heading\\n", "\\x1b[31m`c`\\u202e"]
    assert len(shown) == len(card.scores[Split.TEST].classes)
    assert page.count("<h1>") == 1
    assert "<img" not in page


def test_the_script_and_the_command_take_odd_paths(card, tmp_path: Path) -> None:
    folder = 'a"); print("b\n```\n'
    asked = make_request(file="`x`\n.safetensors", home="h\n# heading")
    text = markdown(replace(card, request=asked), folder=folder)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    (script,) = [token.content for token in tokens if token.type == "fence"]
    (command,) = [token.content for token in tokens if token.type == "code_block"]
    texts = [node.value for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Constant)]
    assert folder in texts
    assert asked.file in texts
    assert command.strip() == asked.command
    assert sum(token.type == "heading_open" and token.tag == "h1" for token in tokens) == 1
