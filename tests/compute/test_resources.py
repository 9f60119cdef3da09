from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.compute.resources import Resources
from autokd.errors import InputError


@pytest.mark.parametrize(
    ("workers", "resources", "most"),
    [
        (Resources(), {"CPU": 2.0}, 3),
        (Resources(), {}, 2),
        (Resources(cpus_per_run=4), {"CPU": 2.0}, 2),
        (Resources(cpus_per_run=0.5), {"CPU": 2.0}, 5),
        (Resources(gpus_per_run=0.25), {"CPU": 16.0, "GPU": 2.0}, 9),
        (Resources(gpus_per_run=0.25), {"CPU": 3.0, "GPU": 2.0}, 4),
        (Resources(cpus_per_run=0, gpus_per_run=0.1), {"GPU": 1.0}, 11),
        (Resources(concurrency=3), {"CPU": 64.0}, 3),
        (Resources(concurrency=3), {"CPU": 2.0}, 3),
        (Resources(concurrency=1), {"CPU": 2.0}, 1),
    ],
)
def test_one_run_waits_beside_those_there_is_room_for(
    workers: Resources, resources: dict[str, float], most: int
) -> None:
    assert workers.max_in_flight(resources) == most


@given(st.integers(1, 64))
def test_a_gpu_in_n_parts_holds_n_runs(parts: int) -> None:
    assert Resources(cpus_per_run=0, gpus_per_run=1 / parts).max_in_flight({"GPU": 1}) == parts + 1


@pytest.mark.parametrize(
    "fields", [{"concurrency": 0}, {"cpus_per_run": -1}, {"gpus_per_run": -1}, {"cpus_per_run": 0}]
)
def test_what_does_not_hold(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"concurrency|pus_per_run"):
        Resources(**fields)


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        (Resources(gpus_per_run=0.5), "--gpus-per-trial 0.5: there are only 0 GPUs"),
        (Resources(cpus_per_run=3), "--cpus-per-trial 3: there are only 2 CPUs"),
    ],
)
def test_what_no_machine_has_is_said_rather_than_waited_for(workers: Resources, words: str) -> None:
    with pytest.raises(InputError, match=words):
        workers.check({"CPU": 2.0})
    workers.check({"CPU": 4.0, "GPU": 1.0})
