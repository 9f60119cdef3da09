"""How much memory a device has free, and whether the images of a run fit into it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PART: Final = 4
"""A run's images get a quarter of the free memory: weights, optimizer and activations need the rest."""
_MEMINFO: Final = Path("/proc/meminfo")
_CGROUP: Final = Path("/sys/fs/cgroup")
_LIMITS: Final = ("memory.max", "memory.current", "memory.stat")


def fits_in_memory(wanted: int, free: int | None, *, runs: int = 1) -> bool:
    """Return whether images of a run fit into memory.

    Args:
        wanted: Size of the images in bytes.
        free: Free memory of the device in bytes; None if it is unknown, and then they fit.
        runs: Number of runs that may need as much at the same moment.
    """
    return free is None or wanted * _PART * runs <= free


def free_bytes(device: str) -> int | None:
    """Return the memory in bytes that new tensors may take on a device; None if it is unknown."""
    if not _is_cuda(device):
        return _of_the_host(_text(_MEMINFO), *(_text(_CGROUP / name) for name in _LIMITS))
    # Imported here: who asks for the host's memory needs no PyTorch.
    import torch

    place = torch.device(device)
    free, _ = torch.cuda.mem_get_info(place)
    # Memory that PyTorch has reserved and does not use is free, too.
    return free + torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)


def runs_at_once(device: str) -> int:
    """Return how many runs may share a device and look at its free memory at the same moment.

    On the host that may be one per core. Few runs share a GPU, and a quarter for each leaves enough.
    """
    return 1 if _is_cuda(device) else os.cpu_count() or 1


def _is_cuda(device: str) -> bool:
    return device.partition(":")[0] == "cuda"


def _of_the_host(meminfo: str, limit: str, used: str, stat: str) -> int | None:
    """Return the smaller of what the machine and what the container has free.

    Args:
        meminfo: Linux's figures in KiB; empty on other systems.
        limit: Limit of the control group (version 2), in bytes or `max`; empty without one.
        used: Memory of the control group, with the file pages that are released when memory is short.
        stat: Its statistics, with the size of these pages.
    """
    lines = (line.split() for line in meminfo.splitlines())
    free = [1024 * int(line[1]) for line in lines if line and line[0] == "MemAvailable:"]
    if limit.strip().isdecimal() and used.strip().isdecimal():
        figures = dict(line.split(maxsplit=1) for line in stat.splitlines() if " " in line)
        files = int(figures.get("active_file", 0)) + int(figures.get("inactive_file", 0))
        free.append(max(0, int(limit) - int(used) + files))
    return min(free, default=None)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
