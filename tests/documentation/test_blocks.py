"""Every block of README and docs/ is run by a test, or docs/tested-commands.md says why not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch
import yaml
from markdown_it import MarkdownIt

from autokd.config.external import ExternalParticipant
from tests.cli.conftest import Command
from tests.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = {
    *(".", "autokd", "createdb", "curl", "docker", "env", "export", "git", "make", "npm", "nvidia-smi"),
    *("pg_dump", "pip", "python", "ray", "sbatch", "ssh"),
}
OWN = ROOT / "docs" / "your-own-models.md"
FILES = {
    ("README.md", "text"): (1, "an answer, shown"),
    ("docs/coming-from.md", "yaml"): (6, "tests/federation/external/test_coming_from.py"),
    ("docs/how-a-recommendation-is-made.md", "text"): (4, "formulas and a picture"),
    ("docs/python.md", "pycon"): (8, "tests/test_api.py"),
    ("docs/python.md", "with autokd.Client("): (1, "tests/client/test_client.py"),
    ("docs/recipes.md", "yaml"): (3, "tests/test_docs.py"),
    ("docs/service.md", "client = autokd.Client("): (1, "tests/client/test_client.py"),
    ("docs/service.md", "[serve]"): (1, "tests/service/test_settings.py"),
    ("docs/use-the-model.md", "python"): (1, "tests/cli/test_distill.py"),
    ("docs/your-own-models.md", "python"): (6, "tests/federation/external/test_walk_through.py, and here"),
    ("docs/your-own-models.md", "yaml"): (5, "tests/federation/external/test_walk_through.py, and here"),
}
"""Blocks that are no commands: how many of a kind a page has, and what runs or reads them."""


@dataclass(frozen=True)
class Block:
    """One block of a page: its kind is its language, or how it begins."""

    kind: str
    content: str


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    for token in MarkdownIt().parse(page.read_text()):
        if token.type in ("fence", "code_block"):
            begins = token.content.split(maxsplit=1)[0]
            commands = token.info == "sh" or (not token.info and begins in PROGRAMS)
            yield Block("sh" if commands else token.info or token.content.splitlines()[0], token.content)


def commands(page: Path) -> list[str]:
    """The commands of a page as one types them: without comments, whole lines."""
    lines = "".join(block.content for block in blocks(page) if block.kind == "sh").replace("\\\n", " ")
    plain = (re.sub(r"\s#\s.*|^#\s.*", "", line) for line in lines.splitlines())
    return [" ".join(part.split()) for line in plain for part in line.split(" && ") if part.strip()]


def table(title: str) -> dict[str, str]:
    """The commands of a table of the page, and what it says of each."""
    text = (
        (ROOT / "docs" / "tested-commands.md").read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    )
    rows = re.findall(r"^\| (`.*`) \| (.*) \|$", text, re.MULTILINE)
    return {pattern: said for patterns, said in rows for pattern in re.findall(r"`([^`]+)`", patterns)}


SHORTER = {command: said.strip("`") for command, said in table("Run in a shorter form").items()}
ELSEWHERE, NOT_RUN = table("Run by another test"), table("Not run")


def excused(command: str) -> list[str]:
    return [pattern for pattern in {**ELSEWHERE, **NOT_RUN} if matches(command, pattern)]


def matches(command: str, pattern: str) -> bool:
    return fnmatchcase(command, pattern.replace("[", "[[]"))


def runs_here(page: Path) -> list[str]:
    return [SHORTER.get(command, command) for command in commands(page) if not excused(command)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_is_run_or_a_page_says_why_not(page: Path) -> None:
    kinds = [block.kind for block in blocks(page) if block.kind != "sh"]
    for kind in set(kinds):
        known = [(start, count) for (of, start), (count, _) in FILES.items() if of == name(page)]
        counts = [count for start, count in known if kind.startswith(start)]
        assert counts == [kinds.count(kind)], f"have blocks {kind!r} run by a test, and count them"
    for command in runs_here(page):
        assert command.startswith("autokd "), f"{command}: neither run nor in docs/tested-commands.md"


def test_what_the_tables_name_exists() -> None:
    every = [command for page in PAGES for command in commands(page)]
    for pattern in (*SHORTER, *ELSEWHERE, *NOT_RUN):
        assert any(matches(command, pattern) for command in every), f"no page has {pattern}"
    named = " ".join((*ELSEWHERE.values(), *NOT_RUN.values(), *(said for _, said in FILES.values())))
    for path in re.findall(r"tests/[\w/]+(?:\.py)?", named):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_benchmark_of_a_page_has_the_options_that_it_shows(page: Path) -> None:
    for command in commands(page):
        words = shlex.split(command)
        if words[:2] == ["python", "-m"] and words[2].startswith("benchmarks"):
            program = ROOT / words[2].replace(".", "/")
        elif words[0] == "python" and words[1].startswith("benchmarks/"):
            program = ROOT / words[1].removesuffix(".py")
        else:
            continue
        sources = [program.with_suffix(".py"), *program.glob("*.py"), *program.parent.glob("*.py")]
        assert sources[0].is_file() or (program / "__main__.py").is_file(), command
        text = "".join(source.read_text() for source in sources if source.is_file())
        for option in (word for word in words if word.startswith("--")):
            assert f'"{option}"' in text, f"{command}: {option}"


def test_an_untrained_student_is_written_as_the_page_says() -> None:
    (text,) = (block.content for block in blocks(OWN) if "checkpoint: none" in block.content)
    (participant,) = yaml.safe_load(text)
    assert ExternalParticipant.model_validate(participant).checkpoint == "none"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_files_that_are_code_are_converted_by_the_lines_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (lines,) = (block.content for block in blocks(OWN) if "whole_model.pt" in block.content)
    imports, whole, script = filter(None, lines.splitlines())
    for line, seed in ((whole, 0), (script, 1)):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = torch.nn.Linear(3, 2)
        torch.save(network, "whole_model.pt")
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, 3)), "script.pt")
        exec(f"{imports}\n{line}", {})
        assert torch.equal(torch.load("weights.pt")["weight"], network.weight)


def small() -> dict[str, object]:
    """Ten participants that have hardly learned, so that any training helps and each run takes a moment."""
    training = {"learning_rate": 0.01, "epochs": 2}
    return {
        "name": "small",
        "federation": {
            "name": "small",
            "dataset": "digits",
            "participants": 10,
            "partition": {"scheme": "iid"},
            "splits": {"validation": 200, "confirmation": 350, "test": 250, "public": 97},
            "architectures": [{"name": "mlp", "options": {"widths": [16]}}],
            "pretraining": {"learning_rate": 0.01, "epochs": 1},
        },
        "distillation": training,
        "search": {"trials": 2, "stopping": {"rungs": [1]}},
        "confirmation": {"candidates": 1, "race_seeds": 1, "seeds": 2, "resamples": 200},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pages are typed: one home for all."""
    return tmp_path_factory.mktemp("pages")


@pytest.mark.timeout(900)
@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if runs_here(page)], ids=name)
def test_the_commands_of_a_page_run_in_their_order(
    page: Path, folder: Path, here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = yaml.safe_dump(small())
    (folder / "small.yaml").write_text(recipe)
    (tmp_path / "shares.json").write_text('{"0": 0.2, "1": 0.8}')
    typed = runs_here(page)
    mine = tmp_path / "mine.yaml"
    if "autokd init mine.yaml" not in typed:
        mine.write_text(recipe)
    monkeypatch.setenv("AUTOKD_STUDY", str(folder / "small.yaml"))
    monkeypatch.setenv("AUTOKD_HOME", str(folder / "home"))
    if not (folder / "home").exists():
        assert here("tune", "--pair", "4,9").code == 0
    for command in typed:
        outcome = here(*shlex.split(command)[1:])
        assert outcome.code == 0, f"{command}\n{outcome.err}"
        if command == "autokd init mine.yaml":
            mine.write_text(recipe)  # Somebody has filled it in.
