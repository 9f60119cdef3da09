"""Bad input: one line that names the field and the way out, exit code 2, and nothing is written."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
import yaml

from autokd.config.yaml_files import read_study_config
from autokd.store import url
from tests.cli.conftest import Command, Tuned, refused

SPACE = {
    "name": "mine",
    "temperature": {"low": 1, "high": 4},
    "alpha": {"low": 0, "high": 1},
    "transfer_set": ["student"],
}


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[None]:
    """Whatever the test runs leaves the folder as the test had made it."""
    yield
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".yaml"] == []


pytestmark = pytest.mark.usefixtures("untouched")


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("4,4", ("cannot teach itself", "two different participants")),
        ("4,10", ("participant 10 does not exist", "numbered 0 to 9")),
        ("a,b", ("'a,b' is not a pair", "e.g. --pair 4,9")),
        ("4", ("'4' is not a pair",)),
        ("4,9,1", ("'4,9,1' is not a pair",)),
        ("-1,2", ("'-1,2' is not a pair",)),
        ("", ("'' is not a pair",)),
    ],
)
@pytest.mark.parametrize("name", ["tune", "sweep", "recommend"])
def test_a_pair_that_is_none(here: Command, name: str, pair: str, words: tuple[str, ...]) -> None:
    refused(here(name, f"--pair={pair}"), "--pair", *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recommend"], ("--pair", "--pairs 4,9 9,4", "--all")),
        (["tune", "--pair", "4,9", "--trials", "1"], ("--trials", "2")),
        (["tune", "--pair", "4,9", "--trials", "many"], ("--trials", "whole number", "'many'")),
        (
            ["tune", "--pair", "4,9", "--try", "T=0,alpha=0.9,transfer_set=both"],
            ("--try", "T=0,alpha=0.9,transfer_set=both", "T=0 is not a positive number", "T=4"),
        ),
        (
            ["tune", "--all", "--try", "T=4,alpha=0.9,transfer_set=both", "--try", "heat=4"],
            (
                "--try",
                "heat is unknown",
                "T, alpha, transfer_set, method, learning_rate, epochs, batch_norm, label_prior, "
                "schedule or teachers",
            ),
        ),
        (["tune", "--pair", "4,9", "--position", "left"], ("--position", "'student'", "'teacher'")),
        (["tune", "--pair", "4,9", "--cpus-per-trial", "0"], ("--cpus-per-trial", "--gpus-per-trial")),
        (["tune", "--pair", "4,9", "--threads", "0"], ("--threads",)),
        (["tune", "--pair", "4,9", "--spice", "x"], ("--spice", "--space")),
        (["tune", "--pair", "4,9", "left over"], ("--pair", "--pairs 4,9 9,4")),
        (
            ["sweep", "--pair", "4,9", "--space", "default"],
            ("--space", "default", "continuous", "lists of values"),
        ),
        (["sweep", "--pair", "4,9", "--seeds", "0"], ("--seeds",)),
        (["sweep", "--pair", "4,9", "--cpus-per-trial", "0"], ("--cpus-per-trial", "--gpus-per-trial")),
        (["recommend", "--pair", "4,9", "left over"], ("--pair", "--pairs 4,9 9,4")),
        (["tuna"], ("tuna", "see autokd --help")),
        (["prepare", "--workers", "0"], ("--workers",)),
        (
            ["prepare", "--study", "digit"],
            ("no study is called 'digit'", "digits_iid", "Did you mean 'digits'?"),
        ),
        (["tune", "--pair", "4,9", "--space", "privat"], ("no search space", "'private'", "poster_sweep")),
        (["tune", "--pair", "4,9", "--study", "./absent.yaml"], ("absent.yaml", "No such file")),
        (["tune", "--pair", "4,9", "--study", "."], ("is a folder", "mine.yaml")),
        (["tune", "--pair", "4,9", "--device", "tpu"], ("--device", "use cpu or cuda")),
        (["tune", "--pair", "4,9", "--ray-address", "ray://head:10001"], ("--ray-address", "ray job submit")),
        (["prepare", "--ray-address", "head"], ("--ray-address head", "HOST:PORT", "auto")),
        (
            ["tune", "--pair", "4,9", "--ray-address", "head:6379", "--device", "cuda"],
            ("--device cuda", "--gpus-per-trial"),
        ),
        (
            ["recommend", "--pair", "4,9"],
            ("nothing has been tuned under autokd-home", "autokd tune --pair 4,9"),
        ),
        (
            ["export", "--out", "table.parquet"],
            ("nothing has been tuned under autokd-home", "run autokd tune or autokd sweep"),
        ),
        (["export"], ("Missing option '--out'", "see autokd export --help")),
        (["dashboard"], ("nothing is stored in sqlite:", "autokd tune", "--storage")),
        (["dashboard", "--port", "70000"], ("--port",)),
        (["dashboard", "--storage", "studies.db"], ("'studies.db' is not a database URL",)),
    ],
)
def test_an_option_that_does_not_hold(here: Command, arguments: list[str], words: tuple[str, ...]) -> None:
    refused(here(*arguments), *words)


@pytest.mark.parametrize("name", ["tune", "sweep"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ("say which pairs", "--pair 4,9", "--all")),
        (["--all", "--pair", "4,9"], ("--pair", "say which pairs", "one of")),
        (["--teacher", "4", "--all"], ("--pair", "say which pairs", "one of")),
        (["--teacher", "10"], ("--teacher", "participant 10 does not exist", "0 to 9")),
        (["--teacher", "4", "--student", "4"], ("--student", "cannot teach itself")),
    ],
)
def test_a_selection_that_does_not_hold(
    here: Command, name: str, arguments: list[str], words: tuple[str, ...]
) -> None:
    refused(here(name, *arguments), *words)


@pytest.mark.parametrize(
    ("storage", "words"),
    [
        ("studies.db", ("'studies.db' is not a database URL", "sqlite:///studies.db")),
        ("oracle://me@there/studies", ("'oracle' is not supported", "postgresql://")),
        ("sqlite://", ("must be a file",)),
        ("postgresql://me@there", ("names no database",)),
        ("sqlite:////dev/null/studies.db", ("Not a directory", "--storage")),
    ],
)
def test_a_storage_that_is_no_address(here: Command, storage: str, words: tuple[str, ...]) -> None:
    refused(here("tune", "--pair", "4,9", "--storage", storage), *words)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "mariadb"])
def test_a_storage_that_cannot_be_reached(here: Command, scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound but not listening: nobody answers there.
        address = f"{scheme}://me:hunter2@127.0.0.1:{taken.getsockname()[1]}/studies"
        outcome = here("tune", "--pair", "4,9", "--storage", address)
    refused(outcome, "cannot be reached", "check --storage", "me:***@127.0.0.1")
    assert "hunter2" not in outcome.err


@pytest.mark.parametrize("name", [["prepare"], ["tune", "--pair", "4,9"]])
def test_a_cluster_that_does_not_answer(
    here: Command, name: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused(here(*name, "--ray-address", address), f"--ray-address {address}: nobody answers")
        monkeypatch.setenv("RAY_ADDRESS", address)
        refused(here(*name), f"--ray-address {address}: nobody answers")


@pytest.mark.parametrize("nowhere", ["", "local"])
def test_no_cluster_is_no_mistake(here: Command, nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", nowhere)
    refused(here("tune", "--pair", "4,4"), "cannot teach itself")


def test_a_driver_that_is_not_installed(here: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url, "find_spec", lambda name: None if name == "psycopg" else find_spec(name))
    outcome = here("tune", "--pair", "4,9", "--storage", "postgresql://me:hunter2@there/studies")
    refused(outcome, "'psycopg', which is not installed", 'pip install "autokd[postgres]"')
    assert "hunter2" not in outcome.err


@pytest.mark.parametrize("name", [["prepare"], ["tune", "--pair", "4,9"]])
def test_a_home_that_cannot_be_made(here: Command, name: list[str]) -> None:
    refused(here(*name, "--home", "/dev/null/home"), "/dev/null/home", "choose another --home")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
@pytest.mark.parametrize("name", [["prepare"], ["tune", "--pair", "4,9"]])
def test_a_home_that_is_read_only(
    here: Command, name: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("read-only")
    home.chmod(0o555)
    refused(here(*name, "--home", home), str(home), "--home")
    assert list(home.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")
@pytest.mark.parametrize("name", [["prepare"], ["tune", "--pair", "4,9"]])
def test_cuda_where_there_is_none(here: Command, name: list[str]) -> None:
    refused(here(*name, "--device", "cuda"), "--device cuda", "0 usable CUDA devices", "--device cpu")


def study(folder: Path, **changes: Any) -> Path:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(read_study_config("digits").model_dump(mode="json") | changes))
    return file


def space(folder: Path, **changes: Any) -> Path:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(SPACE | changes))
    return file


@pytest.mark.parametrize("text", ["name: [", "a: 1\na: 2\n", "- 1\n", "", "\t"])
def test_a_file_that_is_no_recipe(here: Command, tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    refused(here("tune", "--pair", "4,9", "--study", "./broken.yaml"), "broken.yaml: ")


def test_a_recipe_that_is_no_text(here: Command, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_bytes(b"\xff\xfe\x00")
    refused(here("tune", "--pair", "4,9", "--study", "broken.yaml"), "broken.yaml: is not a text file")


def test_an_unknown_field_of_a_study(here: Command, tmp_path: Path) -> None:
    file = study(tmp_path, temperature=2)
    refused(here("prepare", "--study", file), "mine.yaml: temperature: unknown field", "known here: name")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"temperature": {"low": 0, "high": 4}}, ("temperature", "positive")),
        ({"temperature": [2, -1]}, ("temperature", "-1")),
        ({"temperature": {"low": 4, "high": 2}}, ("temperature", "low 4")),
        ({"alpha": [1.5]}, ("alpha", "1.5", "[0, 1]")),
        ({"transfer_set": ["mine"]}, ("transfer_set", "'student'", "'public'")),
        ({"transfer_set": []}, ("transfer_set",)),
        ({"position": ["above"]}, ("position", "'student'", "'teacher'")),
        ({"beta": 1}, ("beta: unknown field", "known here: name")),
    ],
)
def test_a_space_that_does_not_hold(
    here: Command, tmp_path: Path, changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    outcome = here("tune", "--pair", "4,9", "--space", space(tmp_path, **changes))
    refused(outcome, "mine.yaml: ", *words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": "cifar"}, ("no dataset is called 'cifar'", "digits")),
        ({"architectures": [{"name": "vgg"}]}, ("no architecture is called 'vgg'", "resnet18")),
        ({"partition": {"scheme": "dirichlet", "beta": 0}}, ("partition", "beta")),
        ({"partition": {"scheme": "striped"}}, ("partition", "'dirichlet'")),
        ({"splits": {"validation": 2000, "confirmation": 1, "test": 1, "public": 0}}, ("splits",)),
    ],
)
@pytest.mark.parametrize("name", [["prepare"], ["tune", "--pair", "4,9"]])
def test_a_federation_that_cannot_be_made(
    here: Command, tmp_path: Path, name: list[str], changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    federation = read_study_config("digits").federation.model_dump(mode="json")
    file = study(tmp_path, federation=federation | changes)
    refused(here(*name, "--study", file), *words)


@pytest.mark.slow
@pytest.mark.ray
def test_recommend_before_this_pair_was_tuned(here: Command, tuned: Tuned) -> None:
    outcome = here("recommend", "--pair", "1,2", "--home", tuned.home)
    refused(outcome, "1->2 has no recommendation yet", "run autokd tune --pair 1,2")


@pytest.mark.slow
@pytest.mark.ray
def test_export_before_this_study_was_tuned(here: Command, tuned: Tuned, tmp_path: Path) -> None:
    file = study(tmp_path, name="mine")
    outcome = here("export", "--study", file, "--home", tuned.home, "--out", "table.parquet")
    refused(outcome, "the store has nothing of study mine", "run autokd tune or autokd sweep")


@pytest.mark.slow
@pytest.mark.ray
def test_export_to_where_nothing_can_be_written(here: Command, tuned: Tuned) -> None:
    outcome = here("export", "--home", tuned.home, "--out", "/dev/null/table.parquet")
    refused(outcome, "--out /dev/null/table.parquet", "cannot be written")


@pytest.mark.slow
@pytest.mark.ray
def test_recommend_from_a_storage_where_nothing_is(here: Command, tuned: Tuned, tmp_path: Path) -> None:
    outcome = here("recommend", "--pair", "4,9", "--home", tuned.home, "--storage", "sqlite:///other.db")
    refused(outcome, "nothing is stored in", "other.db", "autokd tune")


def test_debug_shows_where_it_went_wrong(here: Command) -> None:
    outcome = here("tune", "--pair", "4,4", "--debug")
    assert outcome.code == 2
    assert outcome.err.startswith("Traceback")
    assert outcome.err.splitlines()[-1].startswith("error: command line: --pair")


def test_the_installed_program_does_the_same(command: Command) -> None:
    refused(command("tune", "--pair", "4,4"), "--pair", "cannot teach itself")
    refused(command("tune", "--pair", "4,9", "--trials", "1"), "--trials")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.EMFILE, os.strerror(errno.EMFILE), "a\nfile"),
            ("'a\\nfile'", "Too many open files", "ulimit -n"),
        ),
        (OSError(errno.EIO, os.strerror(errno.EIO)), ("Input/output error",)),
        (MemoryError(), ("not enough memory", "ulimit -v")),
    ],
)
def test_what_the_system_refuses_anywhere_is_one_line(
    here: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, words: tuple[str, ...]
) -> None:
    def fail(*arguments: object, **options: object) -> NoReturn:
        raise error

    monkeypatch.setattr("autokd.workflows.status.status", fail)
    refused(here("status"), *words, code=1)


def test_a_home_whose_name_is_too_long(here: Command) -> None:
    refused(here("status", "--home", "y" * 3000), "File name too long", code=1)
