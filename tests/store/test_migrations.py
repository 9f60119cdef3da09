from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

from autokd.errors import StoreError
from autokd.store import Store, normalise
from autokd.store.job_tables import JobRow
from autokd.store.migrations import VERSION_TABLE, upgrade
from autokd.store.tables import Base

NEWEST = "0015"


@pytest.fixture
def engine(store: Store, address: str) -> Iterator[Engine]:
    """A store's database, seen from outside."""
    engine = create_engine(normalise(address))
    yield engine
    engine.dispose()


def test_migrations_make_just_the_tables_that_the_code_describes(engine: Engine) -> None:
    options = {
        "version_table": VERSION_TABLE,
        "compare_server_default": True,
        "include_name": lambda name, kind, parents: kind != "table" or str(name).startswith("autokd_"),
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_optunas_version_and_ours_do_not_meet(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all() == [
            NEWEST
        ]
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() != NEWEST


def test_all_our_tables_bear_our_name(engine: Engine) -> None:
    ours = set(Base.metadata.tables)
    assert JobRow.__tablename__ in ours
    assert all(name.startswith("autokd_") for name in ours)
    assert ours <= set(inspect(engine).get_table_names())


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    before = inspect(engine).get_table_names()
    upgrade(engine)
    assert inspect(engine).get_table_names() == before


def test_a_migration_that_was_cut_off_begins_again(engine: Engine) -> None:
    """As after a kill on MySQL, which keeps the tables made so far and has not noted the version."""
    with engine.begin() as connection:
        connection.execute(text(f"DELETE FROM {VERSION_TABLE}"))
        connection.execute(text("DROP TABLE autokd_recommendation"))
    upgrade(engine)
    assert inspect(engine).has_table("autokd_recommendation")
    test_migrations_make_just_the_tables_that_the_code_describes(engine)


def test_an_unknown_version_is_named(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    try:
        with pytest.raises(StoreError, match="'9999'"):
            upgrade(engine)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{NEWEST}'"))
