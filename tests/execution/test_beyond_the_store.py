"""A federation larger than what Ray keeps in memory, swept for real by `beyond_the_store`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.ray
@pytest.mark.slow
def test_a_federation_larger_than_rays_store_gives_the_results_of_a_small_one(tmp_path: Path) -> None:
    # What the suite's own Ray keeps in the environment, its token among it, is not for another one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    played = subprocess.run(
        [sys.executable, "-m", "tests.execution.beyond_the_store", str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=280,
        check=False,
    )
    assert played.returncode == 0, played.stderr
    facts = json.loads(played.stdout.splitlines()[-1])
    assert facts["images"] > facts["store"]
    assert (facts["done"], facts["runs"]) == (True, 2), facts["failed"]
    assert facts["same"] == [True] * 6
