from __future__ import annotations

from autokd.config.search import StoppingConfig
from autokd.config.study import SeveralConfig, StudyConfig
from autokd.core.pair import Group, Pair, parse_key
from autokd.core.setting import Position
from autokd.search.study_names import (
    Held,
    held_pair,
    meetings_of,
    preparation_name,
    rivals_name,
    same_search,
    study_name,
    sweep_name,
)
from tests.search.worlds import TINY, open_space, tiny_plan


def name(config: StudyConfig | None = None, **space: object) -> str:
    return study_name("digits-1a2b3c4d", config or tiny_plan(), open_space(**space), Pair(4, 9))


def test_a_name_says_federation_plan_and_pair() -> None:
    federation, config, pair = name().split("/")
    assert (federation, pair) == ("digits-1a2b3c4d", "4->9")
    assert config.startswith("tiny-open-")


def test_what_decides_a_run_makes_another_study() -> None:
    other_recipe = StudyConfig.model_validate({**TINY, "distillation": {"learning_rate": 0.2, "epochs": 10}})
    names = {
        name(),
        name(other_recipe),
        name(tiny_plan(stopping=StoppingConfig(rungs=(3,)))),
        name(temperature=[1, 2]),
    }
    assert len(names) == 4


def test_what_is_wanted_forbidden_or_limited_makes_another_study() -> None:
    names = {
        name(),
        name(StudyConfig.model_validate({**TINY, "objective": "gain_local"})),
        name(StudyConfig.model_validate({**TINY, "objective": "balanced"})),
        name(StudyConfig.model_validate({**TINY, "constraints": {"max_forgetting": 2.0}})),
        name(StudyConfig.model_validate({**TINY, "constraints": {"max_local_loss": 1.0}})),
        name(transfer_set=["student", "public"]),
    }
    assert len(names) == 6


def test_what_only_says_how_much_does_not() -> None:
    more_seeds = StudyConfig.model_validate({**TINY, "confirmation": {"seeds": 9}})
    assert name(tiny_plan(trials=64)) == name(more_seeds) == name(position=[Position.STUDENT]) == name()


def test_the_same_search_may_be_of_any_pair_and_federation_and_go_by_any_name() -> None:
    config = tiny_plan().model_copy(update={"name": "a-plan"})
    other = study_name("cifar-5e6f7a8b", config, open_space(name="a-space"), Pair(0, 1))
    assert same_search(name(), other)


def test_another_recipe_early_stopping_or_space_and_a_sweep_are_not_the_same_search() -> None:
    other_recipe = StudyConfig.model_validate({**TINY, "distillation": {"learning_rate": 0.2, "epochs": 10}})
    others = [
        name(other_recipe),
        name(tiny_plan(stopping=StoppingConfig(rungs=(3, 6), reduction=2, grace=1))),
        name(temperature=[1, 2]),
        sweep_name("digits-1a2b3c4d", tiny_plan(), Pair(4, 9)),
    ]
    assert not any(same_search(name(), other) for other in others)


def test_a_sweep_is_kept_apart_and_whatever_its_space_or_early_stopping() -> None:
    def swept(config: StudyConfig) -> str:
        return sweep_name("digits-1a2b3c4d", config, Pair(4, 9))

    other_recipe = StudyConfig.model_validate({**TINY, "distillation": {"learning_rate": 0.2, "epochs": 10}})
    assert swept(tiny_plan()) == swept(tiny_plan(trials=64, stopping=StoppingConfig(rungs=(3,))))
    assert len({swept(tiny_plan()), swept(other_recipe), name()}) == 3


def test_pairs_of_one_meeting_are_searched_together_and_once() -> None:
    asked = [Pair(4, 9), Pair(9, 4), Pair(1, 4)]
    assert meetings_of(open_space(), asked) == ((Pair(4, 9), Pair(9, 4)), (Pair(1, 4), Pair(4, 1)))


def test_with_one_position_only_what_was_asked_is_searched() -> None:
    space = open_space(position=[Position.STUDENT])
    assert meetings_of(space, [Pair(4, 9), Pair(1, 4), Pair(9, 4)]) == (
        (Pair(4, 9), Pair(9, 4)),
        (Pair(1, 4),),
    )


def test_all_pairs_of_ten_participants_make_45_meetings() -> None:
    everybody = [Pair(t, s) for t in range(10) for s in range(10) if t != s]
    meetings = meetings_of(open_space(), everybody)
    assert len(meetings) == 45
    assert sorted(pair for meeting in meetings for pair in meeting) == everybody


