"""Names and words of others, in every place that autokd writes them to."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import re
import subprocess
from collections.abc import Callable
from html import unescape

import pytest
import yaml
from jinja2 import Environment
from markdown_it import MarkdownIt
from rich.table import Table
from rich.text import Text

from autokd.cli.console import _NoticeHandler, _Plain
from autokd.cli.listing import ListFormat, written
from autokd.config.target import remark
from autokd.core.finding import Finding
from autokd.errors import InputError, PlanError
from autokd.report.page import environment
from autokd.text.escaping import (
    csv_row,
    csv_text,
    figure_text,
    finalize,
    json_text,
    markdown,
    markdown_code,
    one_line,
    python_text,
    shell_word,
)
from autokd.workflows.dashboard.safe_csv import with_safe_csv

HOSTILE = (
    *("=1+1", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", " =1+1", "＝1+1", "－1+1", "=cmd|' /C x'!A0"),
    *("<script>alert(1)</script>", "<b>bold", "&lt;b&gt;", "a|b", "`code`", "```", "$x^2$", "*a*", "_a_"),
    *("[a](http://evil.example)", "![a](x)", "http://evil.example", "www.evil.example", "a@evil.example"),
    *("\x1b[31mred", "\x1b]0;title\x07", "\x9b31m", "\u202egnp.exe", "\u2066a\u2069", "a\nb", "a\r\nb"),
    *("\x00", "\x7f", "\x85", "\u2028", "\ufeff", "\\", "a\\", '"', "'", "'; echo gone; '", "$(echo gone)"),
    *("{{ 1 + 1 }}", "[bold]a[/bold]", ":smile:", "%d", "名前\u3000x", "né", "\U0001f600", "", " "),
    *("~~a~~", "${x}", "\n# a"),
)
BIDI_AND_CONTROL = {*map(chr, range(32)), *map(chr, range(127, 160)), *"\u202a\u202b\u202c\u202d\u202e"} | {
    *"\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2028\u2029"
}


def lines_of_terminal(show: Callable[[_Plain], None]) -> str:
    console = _Plain()
    console.file, console.width = io.StringIO(), 400
    show(console)
    return console.file.getvalue()


def notice(name: str) -> str:
    record = logging.LogRecord("autokd", logging.WARNING, "", 0, "%s", (name,), None)
    return lines_of_terminal(lambda console: _NoticeHandler(console).emit(record))


def table_with(name: str) -> str:
    grid = Table(box=None)
    grid.add_row(name, Text(name))
    return lines_of_terminal(lambda console: console.print(grid))


def listing(form: ListFormat) -> Callable[[str], str]:
    def write(name: str) -> str:
        pair = {"teacher": 0, "student": 1}
        entry = {"pair": pair, "verdict": None, "stale": False, "reason": name, "way_out": name}
        return written([entry], form, single=False)

    return write


SHOWN: dict[str, Callable[[str], str]] = {
    "one_line": one_line,
    "error": lambda name: str(InputError(name)),
    "error of a field": lambda name: str(PlanError(source=name, field=name, problem=name)),
    "finding": lambda name: str(Finding(name, name, name)),
    "target": lambda name: remark({name: 0.5, "b": 0.5}),
    "notice": notice,
    "terminal": lambda name: lines_of_terminal(lambda console: console.print(name)),
    "terminal, table": table_with,
    "figure": figure_text,
    "markdown": markdown,
    "markdown, code": markdown_code,
    "python": python_text,
    "json": lambda name: json_text({"name": name}),
    "json, list": listing(ListFormat.JSON),
    "yaml, list": listing(ListFormat.YAML),
    "csv, list": listing(ListFormat.CSV),
    "csv": csv_text,
    "shell": shell_word,
    "html": lambda name: environment().from_string("{{ name }}").render(name=name),
}


@pytest.mark.parametrize("sink", SHOWN)
def test_nothing_that_a_terminal_acts_on_is_left(sink: str) -> None:
    # A tab in a page or a terminal's text is a blank.
    kept = {"\n", "\t"} if sink in ("html", "terminal", "terminal, table") else {"\n"}
    for name in HOSTILE:
        assert not (BIDI_AND_CONTROL & set(SHOWN[sink](name))) - kept, ascii(name)


@pytest.mark.parametrize(
    "sink", [sink for sink in SHOWN if not sink.startswith(("json", "yaml", "csv, list", "html", "terminal"))]
)
def test_a_line_stays_one(sink: str) -> None:
    for name in HOSTILE:
        assert "\n" not in SHOWN[sink](name).removesuffix("\n"), ascii(name)


def rendered(text: str) -> str:
    """As Markdown with tables shows it; everything but one paragraph or cell of plain text is an error."""
    html: str = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    begin, end = "<td>", "</td>"
    assert html.count(begin) == 1
    return html.partition(begin)[2].partition(end)[0]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_markdown_shows_names_and_interprets_nothing(name: str) -> None:
    html = rendered(f"| a |\n| --- |\n| {markdown(name)} |\n")
    assert "<" not in html
    assert unescape(html).strip() == one_line(name).strip()
    # What GitHub and Optuna Dashboard interpret beyond that.
    assert not re.search(r"(?<!\\)(@|\$|://)|www\.", markdown(name))


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.strip()], ids=ascii)
def test_code_of_markdown_shows_names(name: str) -> None:
    children = MarkdownIt().parseInline(f"a {markdown_code(name)} b")[0].children
    assert children is not None
    _, token, _ = children
    assert token.type == "code_inline"
    assert token.content.strip() == one_line(name).strip()


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_html_and_figures_show_names(name: str) -> None:
    page = SHOWN["html"](name)
    assert "<" not in page
    assert unescape(page).replace("\n", "").replace("\t", "") == one_line(
        name.replace("\n", "").replace("\t", "")
    )
    label = figure_text(name)
    assert not {"<", ">", "$"} & set(label)
    assert unescape(label) == one_line(name)


def test_markup_of_a_page_is_left_alone() -> None:
    environment = Environment(autoescape=True, finalize=finalize)
    assert environment.from_string("<p>{{ 1.5 }}{{ a|safe }}</p>").render(a="<b>") == "<p>1.5<b></p>"


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_programs_read_back_what_was_written(name: str) -> None:
    assert ast.literal_eval(python_text(name)) == name
    assert json.loads(json_text({"name": name})) == {"name": name}
    for form, read in ((ListFormat.JSON, json.loads), (ListFormat.YAML, yaml.safe_load)):
        (entry,) = read(listing(form)(name))
        assert entry["reason"] == name
        assert entry["way_out"] == name


def test_a_shell_reads_back_what_was_written() -> None:
    names = [name for name in HOSTILE if "\x00" not in name] + [b"\xff\n".decode(errors="surrogateescape")]
    script = "".join(f"printf '%s\\0' {shell_word(name)}\n" for name in names)
    done = subprocess.run(["bash"], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode(errors="surrogateescape").split("\x00")[:-1] == names


def test_half_a_pair_of_utf16_is_spelt_although_no_file_has_such_a_name() -> None:
    assert shell_word("\ud800") == r"$'\xed\xa0\x80'"


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_cell_of_a_table_is_a_formula(name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(listing(ListFormat.CSV)(name)))
    for cell in (row["reason"], row["way_out"], csv_text(name)):
        assert cell.lstrip()[:1] not in tuple("=+-@＝＋－＠\t\r")
        assert cell.removeprefix("'") == one_line(name).removeprefix("'")


@pytest.mark.parametrize("number", [-1.5, 3, None, True, "-1.5", "+2", "-3e-05", "1e5", "-.5"])
def test_numbers_stay_numbers(number: object) -> None:
    assert csv_row({"gain": number}) == {"gain": number}


@pytest.mark.parametrize("text", ["-1.5-1", "-inf", "+1 2", "-1%", "-1e", "--1", "-1\n"])
def test_what_only_begins_as_a_number_is_text(text: str) -> None:
    assert csv_text(text).startswith("'-") or csv_text(text).startswith("'+")


def test_a_table_that_the_dashboard_gives_is_safe() -> None:
    table = io.StringIO(newline="")
    csv.writer(table).writerows([["Number", "=head"], [-1.5, "=1+1"], [2, "fine, \n text"]])

    def app(environment, start):
        start("200 OK", [("Content-Type", "text/csv; charset=UTF-8"), ("Content-Length", "1")])
        return [table.getvalue().encode()]

    begun: list[object] = []
    body = b"".join(with_safe_csv(app)({}, lambda *response: begun.extend(response)))  # type: ignore[arg-type]
    rows = list(csv.reader(io.StringIO(body.decode(), newline="")))
    assert rows == [["Number", "'=head"], ["-1.5", "'=1+1"], ["2", "fine, \\n text"]]
    assert begun[0] == "200 OK"
    assert ("Content-Length", str(len(body))) in begun[1]  # type: ignore[operator]
