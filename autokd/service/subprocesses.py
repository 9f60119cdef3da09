"""Runs the command line in a process of its own, for a request that waits for what it prints."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from autokd.service.problems import Problem

_FIRST_TO_GO: Final = "1000"
"""Linux ends the process with the largest figure when memory runs out."""


class Printed(NamedTuple):
    """What a command has written, and its exit code."""

    exit_code: int
    output: bytes
    errors: bytes


async def run_autokd(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    seconds: float,
    noun: str,
    way_out: str,
    folder: Path | None = None,
) -> Printed:
    """Run `autokd` with these arguments to its end; it is killed should the client go away.

    Args:
        environment: All of its environment variables.
        seconds: Longest time that it may take.
        noun: What a problem calls it, e.g. `the check`.
        way_out: What to do if it takes longer.
        folder: Its working folder; None means that of the service.

    Raises:
        Problem: If it takes too long.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "autokd", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        env=environment,
        cwd=folder,
    )
    # Whoever asks for more memory than there is has this process ended, and not the service or its jobs.
    with suppress(OSError):
        Path(f"/proc/{process.pid}/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
    try:
        output, errors = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        raise Problem(503, "time", f"{noun} took more than {seconds:.0f} s", way_out=way_out) from None
    finally:
        # Also when the client has gone away, which cancels this task.
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Printed(process.returncode or 0, output, errors)
