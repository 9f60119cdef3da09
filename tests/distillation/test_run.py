from __future__ import annotations

import copy
import math
import random
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from autokd.compute.device import Compute
from autokd.config.federation import ExternalArchitecture
from autokd.config.training import DistillationConfig
from autokd.core.setting import (
    DEFAULT,
    SEARCHABLE,
    BatchNorm,
    Method,
    Pair,
    Schedule,
    Setting,
    Split,
    TransferSet,
    derive_seed,
)
from autokd.distillation import Run, examples, trainer
from autokd.distillation.loss import loss_to_softened
from autokd.errors import DeviceUnavailable, Diverged, OutOfMemory, PlanError
from autokd.federation.federation import Federation
from autokd.federation.networks import network
from autokd.models.building import build
from autokd.models.weights import weights_of
from tests.distillation.conftest import PAIR, RECIPE, MakeRun, make_federation

EVERY_EPOCH = tuple(range(1, RECIPE.epochs + 1))


def setting(temperature=1.0, alpha: float | None = 0.5, on=TransferSet.STUDENT) -> Setting:
    return Setting(
        temperature=temperature, alpha=None if on is TransferSet.PUBLIC else alpha, transfer_set=on
    )


def recipe(**changes) -> DistillationConfig:
    return DistillationConfig.model_validate(RECIPE.model_dump() | changes)


def bits(run: Run) -> tuple[object, ...]:
    """All that a run computes, timings apart, in a form whose equality is equality of bits."""
    rungs = [
        (
            rung.epoch,
            rung.soft_loss,
            rung.hard_loss,
            [
                (split, seen.correct.tobytes(), seen.per_class.tobytes(), seen.accuracy, seen.forgetting)
                for split, seen in rung.evaluations.items()
            ],
        )
        for rung in run
    ]
    return rungs, weight_bits(run.student)


def weight_bits(module: nn.Module) -> dict[str, bytes]:
    return {name: value.contiguous().numpy().tobytes() for name, value in module.state_dict().items()}


COMPUTES = [
    Compute(),
    Compute(memory_format="contiguous"),
    Compute(memory_format="contiguous", precision="bfloat16"),
    Compute(memory_format="channels_last", precision="bfloat16"),
]


@pytest.mark.parametrize("compute", COMPUTES, ids=str)
@pytest.mark.parametrize("on", SEARCHABLE)
def test_same_arguments_give_the_same_bits(make_run: MakeRun, compute, on):
    arguments = {"compute": compute, "setting": setting(3.0, 0.7, on), "rungs": EVERY_EPOCH}
    first = bits(make_run(**arguments))
    torch.rand(3)
    bits(make_run(seed=9))
    assert bits(make_run(**arguments)) == first


@pytest.mark.parametrize("compute", COMPUTES, ids=str)
@pytest.mark.parametrize("on", SEARCHABLE)
def test_streamed_images_give_the_same_bits(make_run: MakeRun, compute, on):
    arguments = {"setting": setting(3.0, 0.7, on), "rungs": EVERY_EPOCH}
    resident = make_run(**arguments, compute=compute)
    streamed = make_run(**arguments, compute=replace(compute, image_bytes=0))
    assert streamed.notice == ""
    seen = [rung.evaluations[Split.VALIDATION].correct.tolist() for rung in resident]
    assert [rung.evaluations[Split.VALIDATION].correct.tolist() for rung in streamed] == seen
    assert weight_bits(streamed.student) == weight_bits(resident.student)
    assert "no room" in streamed.notice
    assert resident.notice == ""


@pytest.mark.parametrize("on", SEARCHABLE)
def test_what_a_setting_has_of_its_own_takes_the_recipes_place(make_run: MakeRun, on):
    own = replace(setting(3.0, 0.7, on), learning_rate=0.02, epochs=2, batch_norm=BatchNorm.FROZEN)
    result_bits = bits(make_run(setting=own, rungs=(1, 2)))
    changed = recipe(learning_rate=0.02, epochs=2, batch_norm="frozen")
    assert bits(make_run(setting=setting(3.0, 0.7, on), recipe=changed, rungs=(1, 2))) == result_bits


