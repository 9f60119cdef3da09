"""What a user installs: a wheel built from the source distribution, where no checkout is in sight."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import textwrap
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

import autokd
from autokd.config.base import content_hash
from autokd.config.yaml_files import Kind, read_study_config, shipped

ROOT = Path(__file__).parent.parent
KINDS: tuple[Kind, ...] = ("studies", "search_spaces")


class Built(NamedTuple):
    sdist: Path
    wheel: Path


class Installed(NamedTuple):
    """A clean environment with the wheel in it, and an unrelated folder to work in."""

    environment: Path
    elsewhere: Path

    def run(self, program: str, *arguments: str) -> str:
        """Standard output of a program of the environment."""
        # Nothing of the caller's may lead back to the checkout.
        variables = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
        command = [str(self.environment / "bin" / program), *arguments]
        done = subprocess.run(
            command, cwd=self.elsewhere, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def python(self, code: str) -> str:
        return self.run("python", "-c", textwrap.dedent(code)).strip()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """`build` makes the sdist from the checkout, and the wheel from that sdist."""
    out = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT))
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Third-party packages are borrowed from the environment of the tests: torch alone takes gigabytes."""
    environment = tmp_path_factory.mktemp("an environment (é)")
    venv.create(environment, with_pip=False)
    python = str(environment / "bin" / "python")
    _run(
        *(sys.executable, "-m", "pip", "--python", python, "--isolated", "--disable-pip-version-check"),
        *("install", "--no-index", "--no-deps", str(built.wheel)),
    )
    (packages,) = environment.glob("lib/python*/site-packages")
    # A folder named in a .pth file is searched, but its own .pth files, among them the one of an editable
    # autokd, are not read.
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "borrowed.pth").write_text("\n".join(sorted(borrowed)), encoding="utf-8")
    return Installed(environment, tmp_path_factory.mktemp("elsewhere"))


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"autokd", f"autokd-{autokd.__version__}.dist-info"}
    assert {"autokd/py.typed", "autokd/report/templates/base.html", "autokd/report/templates/page.js"} <= set(
        names
    )


def test_the_sdist_holds_what_building_testing_and_tuning_need(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "constraints.txt", "pyproject.toml", "README.md", "LICENSE"} <= names
    assert "tests/test_wheel.py" in names
    for kind in KINDS:
        assert {f"{kind}/{path.name}" for path in (ROOT / kind).glob("*.yaml")} <= names


def test_the_environment_does_not_see_the_checkout(installed: Installed) -> None:
    where = Path(installed.python("import autokd; print(autokd.__file__)"))
    assert where.is_relative_to(installed.environment)
    assert str(ROOT) not in installed.python("import sys; print(*sys.path, sep='\\n')").splitlines()


def test_the_command_says_its_version(installed: Installed) -> None:
    assert autokd.__version__ in installed.run("autokd", "version")


@pytest.mark.parametrize("kind", KINDS)
def test_every_recipe_of_the_checkout_is_shipped(installed: Installed, kind: Kind) -> None:
    names = installed.python(
        f"from autokd.config.yaml_files import shipped; print(*shipped({kind!r}))"
    ).split()
    assert names == sorted(path.stem for path in (ROOT / kind).glob("*.yaml"))
    assert names


def test_every_shipped_study_reads_as_in_the_checkout(installed: Installed) -> None:
    printed = installed.python(
        """
        from autokd.config.base import content_hash
        from autokd.config.yaml_files import read_study_config, shipped
        print(*(content_hash(read_study_config(name)) for name in shipped("studies")))
        """
    )
    assert printed.split() == [content_hash(read_study_config(name)) for name in shipped("studies")]


def test_every_shipped_space_is_read(installed: Installed) -> None:
    printed = installed.python(
        """
        from autokd.config.yaml_files import shipped
        from autokd.config.space import read_space
        print(*(read_space(name).name for name in shipped("search_spaces")))
        """
    )
    assert printed.split() == list(shipped("search_spaces"))


def test_a_store_is_created_with_the_shipped_migrations(installed: Installed) -> None:
    printed = installed.python(
        """
        from autokd.store import Store
        with Store.open("sqlite:///fresh.db") as store:
            print(store.federations())
        """
    )
    assert printed == "()"


@pytest.mark.ray
def test_workers_start_in_an_environment_of_any_name(installed: Installed) -> None:
    printed = installed.python(
        """
        import ray
        from autokd.compute.ray_cluster import session
        with session(cpus=1):
            # Ray Tune's workers have variables of their own, which makes Ray start them by a shell.
            task = ray.remote(lambda: "started").options(runtime_env={"env_vars": {"ANY": "1"}})
            print(ray.get(task.remote(), timeout=60))
        """
    )
    assert printed == "started"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
