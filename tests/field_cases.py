"""Small inputs as users have them, through the command line, beside what plain PyTorch measures on them.

    python -m tests.field_cases FOLDER [--only NAME ...] [--tune] [--json FILE]

Each folder in FOLDER has a `make.py` that writes a recipe with its files into a folder and prints a line for
each participant: `plain PyTorch: participant 0: 0.8240 of its own data right, 0.7733 of test`. `autokd check`
and `autokd prepare` then have to come to the same within 0.5 pp, or refuse the input with exit code 2, or
warn; a program `api.py` that is beside the recipe, too. With `--tune`, what was prepared is also tuned, with
two trials, none of which may fail. It ends with code 1 if one does none of these.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

TOLERANCE = 0.005
_PLAIN = re.compile(r"participant (\d+)[^:]*: ([\d.]+) of its own data right(?:, ([\d.]+) of test)?")
_TRACEBACK = "Traceback (most recent call last)"


@dataclass
class Outcome:
    """What came of a case; accuracies in [0, 1] by participant.

    Attributes:
        own, test: As plain PyTorch measures them.
        checked, prepared, api: As `check` (own data), `prepare` (test) and `api.py` (test) say.
        codes: Exit codes by program.
        words: The first warning or error of each.
        failed: Trials of `tune` that failed.
        verdict: `equal`, `refused`, `warned`, `WRONG` or `TRACEBACK`.
    """

    name: str
    own: dict[int, float] = field(default_factory=dict)
    test: dict[int, float] = field(default_factory=dict)
    checked: dict[int, float] = field(default_factory=dict)
    prepared: dict[int, float] = field(default_factory=dict)
    api: dict[int, float] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    verdict: str = ""


def run(case: Path, folder: Path, *, tune: bool) -> Outcome:
    """Make the inputs of a case in a folder, and let autokd read them there."""
    outcome = Outcome(case.name)
    made = _call([sys.executable, str(case / "make.py"), str(folder)], folder)
    for number, own, test in _PLAIN.findall(made.stdout):
        # Of several projects the last one is asked for.
        outcome.own[int(number)] = float(own)
        if test:
            outcome.test[int(number)] = float(test)
    recipe = _recipe(folder)
    autokd = [sys.executable, "-P", "-m", "autokd"]
    checked = _call([*autokd, "check", recipe.name, "--json"], recipe.parent)
    _note(outcome, "check", checked)
    if checked.returncode == 0:
        report = json.loads(checked.stdout)
        outcome.checked = {
            participant["number"]: participant["accuracy"] for participant in report["participants"]
        }
        if report["warnings"]:
            outcome.words["check"] = report["warnings"][0]["problem"]
    home = str(folder / "home")
    prepared = _call([*autokd, "prepare", "--study", recipe.name, "--home", home, "--json"], recipe.parent)
    _note(outcome, "prepare", prepared)
    if prepared.returncode == 0:
        accuracies = json.loads(prepared.stdout)["test_accuracy"]
        outcome.prepared = {int(number): accuracy for number, accuracy in accuracies.items()}
    if prepared.returncode == 0 and tune:
        which = ("--study", recipe.name, "--home", home, "--pair", "1,0", "--position", "student")
        tuned = _call([*autokd, "tune", *which, "--trials", "2", "--json"], recipe.parent)
        _note(outcome, "tune", tuned)
        if tuned.returncode == 0:
            outcome.failed = json.loads(tuned.stdout)["trials"]["FAIL"]
    if (folder / "api.py").exists():
        api = _call([sys.executable, "api.py"], folder)
        _note(outcome, "api.py", api)
        match = re.search(r"test: \[([^\]]*)\]", api.stdout)
        outcome.api = dict(enumerate(map(float, match[1].split(",")))) if match else {}
    outcome.verdict = _verdict(outcome)
    return outcome


def _verdict(outcome: Outcome) -> str:
    if "TRACEBACK" in outcome.words.values() or not set(outcome.codes.values()) <= {0, 2}:
        return "TRACEBACK"
    if outcome.failed:
        return "WRONG"
    comparisons = [(outcome.own, outcome.checked, "check"), (outcome.test, outcome.prepared, "prepare")]
    comparisons += [(outcome.test, outcome.api, "api.py")] if "api.py" in outcome.codes else []
    verdicts = []
    for plain, printed, program in comparisons:
        if outcome.codes[program] == 2:
            verdicts.append("refused")
        elif printed and all(abs(printed[name] - value) <= TOLERANCE for name, value in plain.items()):
            verdicts.append("equal")
        else:
            verdicts.append("warned" if outcome.words.get(program) else "WRONG")
    order = ["equal", "refused", "warned", "WRONG"]
    return max(verdicts, key=order.index)


def _recipe(folder: Path) -> Path:
    """The recipe to read: mine.yaml, in the last project if there are several, or the first of a row."""
    recipes = sorted(folder.rglob("mine.yaml")) or sorted(folder.rglob("*.yaml"))[:1]
    return recipes[-1]


def _call(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    here = str(Path(__file__).parents[1])
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def _note(outcome: Outcome, program: str, done: subprocess.CompletedProcess[str]) -> None:
    outcome.codes[program] = done.returncode
    said = (line for line in done.stderr.splitlines() if line.strip())
    lines = [line for line in said if not line.startswith(("preparing: ", "warning: "))]
    lines += [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    if _TRACEBACK in done.stderr:
        # A program of one's own shows autokd's errors as Python does.
        ours = program == "api.py" and re.match(r"autokd\.errors\.\w+: ", lines[-1])
        outcome.words[program] = lines[-1] if ours else "TRACEBACK"
        outcome.codes[program] = 2 if ours else 1
    elif lines:
        outcome.words[program] = lines[0]
    elif done.returncode == 2:
        problems = json.loads(done.stdout or "{}").get("problems", [])
        outcome.words[program] = problems[0]["problem"] if problems else ""


def _shown(values: dict[int, float]) -> str:
    return " ".join(f"{value:.1%}" for _, value in sorted(values.items())) or "-"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=(), help="names of cases, or parts of them")
    parser.add_argument("--tune", action="store_true", help="tune participant 0 with teacher 1, too")
    parser.add_argument("--json", type=Path, help="file for everything that was found")
    options = parser.parse_args()
    outcomes = []
    for case in sorted(script.parent.resolve() for script in options.folder.glob("*/make.py")):
        if options.only and not any(part in case.name for part in options.only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            outcome = run(case, Path(folder), tune=options.tune)
        outcomes.append(outcome)
        print(f"{outcome.verdict:10}{outcome.name}", flush=True)
        print(f"{'':10}own data: plain {_shown(outcome.own)}, check {_shown(outcome.checked)}")
        tests = f"plain {_shown(outcome.test)}, prepare {_shown(outcome.prepared)}"
        print(f"{'':10}test: {tests}{', api.py ' + _shown(outcome.api) if outcome.api else ''}")
        for program, words in outcome.words.items():
            print(f"{'':10}{program} ({outcome.codes[program]}): {words[:200]}", flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
    bad = [outcome.name for outcome in outcomes if outcome.verdict in ("WRONG", "TRACEBACK")]
    print(f"{len(outcomes)} cases, {len(bad)} with a wrong number or a traceback: {', '.join(bad) or 'none'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
