from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import astuple, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autokd.core.setting import DEFAULT, LabelPrior, Method, Pair, Schedule, Setting, TransferSet
from autokd.search import gaussian_process, kernel
from autokd.search.gaussian_process import Posterior, Surrogate
from autokd.search.kernel import LARGE, PLAIN_RECIPE, KernelParameters, Task, encode, setting_correlation
from autokd.search.pair_features import PairFeatures
from tests.search.worlds import features

SCALE = 10.0
Run = tuple[Task, Setting, float]


def somebody(federation: str, pair: Pair, seed: int) -> Task:
    dice = random.Random(seed)
    return Task(
        federation, pair, PairFeatures(**{field.name: dice.random() for field in fields(PairFeatures)})
    )


SUBJECTS = [
    somebody("here", Pair(0, 1), 0),
    somebody("here", Pair(1, 0), 1),
    somebody("here", Pair(0, 2), 2),
    somebody("here", Pair(3, 1), 3),
    somebody("there", Pair(0, 1), 4),
    somebody("there", Pair(4, 5), 5),
]
SETTINGS = [
    DEFAULT,
    Setting(0.5, 0.0, TransferSet.STUDENT),
    Setting(16.0, 0.9, TransferSet.STUDENT),
    Setting(3.0, 0.1, TransferSet.TEACHER),
    Setting(1.0, 0.5, TransferSet.BOTH),
    Setting(4.0, 1.0, TransferSet.BOTH),
    Setting(4.0, None, TransferSet.PUBLIC),
    Setting(0.7, None, TransferSet.PUBLIC),
]
runs_of_some = st.lists(
    st.tuples(st.sampled_from(SUBJECTS), st.sampled_from(SETTINGS), st.floats(-30, 30)), max_size=12
)
subjects = st.sampled_from(SUBJECTS)


def learned(runs: Sequence[Run], *, prior: KernelParameters | None = None, most: int = 1000) -> Surrogate:
    made = Surrogate(prior or KernelParameters(), scale=SCALE, most=most)
    for subject, setting, gain in runs:
        made.learn(subject, setting, gain)
    return made


def believed(runs: Sequence[Run], subject: Task, *, prior: KernelParameters | None = None) -> Posterior:
    return learned(runs, prior=prior).predict(subject, encode(SETTINGS))


def assert_same(posterior: Posterior, other: Posterior) -> None:
    np.testing.assert_allclose(posterior.mean, other.mean, atol=1e-7)
    np.testing.assert_allclose(posterior.covariance, other.covariance, atol=1e-7)


def covariance(prior: KernelParameters, task: Task, x: Setting, other: Task, y: Setting) -> float:
    """Of two gains, in units of the squared scale, straight from the model as it is written down."""
    units = astuple(kernel._FEATURE_UNITS)
    steps = zip(astuple(task.features), astuple(other.features), units, strict=True)
    apart = sum(((mine - theirs) / unit) ** 2 for mine, theirs, unit in steps) / len(units)
    alike = math.exp(-apart / (2 * prior.feature_length**2))
    here = task.federation == other.federation
    teacher = here and task.pair.teachers == other.pair.teachers
    student = here and task.pair.student == other.pair.student
    shared = prior.shared + prior.shared_alike * alike
    shared += prior.shared_teacher * teacher + prior.shared_student * student
    shared += prior.own * (here and task.pair == other.pair)
    level = prior.level + prior.level_alike * alike
    level += prior.level_teacher * teacher + prior.level_student * student
    level += prior.level_own * (here and task.pair == other.pair)
    octaves = math.log2(x.temperature / y.temperature) / prior.temperature_length
    alphas = [1.0 if setting.alpha is None else setting.alpha for setting in (x, y)]
    weights = (alphas[0] - alphas[1]) / prior.alpha_length
    sets = 1.0 if x.transfer_set is y.transfer_set else prior.across_sets
    return shared * sets * math.exp(-(octaves**2 + weights**2) / 2) + level


def by_hand(runs: Sequence[Run], subject: Task) -> Posterior:
    """The posterior by solving with the whole covariance of the runs at once."""
    prior = KernelParameters()
    asked = [(subject, setting) for setting in SETTINGS]
    known = [(who, what) for who, what, _ in runs]

    def between(some: Sequence[tuple[Task, Setting]], others: Sequence[tuple[Task, Setting]]) -> np.ndarray:
        values = [covariance(prior, *point, *other) for point in some for other in others]
        return np.array(values).reshape(len(some), len(others))

    weights = np.linalg.solve(between(known, known) + prior.noise * np.eye(len(known)), between(known, asked))
    mean = weights.T @ np.array([gain for _, _, gain in runs])
    return Posterior(mean, SCALE**2 * (between(asked, asked) - weights.T @ between(known, asked)))


