"""What all tests share: a quiet environment, a home of their own, Ray workers for those that ask for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from autokd.compute.ray_cluster import session

# A developer's own store must never be written to, nor may their terminal or cluster decide a test.
for _name in (
    *("AUTOKD_HOME", "AUTOKD_STORAGE", "AUTOKD_STUDY", "AUTOKD_SPACE"),
    *("FORCE_COLOR", "PY_COLORS", "RAY_ADDRESS"),
):
    os.environ.pop(_name, None)
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# Two processes, and what they start, share two cores (a third made the whole twice as long). Threads beyond
# that only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What takes longest, longest first. It is handed out before all else, so that all processes end together.
_LONG = (
    "cli",
    "execution",
    "federation",
    "store",
    "service",
    "torture",
    "docker",
    "benchmarks",
    "documentation",
    "test_api.py",
)

# No deadline: other work on the same cores is no defect. In CI the examples are the same in every run.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each of pytest-xdist's processes whole folders, since a folder's tests share costly fixtures.

    No fixture that takes seconds is shared between folders, save Ray, which each process starts once.

    (Groups by mark, `--dist loadgroup`, do not work with pytest 9.2 and pytest-xdist 3.8.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].split("/")[1]

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = next((folder for folder in _LONG if folder in self.workqueue), None)
        if longest:
            self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder:
    return ByFolder(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder for all that autokd writes (`--home`)."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


class RayWorkers:
    """A Ray of our own, started again only where another number of workers is wanted."""

    def __init__(self) -> None:
        self._workers = 0
        self._session = ExitStack()

    def want(self, workers: int) -> None:
        if workers != self._workers:
            self.close()
            self._session.enter_context(session(cpus=workers))
            self._workers = workers

    def close(self) -> None:
        self._session.close()
        self._workers = 0


@pytest.fixture(scope="session")
def ray_workers() -> Iterator[RayWorkers]:
    workers = RayWorkers()
    yield workers
    workers.close()


@pytest.fixture(autouse=True)
def _ray_where_marked(request: pytest.FixtureRequest) -> None:
    """Each worker takes seconds to start, so there is one unless `ray(workers=2)` wants more."""
    mark = request.node.get_closest_marker("ray")
    if mark is not None:
        request.getfixturevalue("ray_workers").want(mark.kwargs.get("workers", 1))