@pytest.mark.parametrize("schedule", [None, *Schedule])
@pytest.mark.parametrize("epochs", [None, 2, 12])
def test_the_rate_of_every_step_follows_the_schedule_over_the_runs_own_epochs(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, schedule, epochs
):
    """Written out by hand: 30 examples in batches of 16 are two steps an epoch."""
    schedule_recipe = recipe(schedule="cosine", epochs=6)
    total, steps = 2 * (epochs or 6), []
    step = torch.optim.SGD.step

    def watched(self, closure=None):
        steps.append(self.param_groups[0]["lr"])
        return step(self, closure)

    monkeypatch.setattr(torch.optim.SGD, "step", watched)
    chosen = replace(setting(1.0, 0.5, TransferSet.STUDENT), schedule=schedule, epochs=epochs)
    list(make_run(setting=chosen, recipe=schedule_recipe, rungs=(epochs or 6,)))
    constant = schedule is Schedule.CONSTANT
    expected = [
        0.1 if constant else 0.05 * (1 + math.cos(math.pi * (t - t % 2) / total)) for t in range(total)
    ]
    assert steps == pytest.approx(expected, rel=1e-12)


def test_a_constant_rate_makes_longer_runs_begin_as_shorter_ones(make_run: MakeRun):
    """So trials of different budgets can be compared at the same epoch; with a falling rate they cannot."""
    chosen = setting(1.0, 0.5, TransferSet.STUDENT)

    def after_three(schedule: Schedule, epochs: int) -> list[bool]:
        run = make_run(setting=replace(chosen, schedule=schedule, epochs=epochs), rungs=(3, epochs))
        correct: list[bool] = next(run).evaluations[Split.VALIDATION].correct.tolist()
        return correct

    assert after_three(Schedule.CONSTANT, 6) == after_three(Schedule.CONSTANT, 12)


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("on", SEARCHABLE)
def test_every_method_teaches_on_every_transfer_set(make_run: MakeRun, method, on):
    plain = bits(make_run(setting=setting(3.0, 0.7, on)))
    trained = bits(make_run(setting=replace(setting(3.0, 0.7, on), method=method)))
    # By partition, or the surest, it is the plain one where the teacher is the surer one of every example.
    by_example = (Method.DATA_PARTITIONING, Method.SUREST)
    assert (trained == plain) == (method is Method.PLAIN) or method in by_example


def test_neither_uses_nor_changes_global_random_state(make_run: MakeRun):
    expected = bits(make_run())
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    before = random.getstate(), repr(np.random.get_state()), torch.get_rng_state()
    assert bits(make_run()) == expected
    after = random.getstate(), repr(np.random.get_state()), torch.get_rng_state()
    assert after[:2] == before[:2]
    assert torch.equal(after[2], before[2])


def test_leaves_the_federation_as_it_was(federation, make_run: MakeRun):
    before = copy.deepcopy(federation)
    list(make_run(setting=setting(on=TransferSet.BOTH)))
    for participant, other in zip(before.participants, federation.participants, strict=True):
        assert all(
            np.array_equal(participant.weights[name], other.weights[name]) for name in participant.weights
        )
    np.testing.assert_array_equal(before.logits, federation.logits)
    np.testing.assert_array_equal(before.data.images, federation.data.images)


