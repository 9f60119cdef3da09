"""Rows that somebody else wrote, or changed, are said to be so; none of them is a crash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import OptunaError
from sqlalchemy.exc import SQLAlchemyError

from autokd.errors import StoreError


@contextmanager
def validated(what: str) -> Iterator[None]:
    """Read what the database has of something; what cannot be understood is a `StoreError`.

    Raises:
        StoreError: If a value is missing, or of another type or range than autokd ever writes.
    """
    try:
        yield
    except (SQLAlchemyError, OptunaError):
        raise  # Some of them are LookupErrors, too; they are translate_errors elsewhere.
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise StoreError(
            f"what the database has of {what} was not written by autokd ({error!r:.300}); "
            "restore it from a backup, or delete that study in the dashboard and tune the pair again"
        ) from error
