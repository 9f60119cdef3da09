"""The store: Optuna's studies and autokd's own tables in one SQL database, the only truth there is."""

from autokd.store.db_errors import validated as validated
from autokd.store.leases import DriverFacts as DriverFacts
from autokd.store.leases import Lease as Lease
from autokd.store.retrying import Outage as Outage
from autokd.store.store import Store as Store
from autokd.store.url import normalise as normalise
from autokd.store.url import redacted as redacted
from autokd.store.url import sqlite_url as sqlite_url
