"""Arguments from Python: every mistake is an `InputError` that names the argument."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import autokd
from autokd.errors import ArgumentError
from autokd.workflows.tune import BatchBudget
from tests.fuzz.harness import FORBIDDEN

NUMBERS: tuple[Any, ...] = (3.5, -1, True, 10**5000, float("nan"))
ODD: tuple[Any, ...] = (object(), b"x", ["a"], {"a": 1}, "odd text", "", *NUMBERS)
OF_A_WORKSPACE: tuple[Callable[..., Any], ...] = (
    autokd.tune_all,
    autokd.recommend_all,
    autokd.partners,
    autokd.predict,
    autokd.status,
    autokd.stop,
    autokd.explain,
    autokd.sweep,
    autokd.observe_claims,
    autokd.export,
    autokd.report_data,
    autokd.prepare,
)
IMAGES = np.zeros((4, 8, 8), dtype=np.uint8)
DATA = (IMAGES, np.arange(4) % 2)


@pytest.fixture
def workspace(tmp_path: Path) -> autokd.Workspace:
    return autokd.Workspace.open("digits", home=tmp_path)


def refused(call: Callable[[], object], name: str) -> None:
    with pytest.raises(autokd.InputError) as caught:
        call()
    said = str(caught.value)
    assert name in said, said
    assert "\n" not in said
    assert len(said) < 700
    assert not FORBIDDEN.search(said), said


@pytest.mark.parametrize("function", OF_A_WORKSPACE, ids=lambda function: function.__name__)
def test_a_function_of_a_workspace_checks_what_it_gets(
    function: Callable[..., Any], workspace: autokd.Workspace
) -> None:
    good: dict[str, Any] = {
        "pair": autokd.Pair(0, 1),
        "pairs": [autokd.Pair(0, 1)],
        "student": 1,
        "path": workspace.home / "a.parquet",
    }
    parameters = list(function.__wrapped__.__code__.co_varnames[: function.__wrapped__.__code__.co_argcount])  # type: ignore[attr-defined]
    needed = {name: good[name] for name in parameters if name in good}
    for odd in (None, *ODD):
        refused(partial(function, odd, **needed), "workspace")
    refused(lambda: function(workspace, **needed, pares=1), "pares")
    refused(lambda: function(), "workspace")
    for name in needed.keys() - {"student", "path"}:
        for odd in ODD:
            refused(partial(function, workspace, **{**needed, name: odd}), "pair")
        last = autokd.Pair(0, 10)
        there = [last] if name == "pairs" else last
        refused(partial(function, workspace, **{**needed, name: there}), "participant 10")


@pytest.mark.parametrize(
    ("name", "odds"),
    [
        ("study", (object(), 3, ["digits"], "digist", "", b"digits")),
        ("home", (object(), 3, ["a"], "", "a\0b", b"a")),
        ("storage", (object(), 3, ["a"], Path("a"))),
        ("space", (object(), 3, "", "defualt", ["default"])),
        ("trials", (object(), "3", 1, 0, -1, 2.5, True, 10**5000, float("inf"))),
        ("try_", (3, object(), "T=0", ["T=4"], [{"T": 10**5000}], [None], [["a"]], {"a": 1})),
    ],
)
def test_a_workspace_is_opened_with_what_it_needs(name: str, odds: tuple[Any, ...]) -> None:
    for odd in odds:
        expected = {"study": "", "space": ""}.get(name, name)
        refused(partial(autokd.Workspace.open, **{name: odd}), expected)
        refused(partial(autokd.tune, "0,1", **{name: odd}), expected)


@pytest.mark.parametrize(
    ("make", "name", "odds"),
    [
        (lambda odd: autokd.Setting(odd, 0.5, autokd.TransferSet.BOTH), "temperature", (0, -1, None, *ODD)),
        (lambda odd: autokd.Setting(1, odd, autokd.TransferSet.BOTH), "alpha", (2, None, *ODD)),
        (lambda odd: autokd.Setting(1, 0.5, odd), "transfer_set", (None, "bth", *ODD)),
        (lambda odd: autokd.Setting(1, 0.5, autokd.TransferSet.BOTH, epochs=odd), "epochs", (0, *ODD)),
        (lambda odd: autokd.Setting(1, 0.5, autokd.TransferSet.BOTH, method=odd), "method", (None, *ODD)),
        (lambda odd: autokd.Pair(odd, 1), "teacher", (None, *ODD)),
        (lambda odd: autokd.Pair(1, odd), "student", (None, 1, *ODD)),
        (lambda odd: autokd.Compute(threads=odd), "threads", (0, None, *ODD)),
        (lambda odd: autokd.Compute(memory_format=odd), "memory_format", (None, *ODD)),
        (lambda odd: autokd.Compute(precision=odd), "precision", ODD),
        (lambda odd: autokd.Compute(device=odd), "device", (None, 3, object(), ["cpu"])),
        (lambda odd: autokd.Resources(concurrency=odd), "concurrency", (0, *ODD)),
        (
            lambda odd: autokd.Resources(cpus_per_run=odd),
            "cpus_per_run",
            (0, None, "1", *NUMBERS),
        ),
        (lambda odd: BatchBudget(seconds=odd), "seconds", (-1, "1", True, float("inf"))),
        (lambda odd: autokd.tune(odd), "pair", (None, "0", "0,0", "0,99", (1,), *ODD)),
        (lambda odd: autokd.tune("0,1", position=odd), "position", ("left", *ODD)),
        (lambda odd: autokd.tune("0,1", compute=odd), "compute", ("cpu", *ODD)),
        (lambda odd: autokd.tune("0,1", workers=odd), "workers", (2, *ODD)),
        (lambda odd: autokd.tune("0,1", callbacks=odd), "callbacks", (print, *ODD)),
        (lambda odd: autokd.distill("0,1", odd), "out", (None, 3, "", object())),
        (
            lambda odd: autokd.distill("0,1", "a.safetensors", setting=odd),
            "setting",
            ("T=0", 3, {}, object()),
        ),
        (lambda odd: autokd.distill("0,1", "a.safetensors", seed=odd), "seed", (None, *ODD)),
        (lambda odd: autokd.distill("0,1", "a.safetensors", force=odd), "force", (None, 1, "yes")),
        (lambda odd: autokd.distill("0,1", "a.safetensors", for_=odd), "", (None, 3, "ownn", {"a": 2}, {})),
        (lambda odd: autokd.Setting(temprature=odd), "temprature", (1,)),  # type: ignore[call-arg]
        (lambda odd: autokd.Member(model=odd, data=DATA), "model", (None, print, *ODD)),
        (lambda odd: autokd.Member(model=nn.Identity(), data=DATA, options=odd), "options", (3, "a", [1])),
        (lambda odd: autokd.Member(model=nn.Identity(), dat=odd), "dat", (1,)),  # type: ignore[call-arg]
    ],
)
def test_an_argument_is_named(make: Callable[[Any], object], name: str, odds: tuple[Any, ...]) -> None:
    for odd in odds:
        if not (odd == 3.5 and name in ("temperature", "cpus_per_run")):
            refused(partial(make, odd), name)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"name": 3}, "name"),
        ({"name": "a/b"}, "name"),
        ({"members": []}, "members"),
        ({"members": [1, 2]}, "members[0]"),
        ({"members": "ab"}, "members"),
        ({"classes": "ab"}, "classes"),
        ({"classes": [None, 1]}, "classes"),
        ({"classes": ["a", "a"]}, "classes"),
        ({"validation": None}, "validation"),
        ({"validation": 3}, "validation"),
        ({"validation": (IMAGES, np.arange(3))}, "validation"),
        ({"test": (IMAGES, [{}, {}, {}, {}])}, "test"),
        ({"member": {"mean": "grey"}}, "members.0.mean"),
        ({"member": {"mean": (0.1, None)}}, "members.0.mean"),
        ({"member": {"std": 0}}, "members.0.std"),
        ({"member": {"channels": 2}}, "members.0.channels"),
        ({"member": {"size": 10**5000}}, "members.0"),
        ({"member": {"labels": [["a"], None]}}, "labels"),
        ({"member": {"options": {"a": object()}}}, "members.0.options.a"),
        ({"member": {"architecture": "no name"}}, "architecture"),
        ({"member": {"data": None}}, "data"),
    ],
)
def test_a_federation_of_models_names_what_is_wrong(
    tmp_path: Path, changes: dict[str, Any], name: str
) -> None:
    of_member = {"model": nn.Linear(64, 2), "data": DATA, "architecture": "mlp", **changes.pop("member", {})}
    other = autokd.Member(model=nn.Linear(64, 2), data=DATA, architecture="mlp")
    arguments: dict[str, Any] = {
        "name": "mine",
        "members": [autokd.Member(**of_member), other],
        **dict.fromkeys(("validation", "confirmation", "test"), DATA),
        "home": tmp_path / "home",
    } | changes
    refused(lambda: autokd.federation_from_models(**arguments), name)
    assert not (tmp_path / "home").exists()


def test_what_can_only_mean_one_thing_is_taken() -> None:
    setting = autokd.Setting(4, 1, "both", method="plain", epochs=3.0)  # type: ignore[arg-type]
    assert setting == autokd.Setting(4.0, 1.0, autokd.TransferSet.BOTH, epochs=3)
    assert setting.transfer_set is autokd.TransferSet.BOTH
    assert autokd.Pair(np.int64(0), 1.0) == autokd.Pair(0, 1)  # type: ignore[arg-type]
    here = autokd.Workspace.open("digits", try_="T=4,alpha=1,transfer_set=both")
    assert here.config.search.asked == (autokd.Setting(4.0, 1.0, autokd.TransferSet.BOTH),)
    assert autokd.Workspace.open("digits", trials=5).config.search.trials == 5


def test_an_argument_error_says_its_parts() -> None:
    with pytest.raises(ArgumentError) as caught:
        autokd.Compute(threads=0)
    assert (caught.value.argument, caught.value.problem) == ("threads", "must be at least 1, not 0")
    assert isinstance(caught.value, ValueError)
