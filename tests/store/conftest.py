"""The three databases of the contract suite: a SQLite file, and real servers where they run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from autokd.store import Store, normalise, sqlite_url

SERVERS = {
    "postgresql": os.environ.get("AUTOKD_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test"),
    "mariadb": os.environ.get("AUTOKD_TEST_MYSQL", "mariadb://root@127.0.0.1:3306/test"),
}
BACKENDS = ["sqlite", *SERVERS]

_numbers = count()


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a database without any table, gone afterwards."""
    if kind == "sqlite":
        (folder / "studies.db").touch()
        yield sqlite_url(folder / "studies.db")
        return
    base, name = SERVERS[kind], f"autokd_test_{secrets.token_hex(4)}"
    # CREATE DATABASE cannot be part of a transaction.
    engine = create_engine(normalise(base), isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except SQLAlchemyError as error:
        problem = f"no {kind} server for tests: {error}"
        if os.environ.get("AUTOKD_REQUIRE_SERVERS") == "1":
            pytest.fail(problem)
        pytest.skip(problem)
    try:
        yield make_url(base).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            # PostgreSQL would wait for the connections of a test that failed.
            force = " WITH (FORCE)" if kind == "postgresql" else ""
            connection.execute(text(f"DROP DATABASE {name}{force}"))
        engine.dispose()


@pytest.fixture(scope="session", params=BACKENDS)
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One database of each kind, shared by all tests."""
    with empty_database(request.param, tmp_path_factory.mktemp("store")) as url:
        yield url


@pytest.fixture(params=BACKENDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind that nobody has opened yet."""
    with empty_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture(scope="session")
def store(address: str) -> Iterator[Store]:
    """One store a database: opening is slow on servers, and names keep the tests apart."""
    with Store.open(address) as opened:
        yield opened


@pytest.fixture
def study(store: Store) -> str:
    """A fresh study in `store`."""
    name = f"digits-1a2b3c4d/plan-{next(_numbers)}/4->9"
    store.create_study(name, attributes={})
    return name


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    """A SQLite store of its own."""
    with Store.open(sqlite_url(tmp_path / "own" / "studies.db")) as opened:
        yield opened
