"""The script for a GPU, on a CPU: every path but those that need CUDA, with sizes that take a moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu, gpu_parts
from benchmarks.earlier_engine import digest
from benchmarks.engine import bare
from benchmarks.engine_cases import Random
from benchmarks.gpu import PARTS, Part, Record, rows_of
from benchmarks.gpu_cases import DIGITS, Plan, case, full, quick, run_of
from benchmarks.gpu_loop import BareLoop
from tests.paths import ROOT

TINY = Random(architecture="cnn", options={"widths": [2, 4]}, images=20, batch_size=8, epochs=2)
TINY_FIELDS = asdict(TINY)
PLAN = replace(quick("cpu"), networks={DIGITS: TINY, "cnn_large": TINY})


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run_part(name: str) -> list[dict[str, Any]]:
    return [dict(row) for row in PARTS[name].rows(PLAN)]


@pytest.mark.slow
def test_one_command_does_all_that_a_cpu_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "quick", lambda device: PLAN)
    out = tmp_path / "gpu.json"
    assert gpu.main(["--device", "cpu", "--quick", "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["quick"]
    assert {name: part["status"] for name, part in report["parts"].items()} == {
        "checks": "done",
        "bits": "done",
        "shares": "done",
        "processes": "done",
        "streams": "needs CUDA",
        "graphs": "needs CUDA",
    }
    rows = {name: part["rows"] for name, part in report["parts"].items()}
    assert [(row["network"], row["precision"]) for row in rows["shares"]] == [
        (name, precision) for name in PLAN.networks for precision in ("float32", "bfloat16")
    ]
    assert [(row["network"], row["at_once"]) for row in rows["processes"]] == [
        (name, count) for name in PLAN.networks for count in (1, 2)
    ]
    assert all(row["whole_runs"] > 0 for row in rows["processes"])
    assert "needs CUDA" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [out]


def test_needs_neither_ray_nor_a_database() -> None:
    code = f"""
import sys
for name in ("ray", "optuna", "sqlalchemy", "alembic", "plotly", "typer", "jinja2", "pyarrow"):
    sys.modules[name] = None
from dataclasses import replace
from benchmarks.engine_cases import Random
from benchmarks.gpu import PARTS
from benchmarks.gpu_cases import DIGITS, quick
plan = replace(quick("cpu"), networks={{DIGITS: Random(**{TINY_FIELDS!r})}})
for name in ("checks", "bits", "shares"):
    assert list(PARTS[name].rows(plan)), name
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)


def test_checks_and_bits_hold() -> None:
    rows = [*run_part("checks"), *run_part("bits")]
    assert [row for row in rows if not row["holds"]] == []
    assert len(rows) == 5 + 4


def test_threads_give_the_bits_of_a_run_alone() -> None:
    rows = run_part("streams")
    assert [(row["network"], row["at_once"]) for row in rows] == [
        (name, count) for name in PLAN.networks for count in PLAN.at_once
    ]
    assert all(row["same_bits_as_alone"] and row["whole_runs"] > 0 for row in rows)


def test_a_network_that_cannot_be_captured_is_told_and_the_next_one_tried() -> None:
    assert run_part("graphs") == [
        {
            "network": name,
            "captured": False,
            "reason": "RuntimeError: a CUDA graph is captured on a stream of its own",
        }
        for name in PLAN.networks
    ]


def test_several_loops_in_turn_end_as_one_alone() -> None:
    what, compute = case(PLAN, DIGITS), PLAN.compute("float32")
    alone, *others = (BareLoop(what, compute) for _ in range(3))
    for _ in range(2):
        alone.epoch()
    gpu_parts._epochs(others, 2)
    for loop in others:
        assert digest(loop.student) == digest(alone.student)


def test_the_loop_makes_the_steps_of_the_engines_benchmark_and_begins_again() -> None:
    what = case(PLAN, DIGITS)
    _, theirs = bare(what)
    loop = BareLoop(what, PLAN.compute("float32"))
    for _ in range(2):
        for _ in range(what.recipe.epochs):
            loop.epoch()
        for name, value in loop.student.state_dict().items():
            torch.testing.assert_close(value, theirs.state_dict()[name], rtol=1e-5, atol=1e-6)
        loop.reset()
    first = next(iter(loop.student.parameters()))
    assert (first != next(iter(theirs.parameters()))).any()


