"""The three databases of the contract suite: a SQLite file, and real servers where they run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from itertools import count

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from autokd.store import Store, normalise

SERVERS = {
    "postgresql": os.environ.get("AUTOKD_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test"),
    "mariadb": os.environ.get("AUTOKD_TEST_MYSQL", "mariadb://root@127.0.0.1:3306/test"),
}
BACKENDS = ["sqlite", *SERVERS]

_numbers = count()


@pytest.fixture(scope="session", params=BACKENDS)
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database of each kind, gone afterwards."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('store')}/studies.db"
        return
    base, name = SERVERS[request.param], f"autokd_test_{secrets.token_hex(4)}"
    # CREATE DATABASE cannot be part of a transaction.
    engine = create_engine(normalise(base), isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except SQLAlchemyError as error:
        problem = f"no {request.param} server for tests: {error}"
        if os.environ.get("AUTOKD_REQUIRE_SERVERS") == "1":
            pytest.fail(problem)
        pytest.skip(problem)
    yield make_url(base).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()


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
def file_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A SQLite store of its own."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('own')}/studies.db") as opened:
        yield opened
