"""The first setting of a search in a large space."""

from __future__ import annotations

import pytest

from autokd.config.space import Space, former_spaces, read_space
from autokd.config.study import Forbidden
from autokd.config.yaml_files import read_study_config
from autokd.core.records import TrialOrigin, TrialState
from autokd.core.setting import LabelPrior, Setting, TransferSet
from autokd.search.start import start_setting
from tests.search.test_gp_sampler import STUDY, learner, trial

CONFIG = read_study_config("digits")
DEFAULT_SPACE = read_space("default").resolved(CONFIG)


def without_teacher(transfer_set: TransferSet) -> Setting:
    return Setting(1.0, 0.0, transfer_set, epochs=CONFIG.max_epochs, label_prior=LabelPrior.ADJUSTED)


def test_it_uses_what_examples_may_be_used() -> None:
    assert start_setting(DEFAULT_SPACE) == without_teacher(TransferSet.BOTH)
    private = read_space("private").resolved(CONFIG)
    assert start_setting(private) == without_teacher(TransferSet.STUDENT)
    some = DEFAULT_SPACE.permitted(Forbidden(transfer_sets=("both",)))
    assert start_setting(some) == without_teacher(TransferSet.STUDENT)
    none = Space.model_validate({**read_space("default").model_dump(), "transfer_set": ["public"]})
    assert start_setting(none.resolved(CONFIG)) is None


@pytest.mark.parametrize("space", [read_space("poster_sweep"), *former_spaces("default")])
def test_a_space_without_it_starts_as_before(space: Space) -> None:
    assert start_setting(space.resolved(CONFIG)) is None


def test_a_study_begins_with_it_and_tries_it_once() -> None:
    start = start_setting(DEFAULT_SPACE)
    assert start is not None
    sampler = learner(DEFAULT_SPACE)
    assert sampler.suggest(STUDY, []) == start
    assert sampler.role(STUDY, start) is TrialOrigin.SEARCH
    for state in (TrialState.RUNNING, TrialState.COMPLETE, TrialState.FAIL):
        following = sampler.suggest(STUDY, [trial(1, start, state=state)])
        assert following is not None
        assert following != start