@settings(max_examples=25, deadline=None)
@given(runs_of_some, subjects)
def test_predictions_are_those_of_a_dense_gaussian_process(runs: list[Run], subject: Task) -> None:
    assert_same(believed(runs, subject), by_hand(runs, subject))


def test_and_still_are_when_the_room_for_runs_has_grown_twice() -> None:
    dice = random.Random(0)
    runs = [(dice.choice(SUBJECTS), dice.choice(SETTINGS), dice.gauss(0, 10)) for _ in range(140)]
    assert_same(believed(runs, SUBJECTS[0]), by_hand(runs, SUBJECTS[0]))


@settings(max_examples=15, deadline=None)
@given(runs_of_some, subjects, st.randoms(use_true_random=False))
def test_the_order_of_learning_does_not_matter(runs: list[Run], subject: Task, dice: random.Random) -> None:
    assert_same(believed(runs, subject), believed(dice.sample(runs, len(runs)), subject))


@settings(max_examples=15, deadline=None)
@given(runs_of_some, subjects, st.integers(0, len(SETTINGS) - 1), st.floats(-30, 30))
def test_a_belief_given_a_run_is_that_of_who_learned_it(
    runs: list[Run], subject: Task, place: int, gain: float
) -> None:
    noise = learned([]).noise
    updated = gaussian_process.condition(believed(runs, subject), place, gain, noise)
    assert_same(updated, believed([*runs, (subject, SETTINGS[place], gain)], subject))


@settings(max_examples=15, deadline=None)
@given(runs_of_some, subjects)
def test_what_is_learned_only_narrows_the_belief(runs: list[Run], subject: Task) -> None:
    before = believed([], subject).covariance
    for count in range(1, len(runs) + 1):
        after = believed(runs[:count], subject).covariance
        assert (np.diag(after) <= np.diag(before) + 1e-9).all()
        assert np.linalg.eigvalsh(after).min() > -1e-7
        before = after


def test_before_any_run_no_gain_is_expected_and_all_is_open() -> None:
    prior, belief = KernelParameters(), believed([], SUBJECTS[0])
    parts = ("", "_alike", "_teacher", "_student")
    total = sum(getattr(prior, f"{name}{part}") for name in ("shared", "level") for part in parts)
    assert not belief.mean.any()
    np.testing.assert_allclose(belief.deviation, SCALE * math.sqrt(total + prior.own + prior.level_own))


def test_a_run_tells_most_of_its_own_setting_and_pair() -> None:
    """Of a pair, what another setting is worth; and of a setting, what it is worth to another pair."""
    mine, other = (believed([(SUBJECTS[0], DEFAULT, 10.0)], subject).mean for subject in SUBJECTS[:2])
    assert 5 < mine[0] < 10
    assert mine[0] == mine.max()
    assert 0 < other[0] < mine[0]


def test_no_more_is_learned_than_the_most() -> None:
    runs = [(SUBJECTS[0], setting, 10.0) for setting in SETTINGS]
    bounded = learned(runs, most=3)
    assert bounded.runs == 3
    assert_same(bounded.predict(SUBJECTS[1], encode(SETTINGS)), believed(runs[:3], SUBJECTS[1]))


@pytest.mark.parametrize(
    ("pair", "same"), [(Pair(0, 2), True), (Pair(3, 1), True), (Pair(1, 0), False), (Pair(2, 3), False)]
)
def test_a_participant_is_known_again_as_who_it_is_in_its_federation(pair: Pair, same: bool) -> None:
    """By number it says nothing of one of another federation; nor as a teacher of itself as a student."""
    only = KernelParameters(shared=0, shared_alike=0, level=0, level_alike=0)
    runs = [(Task("here", Pair(0, 1), features(Pair(0, 1))), DEFAULT, 10.0)]
    here, there = (
        believed(runs, Task(where, pair, features(pair)), prior=only).mean for where in ("here", "there")
    )
    assert here.any() == same
    assert not there.any()


def test_pairs_of_two_federations_are_alike_by_their_features() -> None:
    runs = [(Task("here", Pair(0, 1), features(Pair(0, 1))), DEFAULT, 10.0)]
    near, far = (
        believed(runs, Task("there", Pair(2, 3), features(known))).mean[0]
        for known in (Pair(0, 1), Pair(60, 61))
    )
    assert near > far > 0


