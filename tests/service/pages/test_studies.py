"""The page of a study: the report's page, of which a browser fetches what has changed."""

from __future__ import annotations

import asyncio
import json
import re
from html import unescape

import pytest

from autokd.report import ReportFacts
from autokd.report.page import page
from autokd.service.pages.contents import Contents
from autokd.service.pages.watch import Watch
from autokd.workflows.report import report_of
from tests.service.conftest import Api

PAGE = "/studies/small"


@pytest.fixture(scope="module")
def html(api: Api) -> str:
    return api.get(PAGE).text


@pytest.fixture(scope="module")
def report(api: Api) -> str:
    """What `autokd report` writes."""
    return api.service.context.views.fresh(
        "small",
        None,
        lambda study: page(
            ReportFacts(report_of(study.workspace, study.federation, study.facts, study.results))
        ),
    )


def sections(text: str) -> dict[str, str]:
    """The words of each section by the id of its heading, scripts left out."""
    bare = re.sub(r"<(script|style).*?</\1>", "", text, flags=re.DOTALL)
    matches = re.findall(r'<section>\s*<h2 id="(\w+)">(.*?)</section>', bare, re.DOTALL)
    return {name: " ".join(unescape(re.sub(r"<[^>]+>", " ", content)).split()) for name, content in matches}


def test_the_page_says_what_the_report_says(html: str, report: str) -> None:
    ours, theirs = sections(html), sections(report)
    assert list(ours) == list(theirs)
    for name, words in theirs.items():
        assert ours[name] == words, name
    title = re.compile(r"<h1>.*?</h1>")
    assert title.findall(html) == title.findall(report)
    assert html.count('class="packed"') == 1
    assert report.count('class="packed"') == 13


def test_numbers_are_those_of_the_json(html: str, api: Api) -> None:
    row = re.compile(
        r'<tr data-student="\d+">.*?href="([^"]+)">.*?<td class="num" data-sort="([^"]*)">', re.DOTALL
    )
    gains = {address: float(gain) for address, gain in row.findall(html)}
    entries = api.json("/v1/studies/small/pairs")
    assert len(gains) == len(entries) == 12
    for entry in entries:
        pair = entry["pair"]
        address = f"{PAGE}/pairs/{pair['teacher']}-{pair['student']}"
        assert gains[address] == pytest.approx(entry["decision"]["gain"]["mean"], abs=1e-4)


def test_a_pair_is_a_page_and_a_panel(api: Api, report: str) -> None:
    panel = api.get(f"{PAGE}/pairs/0-1?panel=1").text
    alone = api.get(f"{PAGE}/pairs/0-1").text
    assert panel.count("<section") == 1
    assert 'id="pair-0-1"' in panel
    assert 'class="pair alone"' in alone
    whole = re.search(r'<section class="pair" id="pair-0-1".*?</section>', report, re.DOTALL)
    assert whole is not None
    packed = re.compile(r'class="packed">(.*?)</script>')
    assert packed.findall(panel) == packed.findall(whole[0]) == packed.findall(alone)[:1]
    words = [" ".join(re.sub(r"<[^>]+>|options", " ", text).split()) for text in (panel, whole[0])]
    assert words[0] == words[1]
    other = api.get(f"{PAGE}/pairs/0-1?space=poster_sweep").text
    assert "0->1: no recommendation yet" in unescape(other)
    assert 'href="/studies/small/pairs/1-0?space=poster_sweep"' in other


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/studies/none", 404, "no study is called"),
        ("/studies/small/pairs/0-9", 404, "no pair 0->9"),
        ("/studies/small?space=none", 404, "no search space is called"),
        ("/studies/a%3Cb", 422, "name"),
        ("/studies/none/events", 404, "no study is called"),
        ("/studies/none/work", 404, "no study is called"),
    ],
)
def test_what_is_not_there_is_a_page(api: Api, path: str, status: int, words: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert words in unescape(answer.text)
    assert "<h1>" in answer.text
    assert "a<b" not in answer.text


def test_a_study_of_which_nothing_is_known_has_a_page(api: Api) -> None:
    text = api.get("/studies/digits").text
    assert "No federation has been prepared yet" in text
    assert "Nothing is at work on this study" in text
    assert text.count('<td class="self">') == 2 * 10 + 5 * 10


def test_scripts_come_from_files_of_the_service_only(html: str, api: Api) -> None:
    policy = api.get(PAGE).headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"<script(?![^>]*(?:src=|type=\"(?:application/json|text/plain)\"))", html)
    assert not re.search(r"\son\w+=", html)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


def test_contents_are_made_anew_for_a_tenth_of_the_time(api: Api) -> None:
    now, context = 0.0, api.service.context
    contents = Contents(context, clock=lambda: now)
    first = contents.study("small", None)
    assert contents.study("small", None) is first
    kept = contents._kept["small", None, "study"]
    object.__setattr__(kept.content, "version", "of others")
    object.__setattr__(kept, "seconds", 0.2)
    now = 1.9
    assert contents.study("small", None) is first
    now = 2.1
    assert contents.study("small", None) is not first


def test_changes_are_told_to_those_who_watch(api: Api) -> None:
    versions = [{"results": "a"}, {"results": "a"}, {"results": "b"}]
    looks = iter(versions)
    ended: list[bool] = []

    async def listen() -> list[bytes]:
        watch = Watch(lambda name, space: next(looks), look_seconds=0.0)
        stream = watch.events("small", None, closed=lambda: bool(ended))
        events = [await anext(stream), await anext(stream)]
        ended.append(True)
        events += [event async for event in stream]
        assert not watch._watched
        return events

    events = asyncio.run(listen())
    assert [json.loads(event.partition(b"data: ")[2]) for event in events] == [versions[0], versions[2]]
