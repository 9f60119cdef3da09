"""Ray, started quietly and ended again, or a cluster joined: one session serves pre-training and search."""

from __future__ import annotations

import logging
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from autokd.errors import InputError

_ENVIRONMENT: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's behaviour to come, asked for now; without it Ray warns at each start.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_TOKEN: Final = "RAY_AUTH_TOKEN"
"""What Ray's own processes prove by that they belong together."""
_TOKEN_IS_GIVEN: Final = (_TOKEN, "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE")
_SECRET: Final = "AUTOKD_STORAGE"
"""An address that may hold a password: only the driver writes to the store, so no worker gets to see it."""
_ANSWER_SECONDS: Final = 6.0
_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How a client of HTTP/2, and so of gRPC, begins: preface and empty SETTINGS (RFC 9113, section 3.4)."""
_FRAME_HEADER, _FRAME_TYPE, _SETTINGS = 9, 3, 4
_REASON_LENGTH: Final = 300


@contextmanager
def session(*, cpus: int | None = None, address: str | None = None) -> Iterator[None]:
    """Ray on this machine, or a cluster; one that is started already is used, and left as it is.

    Args:
        cpus: How many this machine offers to workers; by default all there are. A cluster knows its own.
        address: Of a cluster to join, see `check_address`; at the end it is left and goes on without us.

    Raises:
        InputError: If no cluster can be joined at `address`.
    """
    # Imported here, since it takes seconds and much of autokd does without.
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.update(_ENVIRONMENT)
    secret = os.environ.pop(_SECRET, None)
    own_token = address is None and not any(os.environ.get(name) for name in _TOKEN_IS_GIVEN)
    try:
        if address is None:
            if own_token:
                # Ray would make one as well, and keep it in the home folder in a file that all may read.
                os.environ[_TOKEN] = secrets.token_hex(32)
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env=_runtime_environment(),
            )
        else:
            _join(address)
        yield
    finally:
        ray.shutdown()
        if own_token:
            _forget_token()
        if secret is not None:
            os.environ[_SECRET] = secret


def check_address(address: str) -> None:
    """Whether an address is one in form: `HOST:PORT`, or `auto` for the cluster this machine is a node of.

    Raises:
        InputError: If it is not.
    """
    scheme, separator, _ = address.partition("://")
    if separator:
        raise InputError(
            f"--ray-address {address}: a driver cannot join a cluster by {scheme}://; "
            "give the HOST:PORT that ray start named, on a node of the cluster, or send the whole command "
            "there: ray job submit --address http://HOST:8265 -- autokd tune --ray-address auto ..."
        )
    if address != "auto":
        _host_and_port(address)


def check_answers(address: str | None) -> None:
    """Whether somebody is there, before anything is begun: Ray itself would try for minutes.

    Args:
        address: Of a cluster; None, for this machine alone, always holds.

    Raises:
        InputError: If there is no cluster to be found, or nobody answers like one.
    """
    if address is not None:
        check_address(address)
        _resolve(address)


def _join(address: str) -> None:
    import ray
    from ray.exceptions import RayError

    there = _resolve(address)
    try:
        ray.init(address=there, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        reason = " ".join(str(error.__cause__ or error).split())[:_REASON_LENGTH].rstrip(".")
        raise InputError(
            f"--ray-address {address}: the cluster cannot be joined: {reason}; this machine must be one of "
            "its nodes, with the same versions of Python and Ray"
        ) from error


def _resolve(address: str) -> str:
    """`HOST:PORT` of a cluster that answers."""
    there = _this_machines_cluster() if address == "auto" else address
    host, port = _host_and_port(there)
    try:
        with socket.create_connection((host, port), timeout=_ANSWER_SECONDS) as connection:
            answers_alike = bool(os.environ.get("RAY_USE_TLS")) or _speaks_grpc(connection)
    except OSError as error:
        raise InputError(
            f"--ray-address {address}: nobody answers at {there} ({error}); is the cluster up, and is it the "
            "address that ray start named?"
        ) from error
    if not answers_alike:
        raise InputError(
            f"--ray-address {address}: what answers at {there} is not Ray; the port is the one that ray "
            "start named, usually 6379, not the dashboard's"
        )
    return there


def _this_machines_cluster() -> str:
    from ray._private import services

    found: str | None = None
    with suppress(ConnectionError, ValueError):
        # NOTE: `ray.init` asks the same; asked here, its answer can be tried before Ray waits for it.
        found = services.canonicalize_bootstrap_address("auto")
    if found is None:
        raise InputError(
            "--ray-address auto: this machine is no node of a cluster that is up; make it one by "
            "ray start --address HOST:PORT"
        )
    return found


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"--ray-address {address}: give HOST:PORT, for example 10.0.0.1:6379, or auto")
    return host.strip("[]"), int(port)


def _speaks_grpc(connection: socket.socket) -> bool:
    """Whether the other side begins as a server of HTTP/2 must, with its SETTINGS."""
    connection.sendall(_GREETING)
    header = connection.recv(_FRAME_HEADER, socket.MSG_WAITALL)
    return len(header) == _FRAME_HEADER and header[_FRAME_TYPE] == _SETTINGS


def _forget_token() -> None:
    """So that a cluster that is joined later, in this same process, is told its own."""
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]  # it is in no stub

    for name in _TOKEN_IS_GIVEN:
        os.environ.pop(name, None)
    AuthenticationTokenLoader.instance().reset_cache()


def _runtime_environment() -> dict[str, str]:
    """Ray starts Tune's workers by a shell, and forgets the quotes around Python's own path."""
    python = shlex.quote(sys.executable)
    return {} if python == sys.executable else {"py_executable": python}
