"""Small files that unfold to any size, and what is no file, take neither memory nor time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MOST_GROWN = 500
"""MB above what the process takes at rest."""


def test_nothing_unfolds_to_more_than_was_declared(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.data.sources.bombs", tmp_path],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(done.stdout)
    assert len(results) == 40
    for name, result in results.items():
        message = result["message"]
        assert message != "NOT REFUSED", name
        assert "\n" not in message, name
        assert result["grown"] < MOST_GROWN, name
        if name.startswith(("pipe", "device")):
            assert "it is a pipe or a device, not a file" in message, name
    unfolding = [name for name, result in results.items() if "would unfold" in result["message"]]
    assert {name.partition(",")[0] for name in unfolding} == {"checkpoint", "npz", "table", "images"}
