"""The Python API: its names, and the examples of its docs on a federation that is made in a moment."""

from __future__ import annotations

import ast
import doctest
import gc
import logging
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import autokd
from autokd import api
from autokd.federation import in_memory, preparation
from autokd.workflows import deprecated, explain, recommend, status, stop, sweep, tune
from tests.paths import ROOT

PUBLIC = {
    "advise", "advise_all",
    "AutokdError", "Batch", "CallbackList", "Callbacks", "Card", "Client", "Compute", "DEFAULT", "distill",
    "Federation", "Group",
    "InputError", "Interval", "Member", "NotRecommended", "NotTuned", "Pair", "PairResult", "Position",
    "explain", "export", "observe_claims", "partners", "predict", "prepare", "recommend_all",
    "report_data", "status", "stop", "sweep", "tune_all", "recommend", "Recommendation",
    "Setting", "Space", "Split", "StudyConfig", "TransferSet", "tune",
    "JudgedTrials", "MlflowLogger", "TensorBoardLogger", "WandbLogger",
    "Resources", "Verdict", "Workspace", "federation_from_models", "load_federation",
}  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert set(autokd.__all__) == PUBLIC | {"__version__"}
    assert set(dir(autokd)) >= PUBLIC
    for name in PUBLIC:
        assert getattr(autokd, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'tuna'"):
        autokd.tuna  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(("former", "instead"), [("StudyPlan", "StudyConfig"), ("Workers", "Resources")])
def test_former_names_are_the_new_things_with_a_warning(former: str, instead: str) -> None:
    with pytest.warns(DeprecationWarning, match=instead):
        thing = getattr(autokd, former)
    assert thing is getattr(autokd, instead)


def test_what_checkers_see_is_what_is_there() -> None:
    tree = ast.parse((ROOT / "autokd" / "__init__.py").read_text())
    block = next(
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == autokd._FROM


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = ("torch", "ray", "numpy", "optuna")
    code = f"import sys, autokd, autokd.api; print([one for one in {heavy} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_first_names_that_are_used_work_in_any_order() -> None:
    code = "import autokd; print(autokd.Pair(4, 9), autokd.Federation.__name__, autokd.distill.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4->9", "Federation", "distill"]


def tiny() -> dict[str, object]:
    training = {"learning_rate": 0.01, "epochs": 2}
    return {
        "name": "mine",
        "federation": {
            "name": "mine",
            "dataset": "digits",
            "participants": 3,
            "partition": {"scheme": "iid"},
            "splits": {"validation": 200, "confirmation": 350, "test": 250, "public": 97},
            "architectures": [{"name": "mlp", "options": {"widths": [8]}}],
            "pretraining": training,
        },
        "distillation": training,
        "space": "private",
        "search": {"trials": 2, "stopping": {"rungs": [1]}},
        "confirmation": {"candidates": 1, "race_seeds": 1, "seeds": 2, "resamples": 200},
    }


@pytest.mark.ray
@pytest.mark.slow
def test_the_examples_of_the_docs_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(tiny()))
    shutil.copy(ROOT / "tests" / "compatibility" / "grid.yaml", tmp_path)
    page = (ROOT / "docs" / "python.md").read_text().replace("```", "")
    examples = doctest.DocTestParser().get_doctest(page, {}, "python.md", None, 0)
    assert len(examples.examples) > 10
    _hold(examples)
    modules: tuple[ModuleType, ...] = (
        api, preparation, in_memory, recommend, status, stop, tune, sweep, explain,
    )  # fmt: skip
    documented = [
        test for module in modules for test in doctest.DocTestFinder().find(module) if test.examples
    ]
    assert len(documented) == 11
    for test in documented:
        for file in tmp_path.glob("student.*"):
            file.unlink()
        _hold(test)


def _hold(examples: doctest.DocTest) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(examples)
    assert runner.summarize(verbose=False).failed == 0


def test_a_listener_still_works_and_names_what_to_use_instead() -> None:
    with pytest.warns(DeprecationWarning, match="autokd.Callbacks"):
        former = autokd.Listener  # type: ignore[attr-defined]
    calls: list[object] = []
    listener = former(preparing=lambda done, total: calls.append((done, total)), noticing=calls.append)
    assert isinstance(listener, autokd.Callbacks)
    received: list[autokd.Callbacks] = []

    @deprecated.accepts_listener
    def tune(*, callbacks: autokd.Callbacks) -> None:
        received.append(callbacks)

    with pytest.warns(DeprecationWarning, match="callbacks="):
        tune(listener=listener)  # type: ignore[call-arg]
    assert received.pop() is listener
    listener.on_prepare(1, 2)
    listener.on_stopping()
    logging.getLogger("autokd.federation").warning("no room")
    assert calls == [(1, 2), "no room"]
    del listener
    gc.collect()
    logging.getLogger("autokd.federation").warning("nobody listens any more")
    assert calls == [(1, 2), "no room"]


def test_former_names_are_the_new_ones_and_say_so() -> None:
    for name, instead in deprecated.NAMES.items():
        with pytest.warns(DeprecationWarning, match=rf"autokd\.{name} is deprecated: use autokd\.{instead}"):
            former = getattr(autokd, name)
        assert issubclass(former, getattr(autokd, instead))


def test_former_methods_of_a_workspace_call_the_workflows(tmp_path: Path) -> None:
    workspace = autokd.Workspace.open("digits", home=tmp_path)
    for name, function in deprecated.METHODS.items():
        instead = function.rpartition(".")[2]
        assert hasattr(autokd, instead)
        with pytest.warns(DeprecationWarning, match=rf"Workspace\.{name} is .*: use autokd\.{instead}"):
            method = getattr(workspace, name)
        assert callable(method)
    with (
        pytest.warns(DeprecationWarning, match="recommend"),
        pytest.raises(autokd.NotTuned, match="--pair 4,9"),
    ):
        workspace.recommend(autokd.Pair(4, 9))  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no attribute 'tuna'"):
        workspace.tuna  # type: ignore[attr-defined]  # noqa: B018


def test_the_former_methods_of_a_federation_still_work_and_name_what_to_call_instead(tmp_path: Path) -> None:
    with (
        pytest.warns(DeprecationWarning, match=r"autokd\.load_federation"),
        pytest.raises(autokd.NotTuned, match="has not been prepared"),
    ):
        autokd.Federation.load(home=tmp_path)  # type: ignore[attr-defined]
    with (
        pytest.warns(DeprecationWarning, match=r"autokd\.federation_from_models"),
        pytest.raises(autokd.InputError, match="validation"),
    ):
        autokd.Federation.from_models("small", [])  # type: ignore[attr-defined]
    with pytest.warns(DeprecationWarning, match=r"autokd\.models\.architectures"):
        former = import_module("autokd.federation.architectures")
    assert former.Cnn is import_module("autokd.models.architectures").Cnn


def test_the_former_plan_of_a_workspace_is_its_config() -> None:
    workspace = autokd.Workspace.open("digits")
    with pytest.warns(DeprecationWarning, match=r"use Workspace\.config"):
        assert workspace.plan is workspace.config  # type: ignore[attr-defined]
