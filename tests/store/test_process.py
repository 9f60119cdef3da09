from __future__ import annotations

import os
import subprocess
import sys

import pytest

from autokd.store.process import Process


def test_it_survives_the_database() -> None:
    here = Process.current()
    assert Process.model_validate_json(here.model_dump_json()) == here


def test_it_is_named_for_people() -> None:
    process = Process.current().model_copy(update={"user": "anna", "host": "node1", "number": 4711})
    assert str(process) == "anna@node1, process 4711"


def test_this_one_is_not_gone() -> None:
    assert not Process.current().gone


def test_one_that_has_ended_is_gone_even_before_it_is_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = Process.current().model_copy(update={"number": child.pid, "started": None})
        assert not process.gone
        child.kill()
    assert process.gone


@pytest.mark.skipif(sys.platform != "linux", reason="when a process started is read from /proc")
def test_a_number_that_another_process_got_since_is_not_the_same_process() -> None:
    here = Process.current()
    assert here.started is not None
    assert here.model_copy(update={"started": here.started - 1}).gone
    assert not here.model_copy(update={"machine": "another", "started": here.started - 1}).gone


@pytest.mark.skipif(sys.platform != "linux", reason="when a process started is read from /proc")
def test_a_zombie_is_gone() -> None:
    code = "from autokd.store.process import Process; print(Process.current().model_dump_json(), flush=True)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        process = Process.model_validate_json(child.stdout.readline().decode())
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # Dead, and still in the table.
        assert process.number == child.pid
        assert process.gone
