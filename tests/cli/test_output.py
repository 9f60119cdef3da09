"""Standard output that goes away, or can show little."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from autokd.cli import app
from autokd.cli.console import print_json
from autokd.cli.output import LOST_OUTPUT, Stream, lossy_output, outlives_terminal
from tests.cli.conftest import PROGRAM, Command
from tests.cli.terminal import Terminal


class Broken(io.StringIO):
    """A stream that fails once it is flushed, as one with a buffer does."""

    def __init__(self, number: int = errno.ENOSPC) -> None:
        super().__init__()
        self.number, self.tries = number, 0

    def flush(self) -> None:
        self.tries += 1
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF])
def test_a_stream_that_fails_takes_everything_further(number: int) -> None:
    broken = Broken(number)
    stream = Stream(broken)
    for text in ("a", "b"):
        assert stream.write(text) == 1
        stream.flush()
    assert stream.loss is not None
    assert stream.loss.errno == number
    assert broken.tries == 1


@pytest.mark.parametrize(("code", "expected"), [(0, LOST_OUTPUT), (1, 1), (2, 2), (130, 130)])
def test_the_exit_code_tells_of_the_output_if_nothing_else_went_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, expected: int
) -> None:
    broken = Broken()
    monkeypatch.setattr(sys, "stdout", broken)
    monkeypatch.setattr(app, "run", lambda: print("a result") or code)
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == expected
    assert "error: standard output could not be written (No space left on device)" in capsys.readouterr().err
    assert sys.stdout is broken


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["remote_server", "app"])  # Before the command, and within it.
def test_a_signal_to_end_interrupts_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals, moment: str
) -> None:
    def end(*arguments: object, **options: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr(app, moment, end)
    monkeypatch.setattr(sys, "argv", ["autokd", "version"])
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as ended:
            app.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 130
    assert capsys.readouterr().err.startswith("interrupted; results so far are stored.")


@pytest.mark.parametrize(
    ("redirection", "code", "words"),
    [
        ("> /dev/full", LOST_OUTPUT, "error: standard output could not be written (No space left on device)"),
        (">&-", LOST_OUTPUT, "error: standard output could not be written (Bad file descriptor)"),
        ("2>&-", 0, ""),
        ("| true", LOST_OUTPUT, ""),
    ],
)
def test_a_command_without_its_output(redirection: str, code: int, words: str, tmp_path: Path) -> None:
    script = f'set -o pipefail; sleep() {{ :; }}; "{PROGRAM}" version {redirection}'
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == bool(words), done.stderr


def test_what_a_terminal_cannot_show_is_spelt(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    with lossy_output():
        print("T=4 α=0.1 – é 名")
        print_json({"name": "é"})
    shown.seek(0)
    line, content = shown.read().split("\n", 1)
    assert line == r"T=4 alpha=0.1 - \xe9 \u540d"
    assert json.loads(content) == {"name": "é"}


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN])  # `nohup` ignores it.
def test_a_closed_terminal_ends_nothing_that_is_long(before: signal.Handlers) -> None:
    own = signal.signal(signal.SIGHUP, before)
    try:
        with outlives_terminal():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is before
    finally:
        signal.signal(signal.SIGHUP, own)


@pytest.mark.slow
@pytest.mark.ray
def test_a_batch_goes_on_without_its_terminal(
    here: Command, quick_study: Path, tmp_path: Path, ray_folder: Path
) -> None:
    recipe = yaml.safe_load(quick_study.read_text())
    recipe["federation"] |= {"participants": 2, "partition": {"scheme": "iid"}}
    recipe["federation"]["pretraining"]["epochs"] = 1
    quick_study.write_text(yaml.safe_dump(recipe))
    which = ("--pair", "0,1", "--study", quick_study.name, "--home", "home")
    with Terminal([PROGRAM, "tune", *which, "--position", "student"], cwd=tmp_path) as terminal:
        terminal.wait_for("preparing")
        terminal.close()
        assert terminal.process.wait(timeout=250) == LOST_OUTPUT
    assert here("recommend", *which, "--json").json()["verdict"] is not None
