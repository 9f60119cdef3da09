from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given

from autokd.config.asked import as_text, asked_setting
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import BatchNorm, LabelPrior, Method, Pair, Schedule, Setting, TransferSet
from autokd.errors import InputError, PlanError
from autokd.search.study_names import study_name
from tests.samples import settings
from tests.search.worlds import TINY, open_space, tiny_plan

TEXT = "T=4,alpha=0.9,transfer_set=both"
SETTING = Setting(temperature=4.0, alpha=0.9, transfer_set=TransferSet.BOTH)


@given(settings.filter(lambda setting: setting.transfer_set is not TransferSet.VALIDATION))
def test_a_setting_comes_back_from_its_text_and_from_its_values(setting: Setting) -> None:
    assert asked_setting(as_text(setting)) == setting
    assert asked_setting(setting.to_json()) == setting
    assert asked_setting(setting) == setting


@pytest.mark.parametrize(
    "asked",
    [
        TEXT,
        " transfer_set = both , alpha=0.9, temperature=4 ",
        {"T": 4, "alpha": 0.9, "transfer_set": "both"},
        {"T": 4, "alpha": 0.9, "transfer_set": TransferSet.BOTH, "method": None},
    ],
)
def test_ways_to_write_one_setting(asked: object) -> None:
    setting = asked_setting(asked)
    assert setting == SETTING
    # A stored run is found by the text of its numbers: 4 and 4.0 would be two runs.
    assert isinstance(setting.temperature, float)


