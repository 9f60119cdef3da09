"""Reports rows that autokd did not write as errors of the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import OptunaError
from sqlalchemy.exc import SQLAlchemyError

from autokd.errors import StoreError


@contextmanager
def validated(what: str) -> Iterator[None]:
    """Raise StoreError if the code inside reads a value of `what` that autokd does not write."""
    try:
        yield
    except (SQLAlchemyError, OptunaError):
        raise  # Some of them are LookupErrors, too; `translate_errors` handles them.
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise StoreError(
            f"what the database has of {what} was not written by autokd ({error!r:.300}); "
            "restore it from a backup, or delete that study in the dashboard and tune the pair again"
        ) from error
