"""A PostgreSQL server of a test's own, which it may stop and start as it likes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, final

import pytest

_DEBIAN: Final = Path("/usr/lib/postgresql")
"""Where Debian keeps the server's programs, which are not on the path."""
_USER: Final = "postgres"
"""Who runs the server where the tests run as root, which it refuses."""


@final
class Postgres:
    """One server in a folder; it listens on its own port of this machine, and trusts everybody there."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self._folder, self._data = programs, folder, folder / "data"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run("initdb", "--auth=trust", "--no-sync", f"--username={_USER}", f"--pgdata={self._data}")
        settings = {
            "listen_addresses": "'127.0.0.1'",
            "port": self.port,
            "unix_socket_directories": f"'{folder}'",
            "fsync": "off",
            "shared_buffers": "'8MB'",
        }
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{key} = {value}\n" for key, value in settings.items())

    @property
    def url(self) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Returns when it answers."""
        self._control("start", f"--log={self._folder / 'log'}")

    def stop(self, mode: str = "fast") -> None:
        """`fast` ends all sessions properly, `immediate` is as good as a crash."""
        self._control("stop", f"--mode={mode}")

    def _control(self, what: str, *arguments: str) -> None:
        self._run("pg_ctl", what, f"--pgdata={self._data}", "--wait", "--silent", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        # NOTE: no pipes: the server would inherit them, and reading would wait for its end.
        with (self._folder / "output").open("ab") as output:
            done = subprocess.run([*_as_user(), *command], stdout=output, stderr=output, cwd=self._folder)
        assert done.returncode == 0, (self._folder / "output").read_text()


@contextmanager
def private_postgres() -> Iterator[Postgres]:
    """A running server, gone afterwards; the test is skipped where there is none to be had."""
    programs = _programs()
    if programs is None:
        problem = "no PostgreSQL server is installed (initdb and pg_ctl)"
        if os.environ.get("AUTOKD_REQUIRE_SERVERS") == "1":
            pytest.fail(problem)
        pytest.skip(problem)
    # Not in pytest's folder: that may be closed to the server's user, and too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="autokd-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
        server = Postgres(programs, folder)
        server.start()
        try:
            yield server
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                server.stop("immediate")
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    program = shutil.which("pg_ctl")
    if program is not None and (Path(program).resolve().parent / "initdb").exists():
        return Path(program).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


def _as_user() -> Sequence[str]:
    return ("runuser", "-u", _USER, "--") if os.geteuid() == 0 else ()
