"""The database's clock, which all machines share, even if their own clocks are wrong."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Double


class Now(FunctionElement[float]):
    """Seconds since 1970 in UTC at which the expression is computed, not at which its transaction began."""

    type = Double()
    inherit_cache = True


@compiles(Now, "sqlite")
def _sqlite(element: Now, compiler: SQLCompiler, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(Now, "postgresql")
def _postgresql(element: Now, compiler: SQLCompiler, **options: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


@compiles(Now, "mysql")
def _mysql(element: Now, compiler: SQLCompiler, **options: Any) -> str:
    # NOTE: not UNIX_TIMESTAMP(NOW()): that goes through local time, where one hour of the year comes twice.
    return "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6)"
