from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config, shipped
from autokd.errors import PlanError, UnknownName
from tests.search.worlds import TINY


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def changed(path: str, value: object) -> str:
    """The tiny study with one field replaced or added."""
    content: dict[str, object] = yaml.safe_load(yaml.safe_dump(dict(TINY)))
    *above, last = path.split(".")
    place: dict[str, object] = content
    for part in above:
        inner = place[part]
        assert isinstance(inner, dict)
        place = inner
    place[last] = value
    return yaml.safe_dump(content)


@pytest.mark.parametrize("name", shipped("studies"))
def test_every_shipped_study_can_be_read_and_is_called_as_its_file(name: str) -> None:
    assert read_study_config(name).name == name


def test_digits_and_its_benign_sister_are_shipped() -> None:
    assert {"digits", "digits_iid"} <= set(shipped("studies"))


def test_a_name_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_study_config("digits").federation.participants == 10


def test_a_file_beats_nothing_and_nothing_beats_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bare name is always the shipped one, whatever lies in the working folder."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, changed("name", "other"), name="digits.yaml")
    assert read_study_config("digits").name == "digits"
    assert read_study_config("digits.yaml").name == "other"


def test_a_relative_space_is_taken_from_beside_the_study(tmp_path: Path) -> None:
    config = read_study_config(write(tmp_path, changed("space", "spaces/mine.yaml")))
    assert config.space == os.fspath(tmp_path / "spaces" / "mine.yaml")
    assert read_study_config(write(tmp_path, changed("space", "private"))).space == "private"


@pytest.mark.parametrize(
    ("path", "value", "field", "hint"),
    [
        (
            "federation.partition",
            {"scheme": "dir"},
            "federation.partition",
            "'dirichlet', 'dirichlet_equal', 'classes'",
        ),
        ("federation.partition", {"scheme": "dirichlet"}, "federation.partition.beta", "is missing"),
        (
            "federation.partition",
            {"scheme": "dirichlet", "beta": -1},
            "federation.partition.beta",
            "greater than 0",
        ),
        (
            "federation.partition",
            {"scheme": "iid", "beta": 1},
            "federation.partition.beta",
            "known here: scheme",
        ),
        ("federation.participants", 1, "federation.participants", "at least 2"),
        ("federation.architectures", [{"name": "mlp"}] * 3, "federation", "give 1 for all or 4"),
        ("distillation.lr", 0.1, "distillation.lr", "unknown field; known here: optimizer, learning_rate"),
        ("distillation.learning_rate", "fast", "distillation.learning_rate", "'fast'"),
        ("distillation.optimizer", "lion", "distillation.optimizer", "'sgd', 'adam' or 'adamw'"),
        ("search.trials", 1, "search.trials", "at least 2"),
        ("search.stopping", {"rungs": [6, 3]}, "search.stopping.rungs", "increasing"),
        ("search.stopping", {"rungs": [3, 10]}, "", "must lie below"),
        ("confirmation.seeds", 1, "confirmation.seeds", "at least 2"),
        ("name", "a/b", "name", "must be a name"),
        ("trials", 5, "trials", "unknown field; known here: name, federation"),
    ],
)
def test_what_does_not_hold_names_file_and_field(
    tmp_path: Path, path: str, value: object, field: str, hint: str
) -> None:
    file = write(tmp_path, changed(path, value))
    with pytest.raises(PlanError) as caught:
        read_study_config(file)
    assert (caught.value.source, caught.value.field) == (file, field)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a: [", "line 1, column 5: is not valid YAML"),
        ("name: a\nname: b", "line 2, column 1: is not valid YAML: 'name' stands there twice"),
        ("- a", "must hold fields"),
        ("", "must hold fields"),
        ("!!python/object/apply:os.system [echo]", "is not valid YAML"),
        ("a: " + "[" * 3000, "is nested too deeply"),
        ("\tname: a", "is not valid YAML"),
    ],
)
def test_a_file_that_is_no_recipe_says_so(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(PlanError, match=r"mine\.yaml") as caught:
        read_study_config(write(tmp_path, text))
    assert hint in str(caught.value)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="No such file"):
        read_study_config(str(tmp_path / "absent.yaml"))
    with pytest.raises(PlanError, match="Is a directory"):
        read_study_config(f"{tmp_path}/")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanError, match="UTF-8"):
        read_study_config(str(binary))


def test_an_unknown_name_lists_what_there_is_and_how_to_name_a_file() -> None:
    with pytest.raises(UnknownName, match=r"known: .*Did you mean 'digits'.*\./digit\.yaml"):
        read_study_config("digit")


def test_a_plan_is_a_value() -> None:
    config = read_study_config("digits")
    assert StudyConfig.model_validate(config.model_dump()) == config
    assert hash(config.search) == hash(read_study_config("digits").search)