def test_every_dimension_may_be_named() -> None:
    text = "T=2,alpha=1,transfer_set=student,method=trust,learning_rate=0.02,epochs=20,batch_norm=frozen"
    text += ",schedule=cosine"
    expected = Setting(2.0, 1.0, TransferSet.STUDENT, Method.TRUST, 0.02, 20, BatchNorm.FROZEN)
    expected = replace(expected, schedule=Schedule.COSINE)
    assert asked_setting(text) == expected
    adjusted = replace(expected, label_prior=LabelPrior.ADJUSTED)
    assert asked_setting(f"{text},label_prior=adjusted") == adjusted
    assert asked_setting(f"{text},label_prior=none") == expected
    assert asked_setting("T=2,transfer_set=public") == Setting(2.0, None, TransferSet.PUBLIC)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("T=0,alpha=0.9,transfer_set=both", ("T=0 is not a positive number", "T=4")),
        ("T=-1,alpha=0.9,transfer_set=both", ("T=-1 is not a positive number",)),
        ("T=inf,alpha=0.9,transfer_set=both", ("T=inf is not a positive number",)),
        ("T=nan,alpha=0.9,transfer_set=both", ("T=nan is not a positive number",)),
        ("T=hot,alpha=0.9,transfer_set=both", ("T=hot is not a positive number",)),
        ({"T": True, "alpha": 0.9, "transfer_set": "both"}, ("T=true is not a positive number",)),
        ("T=4,alpha=1.5,transfer_set=both", ("alpha=1.5 is not a number in [0, 1]", "alpha=0.9")),
        ("T=4,alpha=-0.1,transfer_set=both", ("alpha=-0.1 is not a number in [0, 1]",)),
        (
            "T=4,alpha=0.9,transfer_set=all",
            ("transfer_set=all is unknown", "student, teacher, both, public or student_public"),
        ),
        ("T=4,alpha=0.9,transfer_set=validation", ("transfer_set=validation is unknown",)),
        ({"T": 4, "alpha": 0.9, "transfer_set": ["both"]}, ("transfer_set=a list is unknown",)),
        ("T=4,alpha=0.9,transfer_set=public", ("alpha has no meaning on public", "T=4,transfer_set=public")),
        (
            "T=4,transfer_set=public,label_prior=adjusted",
            ("label_prior has no meaning on public", "T=4,transfer_set=public"),
        ),
        (
            "T=4,alpha=1,transfer_set=both,label_prior=even",
            ("label_prior=even is unknown", "none or adjusted"),
        ),
        ("T=4,transfer_set=both", ("alpha is missing", TEXT)),
        ("alpha=0.9,transfer_set=both", ("T is missing", TEXT)),
        ("T=4,alpha=0.9", ("transfer_set is missing", TEXT)),
        (
            "temp=4,alpha=0.9,transfer_set=both",
            (
                "temp is unknown",
                "T, alpha, transfer_set, method, learning_rate, epochs, batch_norm, label_prior, "
                "schedule or teachers",
            ),
        ),
        ("T=4,temperature=4,alpha=0.9,transfer_set=both", ("T and temperature are the same",)),
        ("T=4,T=2,alpha=0.9,transfer_set=both", ("T stands there twice",)),
        ("T=4,alpha=0.9,transfer_set=both,method=magic", ("method=magic is unknown", "plain, ", "or surest")),
        ("T=4,alpha=0.9,transfer_set=both,epochs=0", ("epochs=0 is not a whole number from 1",)),
        ("T=4,alpha=0.9,transfer_set=both,epochs=2.5", ("epochs=2.5 is not a whole number from 1",)),
        ("T=4,alpha=0.9,transfer_set=both,learning_rate=0", ("learning_rate=0 is not a positive number",)),
        ("T=4,alpha=0.9,transfer_set=both,batch_norm=off", ("batch_norm=off is unknown", "train or frozen")),
        (
            "T=4 alpha=0.9 transfer_set=both",
            ("'T=4 alpha=0.9 transfer_set=both' is not one NAME=VALUE", TEXT),
        ),
        ("", ("'' is not one NAME=VALUE", TEXT)),
        ("T=4,,alpha=0.9", ("'' is not one NAME=VALUE",)),
        (4, ("4 is no setting", TEXT)),
        (None, ("nothing (null) is no setting",)),
    ],
)
def test_what_does_not_hold_is_named_with_a_way_out(asked: object, words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        asked_setting(asked)
    for word in words:
        assert word in str(caught.value)


def test_a_recipe_asks_with_texts_and_mappings_and_keeps_its_names() -> None:
    asked = [TEXT, {"T": 2, "transfer_set": "public"}]
    config = StudyConfig.model_validate({**TINY, "search": {**TINY["search"], "try": asked}})  # type: ignore[dict-item]
    assert config.search.asked == (SETTING, Setting(2.0, None, TransferSet.PUBLIC))
    without = tiny_plan()
    names = {study_name("f", each, open_space(), Pair(4, 9)) for each in (config, without)}
    assert len(names) == 1
    assert config.with_(trials=9).search.asked == config.search.asked
    assert "asked" not in without.search.model_dump()


def test_more_are_asked_beside_the_recipes_each_once() -> None:
    other = Setting(2.0, None, TransferSet.PUBLIC)
    config = tiny_plan().with_asked([TEXT])
    assert config.with_asked([other, SETTING]).search.asked == (SETTING, other)
    assert config.with_asked([]) is config


def test_a_forbidden_transfer_set_is_refused() -> None:
    config = StudyConfig.model_validate({**TINY, "forbid": {"transfer_sets": ["both", "public"]}})
    with pytest.raises(InputError) as caught:
        config.with_asked([TEXT])
    for word in ("try_", TEXT, "transfer_set=both", "forbid.transfer_sets", "allowed: student, teacher"):
        assert word in str(caught.value)


def test_public_is_refused_where_nothing_is_public() -> None:
    splits = {"validation": 200, "confirmation": 350, "test": 250, "public": 1}
    federation = {**TINY["federation"], "splits": splits}  # type: ignore[dict-item]
    config = StudyConfig.model_validate({**TINY, "federation": federation})
    with pytest.raises(InputError, match="too few public examples; allowed: student, teacher, both"):
        config.with_asked(["T=4,transfer_set=public"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"search": {"try": [{"T": 0, "alpha": 1, "transfer_set": "both"}]}}, ("search.try.0: T=0 is not",)),
        ({"search": {"try": [TEXT, "T=4"]}}, ("search.try.1: transfer_set is missing", "not 'T=4'")),
        (
            {"search": {"try": [TEXT]}, "forbid": {"transfer_sets": ["both"]}},
            ("search.try: transfer_set=both cannot be used", "allowed: student, teacher, public"),
        ),
        ({"search": {"tri": [TEXT]}}, ("search.tri: unknown field", "retries, try")),
        ({"search": {"asked": [TEXT]}}, ("search.asked: unknown field", "retries, try")),
    ],
)
def test_a_recipe_that_asks_for_what_cannot_be(
    tmp_path: Path, changes: dict[str, object], words: tuple[str, ...]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**TINY, **changes}))
    with pytest.raises(PlanError) as caught:
        read_study_config(str(file))
    for word in words:
        assert word in str(caught.value)