def test_public_is_like_the_teachers_part_alone() -> None:
    public, both = encode([Setting(4.0, None, TransferSet.PUBLIC), Setting(4.0, 1.0, TransferSet.BOTH)])
    assert list(public[1:]) == list(both[1:])
    assert list(public[1:3]) == [2.0, 1.0]
    assert not public[3:].any()
    assert public[0] != both[0]


def test_label_priors_matter_as_much_as_labels_do() -> None:
    prior = KernelParameters()
    weights = (0.0, 0.25, 1.0)
    usual = [Setting(4.0, alpha, TransferSet.BOTH) for alpha in weights]
    adjusted = [replace(setting, label_prior=LabelPrior.ADJUSTED) for setting in usual]
    correlation = setting_correlation(prior, encode(usual), encode(adjusted))
    for place, alpha in enumerate(weights):
        expected = math.exp(-(((1 - alpha) / prior.label_prior_length) ** 2) / 2)
        assert correlation[place, place] == pytest.approx(expected, rel=1e-12)
    assert correlation[2, 2] == 1, "with α = 1 both are the same run"
    both = encode([*usual, *adjusted])
    assert np.linalg.eigvalsh(setting_correlation(prior, both, both)).min() > -1e-9


def test_a_schedule_matters_where_it_differs_from_the_recipes() -> None:
    prior = KernelParameters()
    left, constant, cosine = (replace(DEFAULT, schedule=schedule) for schedule in (None, *Schedule))
    for recipe, same, other in (
        (PLAIN_RECIPE, constant, cosine),
        (PLAIN_RECIPE.model_copy(update={"schedule": "cosine"}), cosine, constant),
    ):
        encoded = encode([left, same, other], recipe)
        assert list(encoded[0]) == list(encoded[1])
        correlation = setting_correlation(prior, encoded, encoded)
        assert correlation[0, 2] == correlation[1, 2] == pytest.approx(prior.across_schedules)


TAUGHT = [
    Setting(temperature, alpha, transfer_set, method=method)
    for temperature in (1.0, 4.0)
    for alpha in (0.1, 1.0)
    for transfer_set in (TransferSet.BOTH, TransferSet.STUDENT_PUBLIC)
    for method in (Method.PLAIN, Method.BALANCED)
]


def test_in_large_spaces_methods_differ_by_as_much_as_the_teacher_weighs() -> None:
    def apart(alpha: float) -> float:
        pair = [
            Setting(2.0, alpha, TransferSet.BOTH, method=method) for method in (Method.PLAIN, Method.TRUST)
        ]
        return float(1 - setting_correlation(LARGE, encode(pair), encode(pair))[0, 1])

    assert apart(0.01) < 0.001
    assert apart(0.1) < apart(0.5) < apart(1.0)


def test_in_large_spaces_rate_and_epochs_trade_for_each_other() -> None:
    """Twice the rate and half the epochs move the student as far; four times the rate does not."""
    base = Setting(2.0, 0.5, TransferSet.BOTH, learning_rate=1.0, epochs=20)
    others = [replace(base, learning_rate=2.0, epochs=10), replace(base, learning_rate=2.0, epochs=40)]
    traded, further = setting_correlation(LARGE, encode([base]), encode(others))[0]
    assert traded > further


def test_the_kernel_of_large_spaces_is_one() -> None:
    """Symmetric, 1 on its diagonal, and without a negative eigenvalue."""
    encoded = encode([*SETTINGS, *TAUGHT])
    correlation = setting_correlation(LARGE, encoded, encoded)
    np.testing.assert_allclose(correlation, correlation.T)
    np.testing.assert_allclose(np.diag(correlation), 1)
    assert np.linalg.eigvalsh(correlation).min() > -1e-9


def test_two_predictions_are_joined_to_that_for_all_their_settings() -> None:
    surrogate = learned([(SUBJECTS[1], SETTINGS[0], 3.0), (SUBJECTS[0], SETTINGS[4], -2.0)])
    first, second = encode(SETTINGS[:3]), encode(SETTINGS[3:])
    parts = [surrogate.extend(SUBJECTS[0], some) for some in (first, second)]
    joined = surrogate.joined(SUBJECTS[0], parts[0], first, parts[1], second)
    for part, whole in zip(joined, surrogate.extend(SUBJECTS[0], encode(SETTINGS)), strict=True):
        np.testing.assert_allclose(part, whole, atol=1e-12)
