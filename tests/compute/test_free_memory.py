from __future__ import annotations

import pytest

from autokd.compute.free_memory import _of_the_host, fits_in_memory, free_bytes

GIB = 2**30
MEMINFO = "MemTotal:       8388608 kB\nMemFree:          100 kB\nMemAvailable:    4194304 kB\n"


@pytest.mark.parametrize(
    ("wanted", "free", "runs", "answer"),
    [
        (1 * GIB, 4 * GIB, 1, True),
        (1 * GIB + 1, 4 * GIB, 1, False),
        (1 * GIB, 4 * GIB, 2, False),
        (GIB // 2, 4 * GIB, 2, True),
        (0, 0, 64, True),
        (1, 0, 1, False),
        (10**15, None, 64, True),  # Of a system that does not tell.
    ],
)
def test_images_may_have_a_quarter_of_what_is_free_shared_by_all_runs(
    wanted: int, free: int | None, runs: int, answer: bool
) -> None:
    assert fits_in_memory(wanted, free, runs=runs) is answer


@pytest.mark.parametrize(
    ("limit", "used", "stat", "free"),
    [
        ("", "", "", 4 * GIB),
        ("max\n", f"{GIB}\n", "anon 5\n", 4 * GIB),
        (f"{3 * GIB}\n", f"{GIB}\n", "anon 5\n", 2 * GIB),
        # Pages of files are given back when memory is short.
        (f"{3 * GIB}\n", f"{2 * GIB}\n", f"anon 5\nactive_file {GIB}\ninactive_file 7\n", 2 * GIB + 7),
        (f"{GIB}\n", f"{2 * GIB}\n", "anon 5\n", 0),
        (f"{64 * GIB}\n", "0\n", "", 4 * GIB),
    ],
)
def test_the_host_has_what_the_machine_and_the_container_both_have(
    limit: str, used: str, stat: str, free: int
) -> None:
    assert _of_the_host(MEMINFO, limit, used, stat) == free


def test_where_nothing_is_told_nothing_is_known() -> None:
    assert _of_the_host("", "", "", "") is None


def test_this_machine_has_something_free() -> None:
    free = free_bytes("cpu")
    assert free is None or free > 2**20
