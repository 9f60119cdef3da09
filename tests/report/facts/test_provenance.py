from __future__ import annotations

from dataclasses import replace

from autokd.core.setting import Pair
from autokd.report.facts.provenance import pair_provenance, provenance_facts
from tests.report.federations import GOOD, make_material, swept_run
from tests.report.samples import HOT

PAIR = Pair(0, 1)


def test_everything_that_a_second_machine_needs() -> None:
    facts = provenance_facts(make_material((0.5, 0.6), {PAIR: GOOD}))
    assert dict(facts.identity)["federation"] == "digits-1a2b3c4d"
    assert dict(facts.identity)["studies"] == "digits-1a2b3c4d/digits-0/T->S"
    assert dict(facts.splits)["private"].startswith("42 examples")
    assert dict(facts.splits)["test"].startswith("250 examples")
    assert dict(facts.seeds)["confirmation"] == "2000 to 2004"
    assert dict(facts.seeds)["race"] == "1000"
    assert dict(facts.recipe)["distillation.learning_rate"] == "0.01"
    assert dict(facts.recipe)["federation.architectures[0].name"] == "cnn"
    assert dict(facts.space)["temperature.high"] == "16.0"
    assert facts.versions == (("autokd", "0.1.0"),)


def test_the_commands_name_what_differs_from_the_recipe() -> None:
    facts = provenance_facts(make_material((0.5, 0.6), {PAIR: GOOD}))
    # Five trials in this pair, the running one included.
    assert facts.commands == (
        "autokd prepare --home elsewhere",
        "autokd tune --all --trials 5 --home elsewhere",
        "autokd report --home elsewhere",
    )
    swept = provenance_facts(make_material((0.5, 0.6), {PAIR: GOOD}, swept={PAIR: [swept_run(HOT, 0.5)]}))
    assert "autokd sweep --all --home elsewhere" in swept.commands


def test_the_commands_of_one_pair() -> None:
    facts = provenance_facts(make_material((0.5, 0.6), {PAIR: GOOD}), PAIR)
    assert facts.commands[1:] == (
        "autokd tune --pair 0,1 --trials 5 --home elsewhere",
        "autokd report --pair 0,1 --home elsewhere",
    )


def test_before_anything_was_prepared() -> None:
    facts = provenance_facts(replace(make_material((0.5, 0.6), {}), federation=None))
    assert dict(facts.identity)["federation"] == "not prepared yet"
    assert dict(facts.splits)["private"] == "not divided yet"
    assert facts.commands[1] == "autokd tune --all --home elsewhere"


def test_how_a_pair_was_made() -> None:
    (pair,) = make_material((0.5, 0.6), {PAIR: GOOD}).pairs
    provenance = dict(pair_provenance(pair))
    assert provenance["trials"] == "1 running, 2 complete, 1 pruned, 1 fail"
    assert provenance["memory format and precision"] == "contiguous, float32"
    assert provenance["paired confirmation seeds"] == "5"
    assert pair_provenance(replace(pair, recommendation=None)) == ()
