"""Starts and ends Ray on this machine, or joins a cluster; pre-training and search share one session."""

from __future__ import annotations

import logging
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from autokd.compute import ray_folder, ray_health
from autokd.compute.termination import handler_kept, like_an_interrupt
from autokd.core.safe_path import child_environment
from autokd.errors import InputError, WorkersLost

if TYPE_CHECKING:
    from ray.job_config import JobConfig

_ENVIRONMENT: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # The future behaviour of Ray; without it Ray warns at each start.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_TOKEN: Final = "RAY_AUTH_TOKEN"
"""The token by which Ray's processes authenticate to each other."""
_TOKEN_VARIABLES: Final = (_TOKEN, "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE")
_SECRET: Final = "AUTOKD_STORAGE"
"""A URL that may hold a password. Only the driver opens the store, so no worker gets to see it."""
_ANSWER_SECONDS: Final = 6.0
_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""First bytes of an HTTP/2 (and gRPC) client: preface and empty SETTINGS (RFC 9113, section 3.4)."""
_FRAME_HEADER, _FRAME_TYPE, _SETTINGS = 9, 3, 4
_REASON_LENGTH: Final = 300


@contextmanager
def session(*, cpus: int | None = None, address: str | None = None) -> Iterator[None]:
    """Start Ray on this machine, or join a cluster. A Ray that is already running is used and left running.

    SIGTERM is like Ctrl-C inside, unless the program has a handler of its own.

    Ray's processes import nothing from the working folder or the folder of the program. On this machine, Ray
    keeps its files in a folder that nobody else can enter, and which is removed at the end.

    Args:
        cpus: Number of this machine's CPUs for workers, all by default; ignored for a cluster.
        address: Address of a cluster to join, see `check_address`; the cluster keeps running afterwards.

    Raises:
        InputError: If no cluster can be joined at `address`.
        WorkersLost: If Ray cannot start on this machine.
    """
    # Imported here, since it takes seconds and many commands do not need it.
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.update(_ENVIRONMENT)
    secret, python = os.environ.pop(_SECRET, None), shlex.quote(sys.executable)
    own_token = address is None and not any(os.environ.get(name) for name in _TOKEN_VARIABLES)
    with ExitStack() as files:
        files.enter_context(like_an_interrupt())
        files.enter_context(silent())
        folder: Path | None = None
        try:
            if address is None:
                if own_token:
                    # Ray would store its own in a world-readable file in the home folder.
                    os.environ[_TOKEN] = secrets.token_hex(32)
                with _translated(ray_folder.base()):
                    folder = files.enter_context(ray_folder.private_folder())
                    with _environment({**child_environment(), "RAY_TMPDIR": str(folder)}), handler_kept():
                        ray.init(
                            address="local",
                            num_cpus=cpus,
                            include_dashboard=False,
                            log_to_driver=False,
                            logging_level=logging.ERROR,
                            job_config=_job(),
                            # Ray starts Tune's workers by a shell and does not quote the path of Python.
                            runtime_env={} if python == sys.executable else {"py_executable": python},
                        )
                    ray_folder.close_to_others(folder)
            else:
                _join(address)
            try:
                yield
            except WorkersLost:
                if folder is not None:
                    ray_folder.keep_logs(folder)
                raise
        finally:
            ray_health.end()
            if own_token:
                _forget_token()
            if secret is not None:
                os.environ[_SECRET] = secret


@contextmanager
def silent() -> Iterator[None]:
    """Keep Ray's words on workers that have died off standard output, which is for results.

    What a death means for the command, the command says; Ray's logs have the rest.
    """
    from ray._private import worker

    before = worker._worker_logs_enabled
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = before


def logs() -> str:
    """Return the folder of the logs of the Ray that this process uses."""
    from ray._private import worker

    node = getattr(worker, "_global_node", None)
    return "/tmp/ray/session_latest/logs" if node is None else str(node.get_logs_dir_path())


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """Raise our own error, with a way out, for whatever keeps Ray from starting on this machine.

    Args:
        folder: Folder that its temporary one lies in.
    """
    try:
        yield
    except Exception as error:  # Ray has no class of its own for most of these.
        reason = " ".join(str(error).split())[:_REASON_LENGTH].rstrip(".") or type(error).__name__
        way_out = (
            "Its processes must be up within half a minute; is the machine busy with other work?"
            if "timed out" in reason
            else f"It needs a writable folder with free space and inodes, which is {folder} now; RAY_TMPDIR "
            "names another one."
        )
        raise WorkersLost(
            f"Ray cannot start on this machine: {reason}. {way_out} Nothing was changed; the same command "
            "goes on"
        ) from error


def check_address(address: str) -> None:
    """Raise `InputError` if an address is neither `HOST:PORT` nor `auto`, the cluster of this machine."""
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
    """Check that a cluster answers before anything starts: Ray itself would try for minutes.

    Args:
        address: Address of the cluster; None, for this machine alone, is always valid.

    Raises:
        InputError: If there is no cluster, or the server at the address is not Ray.
    """
    if address is not None:
        check_address(address)
        _resolve(address)


def _join(address: str) -> None:
    import ray
    from ray.exceptions import RayError

    resolved = _resolve(address)
    try:
        with handler_kept():
            ray.init(address=resolved, job_config=_job(), log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        reason = " ".join(str(error.__cause__ or error).split())[:_REASON_LENGTH].rstrip(".")
        raise InputError(
            f"--ray-address {address}: the cluster cannot be joined: {reason}; this machine must be one of "
            "its nodes, with the same versions of Python and Ray"
        ) from error


def _job() -> JobConfig:
    """Return a job whose workers do not import from the working folder or the folder of the driver's program.

    Ray puts both before everything else, and a `torch.py` in them would be imported in place of PyTorch.
    """
    from ray.job_config import JobConfig

    class Job(JobConfig):
        @property
        def _py_driver_sys_path(self) -> list[str]:
            return []

        @_py_driver_sys_path.setter
        def _py_driver_sys_path(self, folders: list[str]) -> None:
            """Forget them: what a recipe names travels with the networks (`core/own_code.py`)."""

    return Job()


@contextmanager
def _environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables for a moment, and remove those whose value is None."""
    before = {name: os.environ.get(name) for name in values}
    try:
        _set(values)
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _resolve(address: str) -> str:
    """Return `HOST:PORT` of a cluster that answers."""
    resolved = _this_machines_cluster() if address == "auto" else address
    host, port = _host_and_port(resolved)
    try:
        with socket.create_connection((host, port), timeout=_ANSWER_SECONDS) as connection:
            is_ray = bool(os.environ.get("RAY_USE_TLS")) or _speaks_grpc(connection)
    except OSError as error:
        raise InputError(
            f"--ray-address {address}: nobody answers at {resolved} ({error}); is the cluster up, and is it "
            "the address that ray start named?"
        ) from error
    if not is_ray:
        raise InputError(
            f"--ray-address {address}: the server at {resolved} is not Ray; the port is the one that ray "
            "start named, usually 6379, not the dashboard's"
        )
    return resolved


def _this_machines_cluster() -> str:
    from ray._private import services

    address: str | None = None
    with suppress(ConnectionError, ValueError):
        # NOTE: `ray.init` does the same; done here, the address can be tried before Ray waits for it.
        address = services.canonicalize_bootstrap_address("auto")
    if address is None:
        raise InputError(
            "--ray-address auto: this machine is not a node of a running cluster; make it one by "
            "ray start --address HOST:PORT"
        )
    return address


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"--ray-address {address}: give HOST:PORT, for example 10.0.0.1:6379, or auto")
    return host.strip("[]"), int(port)


def _speaks_grpc(connection: socket.socket) -> bool:
    """Return whether the server answers with SETTINGS, as HTTP/2 requires."""
    connection.sendall(_GREETING)
    header = connection.recv(_FRAME_HEADER, socket.MSG_WAITALL)
    return len(header) == _FRAME_HEADER and header[_FRAME_TYPE] == _SETTINGS


def _forget_token() -> None:
    """Remove our token, so that a cluster that this process joins later gets its own."""
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]  # it is in no stub

    for name in _TOKEN_VARIABLES:
        os.environ.pop(name, None)
    AuthenticationTokenLoader.instance().reset_cache()
