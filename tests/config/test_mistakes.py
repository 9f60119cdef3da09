"""Whatever stands in a recipe, it is taken as it is meant, or refused in one line in plain words."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from autokd.config.base import Recipe, content_hash
from autokd.config.space import Space, read_space
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read, read_study_config, shipped
from autokd.errors import PlanError
from tests.fuzz.harness import FORBIDDEN
from tests.fuzz.own import RECIPE

WRONG: tuple[Any, ...] = (
    "odd text, which is none of the choices",
    "",
    ["a", 1, None],
    [],
    {"odd": 1},
    {},
    None,
    float("nan"),
    float("inf"),
    -1,
    -0.5,
    10**5000,
    True,
    datetime.date(2024, 2, 29),
    [[1], {"a": [None]}],
    b"\xff",
    object(),
)


def everything() -> dict[str, tuple[type[Recipe], dict[str, Any]]]:
    """Every shipped recipe and space, and one of own models with every optional part."""
    places: dict[str, tuple[type[Recipe], dict[str, Any]]] = {
        name: (StudyConfig, read_study_config(name).model_dump(mode="json", by_alias=True))
        for name in shipped("studies")
    }
    places |= {name: (Space, read_space(name).model_dump(mode="json")) for name in shipped("search_spaces")}
    own = copy.deepcopy(RECIPE)
    own["federation"]["participants"][0]["data"] |= {"stop": 4, "indices": None, "bits": 8}
    own["federation"]["participants"][0]["input"] |= {"channels": 3, "size": 8}
    own["constraints"] = {"max_forgetting": 1.0, "max_local_loss": None}
    own["forbid"] = {"transfer_sets": ["both"], "positions": [], "class_counts": True}
    own["search"]["try"] = [{"T": 4.0, "alpha": 0.5, "transfer_set": "student"}]
    return places | {"own": (StudyConfig, own)}


ALL = everything()


def leaves(content: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in which a value stands, and those of the values in it."""
    if place:
        yield place
    inner = dict(enumerate(content[:2])) if isinstance(content, list | tuple) else content
    for name, value in inner.items() if isinstance(inner, dict) else ():
        yield from leaves(value, (*place, name))


def changed(content: Any, place: tuple[str | int, ...], value: object) -> Any:
    result: Any = copy.deepcopy(content)
    *above, last = place
    where = result
    for part in above:
        where = where[part]
    where[last] = value
    return result


def refusal(model: type[Recipe], content: Any) -> PlanError | None:
    """Why it is refused; None if it is taken, and then it has a hash."""
    try:
        content_hash(model.model_validate(content))
    except PlanError as error:
        return error
    return None


def check_words(error: PlanError) -> None:
    lines = [str(mistake) for mistake in error.all]
    fields = [mistake.field for mistake in error.all]
    assert lines
    for line in lines:
        assert not FORBIDDEN.search(line), line
        assert len(line) < 700, line
        assert "\n" not in line
    assert len(set(fields)) == len(fields), f"more than one message for a mistake: {lines}"


@pytest.mark.parametrize("name", ALL)
def test_a_wrong_value_in_any_place_is_one_line(name: str) -> None:
    model, content = ALL[name]
    assert model.model_validate(content)
    for place in leaves(content):
        for value in WRONG:
            error = refusal(model, changed(content, place, value))
            if error is not None:
                check_words(error)
                # The mistake is told where it is, or at the part that no longer fits together.
                here = ".".join(map(str, place))
                fields = [mistake.field for mistake in error.all]
                near = [field for field in fields if here.startswith(field) or field.startswith(here)]
                assert near, f"{here}: {error}"


@pytest.mark.parametrize("name", ["digits", "default", "own"])
def test_an_unknown_name_in_any_place_is_told_with_a_hint(name: str) -> None:
    model, content = ALL[name]
    for place in leaves(content):
        *_, last = place
        if not isinstance(last, str) or "options" in place[:-1] or len(last) < 5 or "try" in place:
            continue
        misspelt = last[0] + last[2] + last[1] + last[3:]
        if misspelt == last:
            continue
        *above, _ = place
        renamed: Any = copy.deepcopy(content)
        where = renamed
        for part in above:
            where = where[part]
        where[misspelt] = where.pop(last)
        with pytest.raises(PlanError) as caught:
            model.model_validate(renamed)
        first = caught.value.all[0]
        if first.problem.startswith("unknown field"):
            assert f"did you mean {last}?" in first.problem, str(first)
        check_words(caught.value)


