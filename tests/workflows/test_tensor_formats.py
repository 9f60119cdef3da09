"""Which memory format and precision the runs of each pair have."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from autokd.compute import tensor_formats as choosing
from autokd.compute.device import Compute
from autokd.compute.tensor_formats import choose_format
from autokd.config.federation import ArchitectureConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import RunRecord, Stage, TrialOrigin, TrialState
from autokd.core.setting import DEFAULT, AnyPair, Pair
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.errors import InputError
from autokd.federation.federation import Federation
from autokd.models.building import build
from autokd.models.weights import weights_of
from autokd.search.study_names import rivals_name, sweep_name
from autokd.search.transfer import register_study
from autokd.store import Store, sqlite_url
from autokd.workflows import tensor_formats as workflow
from autokd.workflows.results import StoredResults
from autokd.workflows.tensor_formats import filled_from_store, tensor_formats
from tests.distillation.conftest import make_federation
from tests.search.worlds import BACKWARD, FORWARD, open_space, tiny_plan
from tests.store.samples import DISTRIBUTIONS, complete_run, rung

CHANNELS_LAST = TensorFormat("channels_last")
HALF = TensorFormat("channels_last", "bfloat16")


@pytest.fixture(scope="module")
def federation() -> Federation:
    """Participant 0 is an MLP, participant 1 a CNN."""
    made = make_federation()
    architecture = ArchitectureConfig(name="mlp", options={"widths": (8,)})
    weights = weights_of(build(architecture, channels=1, size=8, classes=4))
    first = replace(made.participants[0], architecture=architecture, weights=weights)
    return replace(made, participants=(first, made.participants[1]))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(sqlite_url(tmp_path / "store.db")) as store:
        yield store


def results_of(store: Store, federation: Federation, **space: object) -> StoredResults:
    return StoredResults(tiny_plan(), open_space(**space), federation.facts(), store)


@pytest.fixture
def results(store: Store, federation: Federation) -> StoredResults:
    return results_of(store, federation)


def begin(
    results: StoredResults, federation: Federation, pair: Pair, tensor_format: TensorFormat | None
) -> None:
    """Make a study with one trial, as autokd does, or as it did when there were no formats."""
    name, store = results.study(pair), results.store
    if tensor_format is None:
        store.create_study(name, attributes={"teacher": pair.teacher, "student": pair.student, "rule": 1})
    else:
        records = PairRecords(pair=pair, study=name, tensor_format=tensor_format)
        register_study(store, records, federation)
    begun = store.begin_trial(
        name,
        DEFAULT,
        seed=0,
        role=TrialOrigin.BASELINE,
        distributions=DISTRIBUTIONS,
        tensor_format=tensor_format or FORMER_FORMAT,
    )
    store.report(name, begun.number, rung(10))
    store.end_trial(name, begun.number, TrialState.COMPLETE)


def formats(
    results: StoredResults, federation: Federation, compute: Compute | None = None
) -> dict[AnyPair, TensorFormat]:
    return tensor_formats(results, federation, (FORWARD, BACKWARD), compute or Compute())


def test_a_new_study_has_what_its_student_and_the_user_choose(
    results: StoredResults, federation: Federation
) -> None:
    """0->1 trains the CNN, 1->0 the MLP."""
    assert formats(results, federation) == {FORWARD: CHANNELS_LAST, BACKWARD: FORMER_FORMAT}
    half = formats(results, federation, Compute(precision="bfloat16"))
    assert half == {FORWARD: HALF, BACKWARD: TensorFormat("contiguous", "bfloat16")}
    plain = formats(results, federation, Compute(memory_format="contiguous"))
    assert plain == {FORWARD: FORMER_FORMAT, BACKWARD: FORMER_FORMAT}


def test_what_a_study_began_with_is_fixed(results: StoredResults, federation: Federation) -> None:
    begin(results, federation, FORWARD, HALF)
    assert formats(results, federation)[FORWARD] == HALF
    assert formats(results, federation, Compute(precision="auto"))[FORWARD] == HALF
    attributes = results.store.attributes(results.study(FORWARD))
    assert (attributes["memory_format"], attributes["precision"]) == ("channels_last", "bfloat16")
    # Also before its first trial.
    register_study(
        results.store,
        PairRecords(pair=BACKWARD, study=results.study(BACKWARD), tensor_format=HALF),
        federation,
    )
    assert formats(results, federation)[BACKWARD] == HALF


def test_a_study_of_an_earlier_version_stays_contiguous(
    results: StoredResults, federation: Federation
) -> None:
    begin(results, federation, FORWARD, None)
    assert formats(results, federation)[FORWARD] == FORMER_FORMAT
    assert results.searched(FORWARD).tensor_format == FORMER_FORMAT
    # Its other spaces, too, whose runs are compared with the same alternatives.
    elsewhere = results_of(results.store, federation, name="narrow", temperature=[1, 4])
    assert formats(elsewhere, federation)[FORWARD] == FORMER_FORMAT


def test_another_recipe_begins_anew(results: StoredResults, federation: Federation) -> None:
    begin(results, federation, FORWARD, None)
    other = StoredResults(
        tiny_plan().model_copy(update={"name": "other"}), results.space, results.facts, results.store
    )
    assert formats(other, federation)[FORWARD] == CHANNELS_LAST


@pytest.mark.parametrize("name", [sweep_name, rivals_name])
@pytest.mark.parametrize("fixed", [FORMER_FORMAT, HALF])
def test_a_study_has_the_format_of_the_pairs_sweep_and_alternatives(
    results: StoredResults, federation: Federation, name: object, fixed: TensorFormat
) -> None:
    assert callable(name)
    run: RunRecord = replace(complete_run(stage=Stage.SWEEP), tensor_format=fixed)
    results.store.add_run(name(federation.name, results.config, FORWARD), run)
    assert formats(results, federation)[FORWARD] == fixed


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        (Compute(memory_format="channels_last"), "--memory-format channels_last.*0->1 are contiguous"),
        (Compute(precision="bfloat16"), "--precision bfloat16.*0->1 are float32"),
    ],
)
def test_a_contradiction_is_refused_in_one_line_with_a_way_out(
    results: StoredResults, federation: Federation, compute: Compute, words: str
) -> None:
    begin(results, federation, FORWARD, None)
    with pytest.raises(InputError, match=words) as refused:
        formats(results, federation, compute)
    assert "\n" not in str(refused.value)
    assert "give the recipe another name" in str(refused.value)
    agreed = Compute(memory_format="contiguous", precision="float32")
    assert formats(results, federation, agreed)[FORWARD] == FORMER_FORMAT


def test_a_model_made_by_hand_takes_from_the_store_what_is_left_open(
    results: StoredResults, federation: Federation
) -> None:
    assert filled_from_store(results, FORWARD, Compute(threads=2)) == Compute(threads=2)
    begin(results, federation, FORWARD, HALF)
    filled = filled_from_store(results, FORWARD, Compute(memory_format="contiguous", threads=2))
    assert filled == Compute(memory_format="contiguous", precision="bfloat16", threads=2)
    assert filled_from_store(results, FORWARD, Compute()).tensor_format == HALF


@pytest.fixture
def three(federation: Federation) -> Federation:
    """Participants 1 and 2 are equal CNNs, described by objects of their own; 0 is an MLP."""
    second = federation.participants[1]
    alike = replace(second, number=2, architecture=second.architecture.model_copy(deep=True))
    return replace(federation, participants=(*federation.participants, alike))


def test_one_trial_pass_serves_all_students_of_an_architecture(
    results: StoredResults, three: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[nn.Module] = []

    def counted(compute: Compute, student: nn.Module, images: Sequence[int]) -> TensorFormat:
        tried.append(student)
        return choose_format(compute, student, images)

    monkeypatch.setattr(workflow, "choose_format", counted)
    pairs = [Pair(teacher, student) for teacher in range(3) for student in range(3) if teacher != student]
    formats = tensor_formats(results, three, pairs, Compute())
    assert formats == {pair: CHANNELS_LAST if pair.student else FORMER_FORMAT for pair in pairs}
    assert len(tried) == 2


@pytest.mark.parametrize("student", [1, 2])
def test_a_layout_that_an_architecture_refuses_is_refused_for_each_of_its_students(
    results: StoredResults, three: Federation, monkeypatch: pytest.MonkeyPatch, student: int
) -> None:
    monkeypatch.setattr(choosing, "refuses_channels_last", lambda *arguments: "view size")
    with pytest.raises(InputError, match=r"--memory-format channels_last: .*view size"):
        tensor_formats(results, three, [Pair(0, student)], Compute(memory_format="channels_last"))


def test_auto_precision_is_told_once_for_each_architecture(
    results: StoredResults, federation: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="autokd"):
        formats(results, federation)
        assert caplog.messages == []
        formats(results, federation, Compute(precision="auto"))
    assert len(caplog.messages) == 2
    assert all(message.startswith("--precision auto: ") for message in caplog.messages)