def held(name: str) -> Held | None:
    return held_pair(name, tiny_plan(), open_space())


def test_a_name_that_a_driver_holds_says_what_it_does_to_which_pair() -> None:
    config, pair, federation = tiny_plan(), Pair(4, 9), "formula-1a2b3c4d"
    assert held(study_name(federation, config, open_space(), pair)) == Held("tune", pair)
    # Whatever the hashes.
    assert held(study_name("formula-5e6f7a8b", config, open_space(temperature=[1]), pair)) == Held(
        "tune", pair
    )
    assert held(sweep_name(federation, config, pair)) == Held("sweep", pair)
    assert held(rivals_name(federation, config, pair)) == Held("explain", pair)
    assert held(preparation_name(config.federation)) == Held("prepare", None)
    assert preparation_name(config.federation) != preparation_name(config.federation)


def test_names_of_others_are_not_held() -> None:
    config, pair, federation = tiny_plan(), Pair(4, 9), "formula-1a2b3c4d"
    other = config.model_copy(update={"name": "tiny-open"})
    assert held(study_name("digits-1a2b3c4d", config, open_space(), pair)) is None
    assert held(study_name(federation, config, open_space(name="narrow"), pair)) is None
    assert held(study_name(federation, other, open_space(), pair)) is None
    assert held(sweep_name(federation, other, pair)) is None
    assert held("somebody's own") is None


def test_a_target_makes_another_study_and_common_none() -> None:
    def names(target: object) -> tuple[str, ...]:
        config = StudyConfig.model_validate({**TINY, "target": target})
        pair = Pair(0, 1)
        others = sweep_name("f", config, pair), rivals_name("f", config, pair)
        return study_name("f", config, open_space(), pair), *others

    plain = StudyConfig.model_validate(TINY)
    assert "target" not in plain.model_dump()
    assert names("common") == (
        study_name("f", plain, open_space(), Pair(0, 1)),
        sweep_name("f", plain, Pair(0, 1)),
        rivals_name("f", plain, Pair(0, 1)),
    )
    shares = {"0": 0.5, "1": 0.3, "2": 0.2}
    kinds = [names("common"), names("own"), names(shares), names({"0": 0.3, "1": 0.5, "2": 0.2})]
    assert all(len(set(column)) == len(kinds) for column in zip(*kinds, strict=True))
    # Neither their order nor what has no share makes another target.
    assert names({"2": 0.2, "1": 0.3, "0": 0.5, "9": 0}) == names(shares)
    assert same_search(names(shares)[0], names(dict(reversed(shares.items())))[0])
    assert not same_search(names(shares)[0], names("common")[0])


def test_a_group_is_named_by_its_candidates_and_by_a_hash_if_they_are_many() -> None:
    few, many = Group((0, 3, 7), 9), Group(tuple(range(60)), 70)
    config = tiny_plan()
    named = study_name("digits-1a2b3c4d", config, open_space(), few)
    assert named.endswith("/{0,3,7}->9")
    assert parse_key("{0,3,7}->9") == few
    assert many.key.startswith("{60 of ")
    assert many.key.endswith("}->70")
    assert parse_key(many.key) is None
    assert many.key != Group(tuple(range(1, 61)), 70).key
    assert len(study_name("digits-1a2b3c4d", config, open_space(), many)) < 300


def test_groups_have_a_search_of_their_own() -> None:
    config = tiny_plan()
    more = config.model_copy(update={"several": SeveralConfig(most=3)})
    group = Group((0, 3), 9)
    names = {
        study_name("digits-1a2b3c4d", plan, open_space(), pair)
        for plan, pair in ((config, Pair(0, 9)), (config, group), (more, group))
    }
    assert len(names) == 3
    assert name(more) == name(config), "a pair's search does not change"


def test_each_group_is_alone() -> None:
    groups = [Group((0, 3), 9), Group((0, 9), 3)]
    assert meetings_of(open_space(), groups) == ((groups[0],), (groups[1],))
    assert meetings_of(open_space(), [groups[0], Pair(0, 3)])[0] == (groups[0],)


def test_a_driver_of_a_group_is_told() -> None:
    config = tiny_plan()
    federation = f"{config.federation.name}-1a2b3c4d"
    few = study_name(federation, config, open_space(), Group((0, 3), 9))
    many = study_name(federation, config, open_space(), Group(tuple(range(60)), 70))
    assert held_pair(few, config, open_space()) == Held("tune", Group((0, 3), 9))
    assert held_pair(many, config, open_space()) == Held("tune", None)