@pytest.mark.parametrize(
    ("path", "written", "meant"),
    [
        ("distillation.learning_rate", "1e-1", 0.1),
        ("distillation.learning_rate", "1", 1.0),
        ("distillation.epochs", "1e1", 10),
        ("distillation.epochs", "12.0", 12),
        ("distillation.batch_size", '"16"', 16),
        ("search.stopping.rungs", "3", (3,)),
        ("search.stopping.rungs", "", (3, 6)),
        ("confirmation.early_looks", "2", (2,)),
        ("confirmation.max_seeds", "null", None),
        ("confirmation", "", {"seeds": 5}),
        ("constraints", "null", None),
        ("forbid.transfer_sets", "both", ("both",)),
        ("federation.architectures", "{name: mlp}", 1),
        ("federation.name", "2026", "2026"),
        ("name", "2024-02-30", "2024-02-30"),
        ("search.try", "T=4,alpha=0.5,transfer_set=student", 1),
    ],
)
def test_what_can_only_mean_one_thing_is_taken(tmp_path: Path, path: str, written: str, meant: Any) -> None:
    content = copy.deepcopy(ALL["digits"][1])
    *above, last = path.split(".")
    where: Any = content
    for part in above:
        where = where[part]
    where[last] = "MARK"
    text = yaml.safe_dump(content)
    assert text.count("MARK") == 1
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace("MARK", written))
    config: Any = read_study_config(str(file))
    for part in path.split("."):
        config = getattr(config, "asked" if part == "try" else part)
    if isinstance(meant, dict):
        assert all(getattr(config, name) == value for name, value in meant.items())
    elif isinstance(meant, int) and not isinstance(config, int):
        assert len(config) == meant
    elif meant is None:
        assert config is None or config.limit is None
    else:
        assert config == meant
        assert type(config) is type(meant)


def test_a_space_of_single_values(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\ntemperature: 4\nalpha: 1e-1\ntransfer_set: both\nposition: student\nmethod:\n"
    )
    space = read("search_spaces", str(file), Space)
    assert [str(setting) for setting in space.grid()] == ["T=4 α=0.1 on both"]


def test_a_number_that_yaml_takes_for_text_reaches_own_code_as_a_number(tmp_path: Path) -> None:
    content = copy.deepcopy(RECIPE)
    content["federation"]["participants"][0]["architecture"] = {"name": "networks:make", "options": "MARK"}
    file = tmp_path / "mine.yaml"
    written = '{rate: 1e-1, text: "1e-1", whole: 2, flag: no, widths: [4, 8]}'
    file.write_text(yaml.safe_dump(content).replace("MARK", written))
    network: Any = read_study_config(str(file)).federation.participants[0]  # type: ignore[index]
    options = network.architecture.options
    assert options == {"rate": 0.1, "text": "1e-1", "whole": 2, "flag": False, "widths": (4, 8)}


def test_a_network_without_options_may_be_written_as_its_name() -> None:
    content = copy.deepcopy(ALL["own"][1])
    content["federation"]["participants"][0]["architecture"] = "resnet18"
    config: Any = StudyConfig.model_validate(content)
    assert config.federation.participants[0].architecture.name == "resnet18"
    assert not config.federation.participants[0].architecture.options


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda listed: dict(zip("ab", listed, strict=False)),
            "must be a list: each begins with '- ', and its field name says what it is called",
        ),
        (lambda listed: listed[:1], "must list at least 2 of them, not 1"),
        (lambda listed: [], "must list at least 2 of them, not 0"),
    ],
)
def test_participants_that_are_no_list_of_two_are_one_mistake(change: Any, words: str) -> None:
    content = copy.deepcopy(ALL["own"][1])
    content["federation"]["participants"] = change(content["federation"]["participants"])
    error = refusal(StudyConfig, content)
    assert error is not None
    assert [mistake.problem for mistake in error.all] == [words]


@pytest.mark.parametrize("content", [{}, [], None, 1, "digits", {"name": "a", 1: 2}])
def test_from_python_it_is_the_same(content: Any) -> None:
    for model in (StudyConfig, Space):
        with pytest.raises(PlanError) as caught:
            model.model_validate(content)
        check_words(caught.value)
    with pytest.raises(PlanError, match=r"Space: temprature: unknown field; did you mean temperature\?"):
        Space.model_validate({"name": "mine", "temprature": 3})