@pytest.mark.parametrize("batch_norm", ["train", "frozen"])
@pytest.mark.parametrize("on", [each for each in SEARCHABLE if each is not TransferSet.STUDENT_PUBLIC])
def test_is_the_training_loop_one_would_write_by_hand(federation, make_run: MakeRun, on, batch_norm):
    chosen, plan = setting(2.0, 0.3, on), recipe(batch_norm=batch_norm, schedule="cosine", weight_decay=0.01)
    run = make_run(setting=chosen, recipe=plan)
    list(run)

    data, where = federation.data, torch.tensor(examples(federation, PAIR, on))
    pixels = (torch.tensor(data.images).float() - data.mean[0]) / data.std[0]
    teacher = torch.tensor(federation.logits[PAIR.teacher])
    labels = torch.tensor(data.labels)
    student = network(federation, PAIR.student)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    order = torch.Generator().manual_seed(derive_seed(federation.name, "0->1", 0))
    for epoch in range(6):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 + math.cos(math.pi * epoch / 6)) / 2
        student.train()
        if batch_norm == "frozen":
            for layer in student.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        shuffled = where[torch.randperm(len(where), generator=order)]
        sizes = {20: [16, 4], 30: [16, 14], 33: [16, 17], 63: [16, 16, 16, 15]}[len(where)]
        for batch in shuffled.split(sizes):
            z_s, z_t = student(pixels[batch]), teacher[batch]
            p, q = F.softmax(z_t / 2, dim=1), F.softmax(z_s / 2, dim=1)
            loss = 4 * (p * (p / q).log()).sum(dim=1).mean()
            if on is not TransferSet.PUBLIC:
                loss = 0.3 * loss + 0.7 * F.cross_entropy(z_s, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    expected = student.state_dict()
    for name, value in run.student.state_dict().items():
        # Rounding grows over six epochs, on some CPUs past 1e-4; a weight that is 1% off is still caught.
        torch.testing.assert_close(value, expected[name], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("rungs", [(1, 6), (2, 3, 6), EVERY_EPOCH])
def test_where_it_reports_does_not_change_what_it_learns(make_run: MakeRun, rungs):
    plain, reporting = make_run(), make_run(rungs=rungs, splits=list(Split))
    (last,) = plain
    reports = list(reporting)
    assert [rung.epoch for rung in reports] == list(rungs)
    assert weight_bits(reporting.student) == weight_bits(plain.student)
    at_the_end = reports[-1].evaluations[Split.VALIDATION]
    np.testing.assert_array_equal(at_the_end.correct, last.evaluations[Split.VALIDATION].correct)


def test_looks_at_the_splits_it_was_asked_for_and_no_other(make_run: MakeRun):
    (rung,) = make_run(splits=(Split.CONFIRMATION, Split.TEST))
    assert {split: len(seen.correct) for split, seen in rung.evaluations.items()} == {
        Split.CONFIRMATION: 60,
        Split.TEST: 50,
    }
    with pytest.raises(KeyError):
        rung.report(Split.VALIDATION)


def test_learns_from_a_teacher_what_its_labels_never_said(federation, make_run: MakeRun):
    # The teacher knows every label; the student sees unlabelled examples only.
    knowing = np.array(federation.logits)
    knowing[PAIR.teacher] = 8 * np.eye(4, dtype=np.float32)[federation.data.labels]
    run = make_run(
        federation=replace(federation, logits=knowing),
        setting=setting(2.0, on=TransferSet.PUBLIC),
        recipe=recipe(learning_rate=0.02, epochs=30),
        splits=[Split.TEST],
    )
    (rung,) = run
    assert federation.correct(PAIR.student, Split.TEST).mean() < 0.3
    assert rung.evaluations[Split.TEST].accuracy > 0.7


def test_never_looks_at_public_labels(federation, make_run: MakeRun):
    labels = np.array(federation.data.labels)
    labels[federation.public] = (labels[federation.public] + 1) % 4
    scrambled = replace(federation, data=replace(federation.data, labels=labels))
    arguments = {"setting": setting(on=TransferSet.PUBLIC)}
    assert bits(make_run(federation=scrambled, **arguments)) == bits(make_run(**arguments))


def test_hard_loss_is_none_on_public_only(make_run: MakeRun):
    (public,) = make_run(setting=setting(on=TransferSet.PUBLIC))
    (private,) = make_run()
    assert public.hard_loss is None
    assert private.hard_loss is not None


def test_without_weight_on_the_teacher_the_temperature_does_not_matter(make_run: MakeRun):
    # This holds to the bit only since the order of the examples does not depend on the setting.
    cold, warm = make_run(setting=setting(0.5, 0.0)), make_run(setting=setting(16.0, 0.0))
    list(cold), list(warm)
    assert weight_bits(cold.student) == weight_bits(warm.student)


def test_seed_index_and_pair_change_the_order_of_the_examples(federation, make_run: MakeRun):
    # Both participants are given the same private data, weights and logits: only pair and seed differ.
    alike = federation.participants[1]
    twins = replace(
        federation,
        participants=(replace(alike, number=0), alike),
        logits=np.stack([federation.logits[1]] * 2),
    )
    runs = [
        make_run(federation=twins, **changes) for changes in ({}, {"seed": 1}, {"pair": PAIR.reverse}, {})
    ]
    for run in runs:
        list(run)
    plain, seeded, reverse, again = (weight_bits(run.student) for run in runs)
    assert plain == again
    assert plain != seeded
    assert plain != reverse
    assert seeded != reverse


def test_losses_are_means_over_examples_not_over_batches(federation, make_run: MakeRun):
    # With frozen BatchNorm and next to no learning, the batches (16 and 17 of 33) must add up to the whole.
    where = examples(federation, PAIR, TransferSet.TEACHER)
    student, teacher = (torch.tensor(federation.logits[who, where]) for who in (PAIR.student, PAIR.teacher))
    still = recipe(learning_rate=1e-12, epochs=1, batch_norm="frozen")
    (rung,) = make_run(recipe=still, setting=setting(4.0, 0.5, TransferSet.TEACHER))
    labels = torch.tensor(federation.data.labels[where])
    soft = 16 * F.kl_div((student / 4).log_softmax(1), (teacher / 4).softmax(1), reduction="batchmean")
    assert rung.hard_loss == pytest.approx(F.cross_entropy(student, labels).item(), rel=1e-5)
    assert rung.soft_loss == pytest.approx(soft.item(), rel=1e-4)
    assert rung.evaluations[Split.VALIDATION].forgetting == 0


@pytest.mark.parametrize(("batch_norm", "moved"), [("train", True), ("frozen", False)])
def test_batch_norm_statistics_move_as_the_recipe_says(federation, make_run: MakeRun, batch_norm, moved):
    run = make_run(recipe=recipe(batch_norm=batch_norm), rungs=EVERY_EPOCH)
    list(run)
    before, after = network(federation, PAIR.student).state_dict(), run.student.state_dict()
    for name in before:
        if "running" in name:
            assert torch.equal(before[name], after[name]) != moved
        elif name.endswith("weight"):
            assert not torch.equal(before[name], after[name])


@pytest.mark.parametrize("compute", COMPUTES[1:], ids=str)
def test_precision_and_layout_change_little(make_run: MakeRun, compute):
    plain, other = make_run(rungs=(1, 6)), make_run(rungs=(1, 6), compute=compute)
    first, last = next(plain), next(other)
    assert last.soft_loss == pytest.approx(first.soft_loss, rel=0.05)
    assert last.hard_loss == pytest.approx(first.hard_loss, rel=0.05)


def test_bfloat16_does_compute_in_bfloat16(make_run: MakeRun):
    plain, half = make_run(), make_run(compute=Compute(precision="bfloat16"))
    list(plain), list(half)
    assert weight_bits(plain.student) != weight_bits(half.student)
    assert all(value.dtype != torch.bfloat16 for value in half.student.state_dict().values())


def test_works_for_networks_of_other_kinds(make_run: MakeRun):
    federation = make_federation("mlp", widths=(16,))
    (rung,) = make_run(federation=federation, compute=COMPUTES[-1], recipe=recipe(optimizer="adamw"))
    assert rung.evaluations[Split.VALIDATION].accuracy > federation.correct(1, Split.VALIDATION).mean()


def test_student_is_what_the_last_rung_measured(federation, make_run: MakeRun):
    run = make_run(rungs=(3, 6))
    next(run)
    with pytest.raises(RuntimeError, match="last rung"):
        _ = run.student
    last = next(run)
    assert not run.student.training
    assert all(parameter.grad is None for parameter in run.student.parameters())
    data, where = federation.data, federation.splits[Split.VALIDATION]
    pixels = (torch.tensor(data.images[where]).float() - data.mean[0]) / data.std[0]
    right = run.student(pixels).argmax(dim=1).numpy() == data.labels[where]
    np.testing.assert_array_equal(right, last.evaluations[Split.VALIDATION].correct)
    assert list(run) == []


def test_forgetting_is_measured_on_the_students_own_terms(federation, make_run: MakeRun):
    (rung,) = make_run(splits=list(Split))
    own = federation.data.labels[federation.participants[PAIR.student].private]
    for split, seen in rung.evaluations.items():
        labels = federation.data.labels[federation.splits[split]]
        before = federation.logits[PAIR.student, federation.splits[split]].argmax(axis=1) == labels
        local = [
            np.mean([correct[labels == label].mean() for label in own]) for correct in (before, seen.correct)
        ]
        assert seen.local_accuracy == pytest.approx(local[1])
        assert seen.forgetting == pytest.approx(100 * (local[0] - local[1]))


def test_report_has_the_numbers_of_one_split(make_run: MakeRun):
    (rung,) = make_run(splits=list(Split))
    report, seen = rung.report(Split.TEST), rung.evaluations[Split.TEST]
    assert (report.epoch, report.soft_loss, report.hard_loss) == (6, rung.soft_loss, rung.hard_loss)
    assert (report.accuracy, report.local_accuracy) == (seen.accuracy, seen.local_accuracy)
    assert report.forgetting == seen.forgetting
    assert report.seconds == rung.seconds


def test_time_counts_training_only(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch):
    ticks = iter(range(0, 1000, 5))
    monkeypatch.setattr(trainer, "perf_counter", lambda: float(next(ticks)))
    rungs = list(make_run(rungs=(2, 6), splits=list(Split)))
    # Two looks at the clock an epoch, 5 s apart; 30 examples.
    assert [rung.seconds for rung in rungs] == [10, 30]
    assert [rung.examples_per_second for rung in rungs] == [6, 6]


def test_divergence_names_the_step_and_ends_the_run(make_run: MakeRun):
    run = make_run(recipe=recipe(learning_rate=1e38), rungs=EVERY_EPOCH)
    with pytest.raises(Diverged, match="step 2; try a lower learning rate") as caught:
        next(run)
    assert caught.value.step == 2
    assert not math.isfinite(caught.value.loss)
    assert list(run) == []


def test_divergence_in_the_last_step_is_not_missed(make_run: MakeRun):
    # One step an epoch: its loss was finite, its update is not.
    with pytest.raises(Diverged) as caught:
        next(make_run(recipe=recipe(learning_rate=1e38, batch_size=64, epochs=1)))
    assert caught.value.step == 1


def test_out_of_memory_is_told_and_leaves_nothing_behind(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch):
    held: list[weakref.ref[torch.Tensor]] = []

    def greedy(student, *_, **more):
        held.append(weakref.ref(student))
        return torch.empty(10**15)

    monkeypatch.setattr(trainer, "loss_to_softened", greedy)
    run = make_run()
    with pytest.raises(
        OutOfMemory, match=r"0->1 T=1 α=0\.5 on student: cpu ran out of memory .* lower"
    ) as caught:
        next(run)
    assert "\n" not in str(caught.value)
    assert [gone() for gone in held] == [None]
    assert list(run) == []


def test_other_errors_come_through_as_they_are(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch):
    def broken(*_, **more):
        raise RuntimeError("a bug")

    monkeypatch.setattr(trainer, "loss_to_softened", broken)
    run = make_run()
    with pytest.raises(RuntimeError, match="a bug"):
        next(run)
    assert list(run) == []


def test_a_run_stopped_early_is_freed_at_once(make_run: MakeRun):
    run = make_run(rungs=(1, 6))
    next(run)
    gone = weakref.ref(run)
    # No garbage collection: GPU memory must not wait for one.
    del run
    assert gone() is None


def test_asks_for_kernels_that_repeat_and_leaves_the_choice_as_it_was(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
):
    seen = set()

    def spy(*arguments, **more):
        seen.add((torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark))
        return loss_to_softened(*arguments, **more)

    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr(trainer, "loss_to_softened", spy)
    list(make_run())
    assert seen == {(True, False)}
    assert torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.deterministic


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"rungs": ()}, "rungs"),
        ({"rungs": (0, 6)}, "rungs"),
        ({"rungs": (3, 3, 6)}, "rungs"),
        ({"rungs": (3,)}, "up to the run's 6"),
        ({"rungs": (3, 9)}, "up to the run's 6"),
        ({"seed": -1}, "seed=-1"),
        ({"pair": Pair(teacher=0, student=2)}, "0->2 is not one of 2 participants"),
        ({"splits": (Split.TEST, Split.TEST)}, "names a split twice"),
        ({"setting": setting(on=TransferSet.VALIDATION)}, "cannot be judged on it"),
    ],
)
def test_refuses_what_makes_no_run(make_run: MakeRun, wrong, problem):
    with pytest.raises(ValueError, match=problem):
        make_run(**wrong)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_says_at_once_that_the_device_is_not_there(make_run: MakeRun):
    with pytest.raises(DeviceUnavailable, match="--device cuda"):
        make_run(compute=Compute(device="cuda"))