def test_a_loop_in_bfloat16_rounds() -> None:
    what = case(PLAN, "cnn_large")
    students = []
    for precision in ("float32", "bfloat16"):
        loop = BareLoop(what, PLAN.compute(precision))
        loop.epoch()
        students.append(torch.cat([value.flatten() for value in loop.student.parameters()]))
    assert students[0].dtype == students[1].dtype == torch.float32
    assert 0 < (students[0] - students[1]).abs().max() < 0.02


def test_speeds_at_once_are_counted_from_the_first_beginning_to_the_last_end() -> None:
    spans = [[(0.0, 4.0, 100), (10.0, 12.0, 100)], [(1.0, 5.0, 100), (10.0, 14.0, 100)]]
    assert gpu_parts._at_once("n", 2, spans) == {"network": "n", "at_once": 2, "whole_runs": 45.0}


@pytest.mark.parametrize("name", [DIGITS, "cnn_large"])
def test_cases_have_the_shape_that_is_said(name: str) -> None:
    what = case(full("cpu"), name) if name == DIGITS else case(PLAN, name)
    assert what.federation.data.images.shape[1:] == ((1, 8, 8) if name == DIGITS else (3, 32, 32))
    assert what.rungs == ((3, 6, 10) if name == DIGITS else (2,))
    assert run_of(what, PLAN.compute("float32")).tensor_format.memory_format == "channels_last"


def test_all_parts_leave_time_to_end_processes() -> None:
    assert 0.9 < sum(part.share for part in PARTS.values()) < 0.98
    assert gpu.MINUTES == 12


def endless(plan: Plan) -> Iterator[gpu_parts.Row]:
    yield {"process": os.getpid()}
    # What a part has started must end with it.
    child = subprocess.Popen(["sleep", "600"])
    yield {"process": child.pid}
    child.wait()


def failing(plan: Plan) -> Iterator[gpu_parts.Row]:
    yield {"holds": True}
    raise ValueError("no such kernel")


def dying(plan: Plan) -> Iterator[gpu_parts.Row]:
    yield {"holds": False}
    os.kill(os.getpid(), signal.SIGSEGV)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "limit", "status", "kept"),
    [
        (endless, 12.0, "stopped at its limit of 12 s", 2),
        (failing, 60.0, "failed: ValueError: no such kernel", 1),
        (dying, 60.0, "died with exit code -11", 1),
    ],
)
def test_a_part_that_does_not_end_well_leaves_its_rows(
    rows, limit: float, status: str, kept: int, tmp_path: Path
) -> None:
    out = tmp_path / "gpu.json"
    record = Record(out, {})
    record.begin("bits")
    assert rows_of(rows, PLAN, limit, record) == status
    record.end(status, 1.0)
    bits = json.loads(out.read_text())["parts"]["bits"]
    assert (bits["status"], len(bits["rows"])) == (status, kept)
    assert not record.is_good
    for row in bits["rows"]:
        assert not is_alive(row.get("process", 0))


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_found(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--quick", "--out", str(out)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "holds" in line:
            break
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"interrupted; {out} has what was found" in said
    parts = json.loads(out.read_text())["parts"]
    assert list(parts) == ["checks"]
    assert parts["checks"]["status"] == "interrupted"
    assert parts["checks"]["rows"][0]["holds"]


def untrue(plan: Plan) -> Iterator[gpu_parts.Row]:
    yield {"check": "one", "holds": True}
    yield {"check": "another", "holds": False}


@pytest.mark.slow
def test_a_check_that_does_not_hold_makes_the_status_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "PARTS", {"checks": Part(rows=untrue, share=0.1)})
    assert gpu.main(["--device", "cpu", "--quick"]) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_says_that_there_is_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main([])
    assert "0 usable CUDA devices" in capsys.readouterr().err
