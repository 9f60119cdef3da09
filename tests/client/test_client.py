"""The typed face: it returns what the service has, and its refusals are errors with a way out."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2 as httpx
import pyarrow.parquet as parquet
import pytest

import autokd
from autokd.client import Client
from autokd.client.connection import Connection
from autokd.config.defaults import SERVER_VARIABLE, TOKEN_VARIABLE
from autokd.core.pair import Pair
from autokd.errors import AutokdError, InputError, RequestRefused, ServiceError
from tests.client.conftest import Served


def test_it_reads_what_the_service_has(client: Client, tmp_path: Path) -> None:
    assert "small" in {study["name"] for study in client.studies()}
    assert client.study("small")["status"]["federation"].startswith("small-")
    pairs = client.pairs("small")
    assert len(pairs) == 12
    tuned = client.pairs("small", verdict="tuned", student=1)
    assert tuned == [pair for pair in pairs if pair["verdict"] == "tuned" and pair["pair"]["student"] == 1]
    for pair in ("0,1", "0->1", (0, 1), Pair(0, 1)):
        assert client.pair("small", pair)["recommendation"] == pairs[0]
    assert client.partners("small", 1)["student"] == 1
    assert client.predict("small", "0,1")["pair"] == {"teacher": 0, "student": 1}
    assert client.report("small", tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert parquet.read_table(client.export("small", tmp_path / "all.parquet")).num_rows > 12


def test_it_is_found_by_the_environment(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVER_VARIABLE, f"{served.url}/")
    monkeypatch.setenv(TOKEN_VARIABLE, f" {served.token}\n")
    with autokd.Client() as client:
        assert repr(client) == f"<Client of {served.url}>"
        assert served.token not in repr(vars(client))
        assert client.studies()


@pytest.mark.parametrize(
    ("name", "pair", "words"),
    [
        ("none", "0,1", "no study is called 'none'"),
        ("small", "0,9", "the federation has no pair 0->9; name two different participants"),
        ("../etc", "0,1", "study: must be the name of a study recipe"),
        ("small", "1,1", "cannot teach itself"),
        ("small", "one", "is not a pair"),
    ],
)
def test_what_is_refused_is_an_input_error(client: Client, name: str, pair: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        client.pair(name, pair)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("token", ["", "autokd_wrong", "\u00e9", "a b"])
def test_a_wrong_token_is_refused(served: Served, token: str) -> None:
    with pytest.raises(InputError, match="token") as refused, Client(served.url, token) as client:
        client.studies()
    assert not token or token not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:8321", "ftp://x", "http://", "http://user:secret@host", "http://user:secret@[::1"),
        *(
            "http://[::1",
            "http://h:99999",
            "http://h:x",
            "http://\x00",
            f"http://{'h' * 70_000}",
        ),
    ],
)
def test_what_is_no_address_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SERVER_VARIABLE, raising=False)
    with pytest.raises(InputError, match=r"^server: ") as refused:
        Client(url)
    assert "secret" not in str(refused.value)


def test_a_service_that_is_away_is_said_so() -> None:
    with (
        Client("http://127.0.0.1:9", "x") as client,
        pytest.raises(ServiceError, match="does not answer") as away,
    ):
        client.pairs("small")
    assert (away.value.exit_code, away.value.status) == (1, None)


ANSWERS = {
    "a page of somebody else": (httpx.Response(200, text="<p>hello"), "is it an autokd service"),
    "a redirect": (httpx.Response(302, headers={"Location": "https://x/\x1b[31m"}), "leads to https://x/"),
    "an error page": (httpx.Response(502, text="bad gateway"), "status 502"),
    "a list as problem": (httpx.Response(400, json=[]), "status 400"),
    "a defect": (httpx.Response(500, json={"detail": "a defect"}), "a defect"),
    "several problems": (
        httpx.Response(
            422, json={"detail": "x", "problems": [{"field": "a", "problem": "b"}, {"problem": "c"}]}
        ),
        "^a: b; c$",
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_any_answer_is_a_line(case: str) -> None:
    answer, words = ANSWERS[case]
    transport = httpx.MockTransport(lambda request: answer)
    connection = Connection("http://service", None, timeout=1, transport=transport)
    with pytest.raises(AutokdError, match=words) as failed:
        connection.json("/v1/studies")
    assert str(failed.value).isprintable()
    assert isinstance(failed.value, RequestRefused) == (400 <= answer.status_code < 500)


def test_what_may_be_repeated_is_where_the_service_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) % 3:
            return httpx.Response(503, json={"detail": "later"}, headers={"Retry-After": "2"})
        return httpx.Response(202, json={"id": 7, "state": "queued"})

    connection = Connection("http://service", None, timeout=1, transport=httpx.MockTransport(answer))
    assert connection.json("/v1/studies") == {"id": 7, "state": "queued"}
    assert waited == [2.0, 2.0]
    client = Client(connection=connection)
    assert client.tune("small", [(0, 1)], trials=4, space=None).id == 7
    posted = asked[3:]
    assert len({request.headers["Idempotency-Key"] for request in posted}) == 1
    assert json.loads(posted[0].content) == {"what": "tune", "study": "small", "pairs": ["0,1"], "trials": 4}
    with pytest.raises(ServiceError, match="later"):
        connection.request("POST", "/v1/jobs")  # Without a key it might be done twice.
    assert len(asked) == 7


def test_a_command_that_is_not_done_starts_no_run(client: Client) -> None:
    wanted = [{"name": "--pair", "value": "0,1"}, {"name": "--trials", "value": "50"}]
    ran = client.run("tune", "small", options=wanted)
    assert (ran["exit_code"], ran["output"]) == (2, "")
    assert "no run may be started here" in ran["errors"]
