"""Servers that fall silent: stopped in the middle of a session, or before it begins."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from autokd.errors import StorageUnavailable, StoreUnreachable
from autokd.store import Store, database, patience, retrying
from autokd.store.db_errors import translate_errors
from tests.postgres import private_postgres

LIMIT = 1.0


@pytest.fixture
def silent_port() -> Iterator[int]:
    """What is listened to, and never answered."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    "address", ["postgresql://a@127.0.0.1:{}/b?connect_timeout=2", "mysql://a@127.0.0.1:{}/b"]
)
def test_a_server_that_never_answers_is_given_up(
    address: str, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database._LIMITS["mysql"], "read_timeout", 1)
    monkeypatch.setattr(retrying, "_MOMENT_SECONDS", 1.0)
    began = time.monotonic()
    with pytest.raises(StorageUnavailable, match="cannot be reached"):
        Store.open(address.format(silent_port))
    assert time.monotonic() - began < 60


def test_a_server_that_is_stopped_in_a_session_is_an_outage_after_a_word(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, "SECONDS", LIMIT)
    with private_postgres() as server, Store.open(server.url) as store:
        engine = store.optuna_storage.engine
        with engine.connect() as connection:
            backend = connection.scalar(text("SELECT pg_backend_pid()"))
            os.kill(backend, signal.SIGSTOP)
            began = time.monotonic()
            try:
                with (
                    caplog.at_level(logging.WARNING, "autokd"),
                    pytest.raises(StoreUnreachable),
                    translate_errors(engine.url),
                ):
                    connection.execute(text("SELECT 1"))
            finally:
                os.kill(backend, signal.SIGCONT)
            assert LIMIT < time.monotonic() - began < 30
        assert [record.message.partition(" for ")[0] for record in caplog.records] == [
            "the database has not answered"
        ]
        assert store.studies() == ()