def test_a_transfer_set_that_is_too_small_is_the_plans_error(federation, make_run: MakeRun):
    bare = replace(federation, public=federation.public[:1])
    with pytest.raises(PlanError, match="public holds 1"):
        next(make_run(federation=bare, setting=setting(on=TransferSet.PUBLIC)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_same_bits_twice_on_a_gpu(make_run: MakeRun, precision):
    compute = Compute(device="cuda", precision=precision, memory_format="channels_last")
    first, second = make_run(compute=compute, setting=DEFAULT), make_run(compute=compute, setting=DEFAULT)
    (report,), (other,) = first, second
    assert (report.soft_loss, report.hard_loss) == (other.soft_loss, other.hard_loss)
    assert weight_bits(first.student.cpu()) == weight_bits(second.student.cpu())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_streamed_images_give_the_same_bits_on_a_gpu(make_run: MakeRun):
    compute = Compute(device="cuda", precision="bfloat16", memory_format="channels_last")
    runs = [make_run(compute=place) for place in (compute, replace(compute, image_bytes=0))]
    (report,), (other,) = runs
    assert (report.soft_loss, report.hard_loss) == (other.soft_loss, other.hard_loss)
    assert weight_bits(runs[0].student.cpu()) == weight_bits(runs[1].student.cpu())
    assert [run.notice.partition(" ")[0] for run in runs] == ["", "cuda"]


def test_resnet18_takes_the_path_of_a_gpu_on_whatever_is_there(make_run: MakeRun):
    """The poster's network, and all that a GPU is given: bfloat16, channels last, batches on the device."""
    federation = make_federation("resnet18", stem="cifar")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    compute = Compute(device=device, precision="bfloat16", memory_format="channels_last")
    short = recipe(learning_rate=0.01, epochs=2)
    runs = [make_run(federation=federation, compute=compute, recipe=short, rungs=(1, 2)) for _ in range(2)]
    first, second = ([(rung.soft_loss, rung.hard_loss or 0.0) for rung in run] for run in runs)
    assert first == second
    assert 0 < first[1][1] < first[0][1]
    students = [weight_bits(run.student.cpu()) for run in runs]
    assert students[0] == students[1]
    assert {value.dtype for value in runs[0].student.parameters()} == {torch.float32}


def test_what_layers_draw_by_chance_is_the_runs_own(federation: Federation, make_run: MakeRun) -> None:
    """Dropout asks torch's global generator, and no other; its state must neither decide nor change."""
    architecture = ExternalArchitecture(
        name="tests.distillation.networks:dropping", outputs=4, labels=tuple(range(4))
    )
    weights = weights_of(build(architecture, channels=1, size=8, classes=4))
    participants = tuple(
        replace(participant, architecture=architecture, weights=weights)
        for participant in federation.participants
    )
    dropping = replace(federation, participants=participants)
    torch.manual_seed(1)
    first = bits(make_run(federation=dropping))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert bits(make_run(federation=dropping)) == first
    assert torch.equal(torch.get_rng_state(), before)
    assert bits(make_run(federation=dropping, seed=1)) != first


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A device that cannot hold more than five examples; the sizes that it was asked to hold."""
    asked: list[int] = []
    whole = trainer.Trainer._backward

    def backward(self: trainer.Trainer, chosen: torch.Tensor, share: float) -> list[torch.Tensor]:
        asked.append(len(chosen))
        if len(chosen) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return whole(self, chosen, share)

    monkeypatch.setattr(trainer.Trainer, "_backward", backward)
    return asked


def test_batches_that_do_not_fit_are_worked_off_in_parts_if_the_plan_allows(
    make_run: MakeRun, scarce: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a network without BatchNorm and Dropout, the gradient is that of the whole batch."""
    plain = make_federation("mlp", widths=(8,))
    allowed = recipe(on_out_of_memory="split")
    run = make_run(federation=plain, recipe=allowed)
    (split,) = run
    # Sixteen, eight, then four at a time from there on.
    assert scarce[:4] == [16, 8, 4, 4]
    assert max(scarce[3:]) <= 5
    monkeypatch.undo()
    reference = make_run(federation=plain, recipe=allowed)
    (whole,) = reference
    for name, weight in reference.student.state_dict().items():
        torch.testing.assert_close(run.student.state_dict()[name], weight, rtol=1e-4, atol=1e-5)
    assert split.soft_loss == pytest.approx(whole.soft_loss, rel=1e-4)
    assert split.hard_loss == pytest.approx(whole.hard_loss, rel=1e-4)


@pytest.mark.usefixtures("scarce")
def test_else_or_where_no_part_fits_the_run_fails_with_the_reason(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutOfMemory, match=r"set distillation.on_out_of_memory: split"):
        next(make_run())

    def never(*_: object) -> list[torch.Tensor]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(trainer.Trainer, "_backward", never)
    with pytest.raises(OutOfMemory):
        next(make_run(recipe=recipe(on_out_of_memory="split")))
