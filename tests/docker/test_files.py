"""What Dockerfile, compose file, cluster file and scripts promise, read off them; and linters."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from autokd.service.settings import read_settings
from tests.docker.files import FOLDER, ROOT, Stage, command, compose, dockerfile, stages
from tests.docker.machine import PASSWORD, TOKEN, VARIABLES

SCRIPTS = ["autokd-node", "slurm.sh"]
OUTSIDE_OF_WORKERS = {"driver", "serve", "dashboard", "postgres"}
"""Services that get to know the database's password."""


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = compose(VARIABLES)["services"]
    return services


@pytest.fixture(scope="module")
def image() -> dict[str, Stage]:
    return dict(dockerfile())


def linter(name: str) -> str:
    # Beside this Python, which need not be on the path, and then anywhere.
    program = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        if os.environ.get("AUTOKD_REQUIRE_SERVERS") == "1":
            pytest.fail(f"no {name}")
        pytest.skip(f"no {name}")
    return program


def lint(*words: str | Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_hadolint_has_nothing_to_say() -> None:
    lint(linter("hadolint"), FOLDER / "Dockerfile")


@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_has_nothing_to_say(script: str) -> None:
    lint(linter("shellcheck"), FOLDER / script)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_has_nothing_to_say_of_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "autokd.service"
    text = (FOLDER / "autokd.service").read_text()
    installed = "/opt/autokd/bin/autokd"
    assert f"ExecStart={installed} serve\n" in text
    unit.write_text(text.replace(installed, sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    # It would say so.
    unit.write_text(text.replace(installed, sys.executable).replace("KillMode=", "KilMode="))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert "KilMode" in done.stderr


def test_the_service_is_asked_for_its_health_and_runs_its_jobs_on_the_cluster(
    services: dict[str, Any],
) -> None:
    service = services["serve"]
    assert command(service)[:2] == ["autokd-node", "serve"]
    assert "http://127.0.0.1:8321/readyz" in " ".join(service["healthcheck"]["test"])
    assert [str(port) for port in service["ports"]] == ["127.0.0.1:8321:8321"]
    settings = read_settings({}, {name: str(value) for name, value in service["environment"].items()})
    assert (settings.jobs, settings.proxies, settings.ray_address) == (1, (), "ray-head:6379")
    behind = compose({**VARIABLES, "PROXY": "172.18.0.1", "JOBS": "2"})["services"]["serve"]["environment"]
    settings = read_settings({}, {name: str(value) for name, value in behind.items()})
    assert (settings.jobs, settings.proxies) == (2, ("172.18.0.1",))


def test_the_compose_file_holds_by_the_specification() -> None:
    pytest.importorskip("compose_spec")
    from compose_spec import PyCompose

    content = compose({**VARIABLES, "WORKERS": "3"})
    PyCompose.from_json(json.dumps(content)).validate()
    content["services"]["worker"]["port"] = ["1:1"]
    with pytest.raises(ValueError, match="port"):
        PyCompose.from_json(json.dumps(content))


def test_images_are_pinned_and_from_nowhere_but_docker_hub(
    image: dict[str, Stage], services: dict[str, Any]
) -> None:
    outside = {stage.source for stage in image.values() if stage.source not in image}
    outside |= {service["image"] for service in services.values()} - {"autokd:cpu"}
    assert outside
    for name in outside:
        assert re.fullmatch(r"[a-z]+:\d+\.\d+[.\d]*-[a-z-]+", name), name


@pytest.mark.parametrize("file", sorted(path.name for path in FOLDER.iterdir()))
def test_nothing_is_fetched_from_a_place_of_our_own(file: str) -> None:
    hosts = re.findall(r"https?://([^/:'\"\s]+)", (FOLDER / file).read_text())
    assert set(hosts) <= {"127.0.0.1"}


def test_what_is_built_from_gets_to_the_builder_and_nothing_else(image: dict[str, Stage]) -> None:
    *rules, caches = (ROOT / ".dockerignore").read_text().split("\n*\n")[1].split()
    assert caches == "**/__pycache__"
    admitted = [rule.removeprefix("!") for rule in rules]
    copied = {
        source
        for stage in image.values()
        for value in stage.all("COPY")
        if "--from=" not in value
        for source in [word for word in value.split() if not word.startswith("--")][:-1]
    }
    assert copied == set(admitted)
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_runs_as_nobody_in_particular(image: dict[str, Stage]) -> None:
    names = [instruction.name for instruction in image["runtime"].instructions]
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("RUN", "COPY"))
    (user,) = image["runtime"].all("USER")
    assert int(user.partition(":")[0]) >= 1000


def test_every_direct_dependency_of_the_image_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + extras["cluster"] + extras["postgres"] + extras["mysql"]
    wanted += extras["service"]
    pinned = {_plain(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert {_plain(requirement) for requirement in wanted} <= pinned
    # What ray[default] needs beyond ray[tune].
    assert {"aiohttp", "grpcio", "opencensus", "prometheus-client"} <= pinned


def _plain(requirement: str) -> str:
    return re.split(r"[\[<>=]", requirement)[0].strip().lower().replace("_", "-")


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "RAY_AUTH_TOKEN"])
def test_without_a_secret_nothing_starts(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        compose({key: value for key, value in VARIABLES.items() if key != name})


def test_secrets_are_in_environments_only_and_only_where_they_are_needed(services: dict[str, Any]) -> None:
    for name, service in services.items():
        environment = str(service.get("environment", {}))
        rest = str({key: value for key, value in service.items() if key != "environment"})
        assert PASSWORD not in rest
        assert TOKEN not in rest
        assert (PASSWORD in environment) == (name in OUTSIDE_OF_WORKERS), name


def test_ports_are_published_on_loopback_only(services: dict[str, Any]) -> None:
    published = [str(port) for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not [name for name, service in services.items() if "network_mode" in service]


def test_containers_have_no_rights_to_spare(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert not service.get("privileged")
        if name != "postgres":  # whose image gives up root by itself, and needs some to do it
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name


def test_who_is_waited_for_can_say_that_it_is_well(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert ("healthcheck" in service) == (name != "driver"), name
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in services[other]


def test_every_node_of_ray_asks_for_the_token(services: dict[str, Any]) -> None:
    nodes = [service for service in services.values() if {"ray", "autokd-node"} & set(command(service))]
    assert len(nodes) == 5
    assert all(node["environment"]["RAY_AUTH_MODE"] == "token" for node in nodes)


def test_a_gpu_worker_reserves_the_gpus_and_is_there_only_when_asked_for(services: dict[str, Any]) -> None:
    (devices,) = services["gpu-worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert (devices["driver"], devices["capabilities"]) == ("nvidia", ["gpu"])
    assert services["gpu-worker"]["profiles"] == ["gpu"]
    # Ray counts them itself.
    assert not [word for word in command(services["gpu-worker"]) if fnmatch(word, "--num-gpus*")]


def test_the_cluster_file_holds_for_ray_up() -> None:
    prepared = prepare_config(yaml.safe_load((FOLDER / "ray-cluster.yaml").read_text()))
    validate_config(prepared)
    starts = prepared["head_start_ray_commands"] + prepared["worker_start_ray_commands"]
    assert all("RAY_AUTH_MODE=token" in start for start in starts if " start " in start)


def test_a_dockerfile_is_read_as_docker_would() -> None:
    read = stages('# one\nFROM a:1 AS x\nRUN one && \\\n    # why\n    two\n# two\nFROM x AS y\nCMD ["z"]\n')
    assert [(stage.name, stage.source) for stage in read.values()] == [("x", "a:1"), ("y", "x")]
    assert read["x"].all("RUN") == ("one && two",)
    assert read["y"].all("CMD") == ('["z"]',)
