from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from autokd.errors import InputError
from autokd.store import normalise, redacted
from autokd.store import url as module
from autokd.store.url import secrets, sqlite_file, sqlite_url


@pytest.mark.parametrize(
    ("typed", "drivername"),
    [
        ("postgres://u@h/d", "postgresql+psycopg"),
        ("postgresql://u@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg"),
        ("mysql://u@h/d", "mysql+pymysql"),
        ("mysql+pymysql://u@h/d", "mysql+pymysql"),
        ("mariadb://u@h/d", "mysql+pymysql"),
        ("sqlite:///studies.db", "sqlite"),
        ("sqlite+pysqlite:///studies.db", "sqlite"),
    ],
)
def test_one_spelling_each(typed: str, drivername: str) -> None:
    assert normalise(typed).drivername == drivername


def test_servers_keep_the_rest_of_the_address() -> None:
    url = normalise("postgres://me:p%40ss@db.example.org:6543/studies?sslmode=require")
    assert (url.username, url.password, url.host, url.port) == ("me", "p@ss", "db.example.org", 6543)
    assert (url.database, dict(url.query)) == ("studies", {"sslmode": "require"})


def test_sqlite_paths_do_not_move_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sqlite_file(normalise("sqlite:///home/studies.db")) == tmp_path / "home" / "studies.db"
    assert sqlite_file(normalise("sqlite:////var/studies.db")) == Path("/var/studies.db")
    assert sqlite_file(normalise("mysql://u@h/d")) is None


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("studies.db", "is not a database URL"),
        ("", "is not a database URL"),
        ("postgresql://me:hunter2@host:port/d", "is not a database URL"),
        ("mongodb://me:hunter2@host/d", "'mongodb' is not supported"),
        ("postgresql+asyncpg://me:hunter2@host/d", "'postgresql\\+asyncpg' is not supported"),
        ("postgresql://me:hunter2@host", "names no database"),
        ("mysql://me:hunter2@host/", "names no database"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite:///file:x?mode=ro&uri=true", "must be a file"),
    ],
)
def test_what_cannot_be_a_store_says_why_and_what_to_write(typed: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        normalise(typed)
    assert "sqlite:///studies.db" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("typed", "missing", "extra"),
    [
        ("postgresql://me:hunter2@h/d", "psycopg", "postgres"),
        ("mariadb://me:hunter2@h/d", "pymysql", "mysql"),
    ],
)
def test_a_missing_driver_names_the_extra(
    typed: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == missing else find_spec(name))
    with pytest.raises(InputError, match=rf'pip install "autokd\[{extra}\]"') as caught:
        normalise(typed)
    assert "hunter2" not in str(caught.value)


passwords = st.text(min_size=4, max_size=20).filter(lambda text: text.isprintable() and text.strip("*"))


@given(passwords)
def test_a_password_is_never_shown(password: str) -> None:
    url = URL.create("postgresql", username="me", password=password, host="db", database="studies")
    assume(password not in "postgresql://me:***@db/studies")
    assert redacted(url) == "postgresql://me:***@db/studies"
    assert redacted(url.render_as_string(hide_password=False)) == "postgresql://me:***@db/studies"
    assert password in secrets(url)
    assert url.render_as_string(hide_password=False).split("me:")[1].rsplit("@")[0] in secrets(url)


@given(passwords)
def test_nor_is_one_among_the_options(password: str) -> None:
    typed = f"postgresql://db/studies?sslmode=require&sslpassword={quote(password, safe='')}"
    assert redacted(typed) == "postgresql://db/studies?sslmode=require&sslpassword=***"
    assert password in secrets(normalise(typed))
    assert quote(password, safe="") in secrets(normalise(typed))


@pytest.mark.parametrize("typed", ["postgresql://me:hunter2@host:port/d", "me:hunter2@host/d"])
def test_nor_is_one_that_cannot_be_parsed(typed: str) -> None:
    assert "hunter2" not in redacted(typed)


def test_an_address_without_secrets_is_shown_as_it_is() -> None:
    assert redacted("sqlite:////home/me/studies.db") == "sqlite:////home/me/studies.db"
    assert redacted("studies.db") == "studies.db"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("sqlite:///a.db?timout=3", "no option 'timout'; did you mean timeout"),
        ("sqlite:///a.db?timeout=soon", r"one of its options \(timeout\) has a value that cannot be read"),
        ("sqlite://host/a.db", "is not a database URL"),
        ("mysql://me@there/studies?chraset=utf8", "no option 'chraset'; did you mean charset"),
        (
            "mysql://me@there/studies?connect_timeout=soon",
            r"connect_timeout\) has a value that cannot be read",
        ),
        ("mariadb://me:hunter2@there/studies?foo=1", "no option 'foo'"),
        ("postgresql://me:hunter2@there/studies?sslmod=require", "no option 'sslmod'; did you mean sslmode"),
        ("postgresql://me:hunter2@there:port/studies", "is not a database URL"),
    ],
)
def test_an_option_that_no_database_has_is_one_line(written: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        normalise(written)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "written",
    [
        "sqlite:///a.db?timeout=3",
        "mysql://me@there/studies?charset=utf8mb4&connect_timeout=3&ssl_ca=/a.pem",
        "mysql://me@there/studies?unix_socket=/run/mysqld.sock",
        "postgresql://me@there/studies?sslmode=require&application_name=mine&options=-c%20a%3Db",
        "postgresql:///studies?host=/run/postgresql",
        "postgresql://me@/studies?host=one:5432&host=two:5433",
    ],
)
def test_options_that_databases_have_are_taken(written: str) -> None:
    assert normalise(written).query


def test_a_path_that_is_no_unicode_is_refused_in_a_line() -> None:
    with pytest.raises(InputError, match=r"no valid Unicode .*; choose another --home"):
        sqlite_url(Path(os.fsdecode(b"/tmp/donn\xe9es/autokd.db")))
