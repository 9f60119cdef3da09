"""How much memory a device has free, and whether a run's images may have that much of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import torch

_PART: Final = 4
"""A run's images get a quarter of what is free: weights, optimizer and activations need the rest."""
_MEMINFO: Final = Path("/proc/meminfo")
_CGROUP: Final = Path("/sys/fs/cgroup")


def fits(wanted: int, free: int | None, *, runs: int = 1) -> bool:
    """Whether images may have so much.

    Args:
        wanted: Bytes.
        free: Of the device, in bytes; None where that is not known, and then they may.
        runs: That share it, and each may want as much at the same moment.
    """
    return free is None or wanted * _PART * runs <= free


def free_bytes(device: str) -> int | None:
    """What new tensors may have on a device, in bytes; None where the system does not tell."""
    there = torch.device(device)
    if there.type != "cuda":
        return _of_the_host(_text(_MEMINFO), *(_text(_CGROUP / name) for name in _LIMITS))
    free, _ = torch.cuda.mem_get_info(there)
    # What PyTorch keeps for itself, and nothing uses, is free, too.
    return free + torch.cuda.memory_reserved(there) - torch.cuda.memory_allocated(there)


def runs_at_once(device: str) -> int:
    """How many runs may share a device and look at its free memory at the same moment.

    On the host there may be one per core. Those that share a GPU are few, and a quarter each leaves room.
    """
    return 1 if torch.device(device).type == "cuda" else os.cpu_count() or 1


_LIMITS: Final = ("memory.max", "memory.current", "memory.stat")


def _of_the_host(meminfo: str, limit: str, used: str, stat: str) -> int | None:
    """The lesser of what the machine has and what the container may have.

    Args:
        meminfo: Linux's own figures, in KiB; empty on other systems.
        limit: Of the control group (version 2), in bytes or `max`; empty without one.
        used: By the control group, pages of files included, which are given back when memory is short.
        stat: What these pages are.
    """
    lines = (line.split() for line in meminfo.splitlines())
    known = [1024 * int(line[1]) for line in lines if line and line[0] == "MemAvailable:"]
    if limit.strip().isdecimal() and used.strip().isdecimal():
        figures = dict(line.split(maxsplit=1) for line in stat.splitlines() if " " in line)
        files = int(figures.get("active_file", 0)) + int(figures.get("inactive_file", 0))
        known.append(max(0, int(limit) - int(used) + files))
    return min(known, default=None)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
