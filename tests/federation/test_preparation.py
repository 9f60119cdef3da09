from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autokd.compute.device import Compute
from autokd.config.federation import FederationConfig
from autokd.errors import (
    DeviceUnavailable,
    Diverged,
    FederationError,
    HomeNotWritable,
    InputError,
    PlanError,
    UnknownName,
)
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.federation.preparation import check_room, prepare
from autokd.federation.storage import federations_folder, save

from .conftest import make_recipe

CPU = Compute()


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """`import ray` fails."""
    monkeypatch.setitem(sys.modules, "ray", None)


@pytest.mark.ray(workers=2)
@pytest.mark.parametrize("workers", [1, 2, None])
def test_workers_make_the_same_bits_as_one_process_however_many_there_are(
    home: Path, federation: Federation, workers: int | None
) -> None:
    steps: list[tuple[int, int]] = []
    prepared = prepare(
        federation.recipe,
        home=home,
        compute=CPU,
        workers=workers,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert prepared.name == federation.name
    assert (prepared.logits == federation.logits).all()
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert [entry.name for entry in federations_folder(home).iterdir()] == [federation.name]


@pytest.mark.ray
def test_who_is_asked_while_it_waits_may_end_it_and_nothing_is_left(
    home: Path, federation: Federation
) -> None:
    asked: list[str] = []

    def stop_at_the_second() -> None:
        asked.append("asked")
        if len(asked) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(federation.recipe, home=home, compute=CPU, workers=1, while_waiting=stop_at_the_second)
    assert not federations_folder(home).exists() or not list(federations_folder(home).iterdir())
    assert prepare(federation.recipe, home=home, compute=CPU).name == federation.name


@pytest.mark.parametrize(
    ("resources", "on_gpu", "message"),
    [
        ({}, False, "no CPU"),
        ({"CPU": 0.5}, False, "no CPU"),
        ({"CPU": 8.0}, True, "--device cuda: no node of the cluster offers a GPU"),
    ],
)
def test_a_cluster_without_room_is_said_rather_than_waited_for(
    resources: dict[str, float], on_gpu: bool, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_room(resources, on_gpu=on_gpu)
    check_room(resources | {"CPU": 1.0, "GPU": 1.0}, on_gpu=on_gpu)


@pytest.mark.ray(workers=2)
def test_a_ray_that_was_there_before_is_left_running(home: Path, recipe: FederationConfig) -> None:
    import ray

    prepare(recipe, home=home, compute=CPU)
    assert ray.is_initialized()


@pytest.mark.ray(workers=2)
def test_divergence_in_a_worker_is_our_one_line_error_and_leaves_nothing(home: Path) -> None:
    recipe = make_recipe(pretraining={"learning_rate": 1e30, "epochs": 2})
    with pytest.raises(Diverged) as caught:
        prepare(recipe, home=home, compute=CPU)
    assert type(caught.value) is Diverged
    assert "\n" not in str(caught.value)
    assert list(federations_folder(home).iterdir()) == []


@pytest.mark.usefixtures("no_ray")
def test_what_was_prepared_before_is_found_without_ray_or_data(
    home: Path, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(federation, federations_folder(home) / federation.name)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    steps: list[tuple[int, int]] = []
    again = prepare(
        federation.recipe, home=home, compute=CPU, progress=lambda done, total: steps.append((done, total))
    )
    assert again.name == federation.name
    assert steps == []


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(
    ("change", "compute", "error", "message"),
    [
        ({"dataset": "cifar"}, CPU, UnknownName, "no dataset is called 'cifar'"),
        ({"architectures": [{"name": "vgg"}]}, CPU, UnknownName, "no architecture is called 'vgg'"),
        ({"architectures": [{"name": "cnn", "options": {"depth": 3}}]}, CPU, PlanError, "known here: widths"),
        ({"partition": {"scheme": "classes", "per_participant": 3}}, CPU, PlanError, "per_participant"),
        ({}, Compute(device="cuda:99"), DeviceUnavailable, "cuda:99"),
    ],
)
def test_what_cannot_be_prepared_is_said_before_any_worker_starts(
    home: Path, change: dict[str, Any], compute: Compute, error: type[InputError], message: str
) -> None:
    with pytest.raises(error, match=message):
        prepare(make_recipe(**change), home=home, compute=compute)
    assert list(home.iterdir()) == []


@pytest.mark.usefixtures("no_ray")
def test_a_home_that_cannot_be_written_is_said_before_any_worker_starts(
    home: Path, recipe: FederationConfig
) -> None:
    federations_folder(home).write_text("a file where the folder should be")
    with pytest.raises(HomeNotWritable, match=r"federations: cannot be written: .*; choose another --home"):
        prepare(recipe, home=home, compute=CPU)


@pytest.mark.usefixtures("no_ray")
def test_a_damaged_federation_is_not_silently_prepared_again(home: Path, federation: Federation) -> None:
    folder = federations_folder(home) / federation.name
    save(federation, folder)
    (folder / "logits.safetensors").unlink()
    with pytest.raises(FederationError, match=r"logits\.safetensors"):
        prepare(federation.recipe, home=home, compute=CPU)


ALONE = """
import sys
from pathlib import Path
from autokd.compute.device import Compute
from autokd.federation.preparation import prepare
from autokd.config.federation import FederationConfig
recipe = FederationConfig.model_validate_json(sys.argv[1])
name = prepare(recipe, home=Path(sys.argv[2]), compute=Compute(), workers=2).name
import ray
assert not ray.is_initialized()
print(name)
"""


@pytest.mark.ray(workers=2)
@pytest.mark.slow
def test_ray_is_started_if_need_be_and_ended_again_without_a_word(home: Path, federation: Federation) -> None:
    recipe = federation.recipe.model_dump_json()
    command = [sys.executable, "-W", "error", "-c", ALONE, recipe, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{federation.name}\n", "")
    assert find(home, federation.recipe) is not None
