from __future__ import annotations

from dataclasses import replace

import pytest

from autokd.core.setting import DEFAULT, Pair, Setting, TransferSet
from autokd.report.facts.costs import anytime_facts, cost_facts
from tests.report.federations import GOOD, make_material, swept_run
from tests.report.samples import HOT

PAIR = Pair(0, 1)


def test_what_was_spent() -> None:
    facts = cost_facts(make_material((0.5, 0.6), {PAIR: GOOD}, unfinished=[PAIR.reverse]))
    # 10 + 10 + 3 + 0 + 3 epochs of trials in each pair, ten runs of ten epochs in one.
    assert (facts.search, facts.confirmation, facts.sweep) == (52, 100, 1520)
    assert facts.trials == {"RUNNING": 2, "COMPLETE": 4, "PRUNED": 2, "FAIL": 2}
    assert facts.seconds == pytest.approx(5.2)


def test_what_was_spent_in_training_examples() -> None:
    material = make_material((0.5, 0.6), {PAIR: GOOD})
    assert cost_facts(material).examples is None, "how many public examples there are is not known"
    assert material.federation is not None
    known = replace(
        material,
        federation=replace(material.federation, public=20),
        sweep_examples={PAIR: 1234},
        sweep_budget=40,
    )
    facts = cost_facts(known)
    sizes = [sum(member.histogram) for member in material.federation.participants]
    by_set = {"student": sizes[1], "teacher": sizes[0], "both": sum(sizes), "public": 20}
    records = known.of(PAIR).records
    expected = [
        sum(run.epochs * by_set[run.setting.transfer_set] for run in runs)
        for runs in (records.trials, records.runs)
    ]
    assert facts.examples == (*expected, 1234)
    assert facts.budget == 40
    assert cost_facts(replace(known, sweep_examples={})).examples is None


def test_the_search_against_the_sweep_by_hand() -> None:
    """The student is right on 60 of 100. Its default came to 55, its second trial to 70; four swept settings
    came to 50, 60, 70 and 80."""
    settings = [DEFAULT, HOT, Setting(2.0, 0.5, TransferSet.BOTH), Setting(8.0, 0.5, TransferSet.BOTH)]
    swept = [swept_run(setting, 0.5 + 0.1 * number) for number, setting in enumerate(settings)]
    material = make_material((0.5, 0.6), {PAIR: GOOD}, swept={PAIR: swept})
    facts = anytime_facts(material)
    assert facts is not None
    assert [facts.sweep, facts.default] == pytest.approx([20, -5])
    assert facts.pairs == 1
    by_share = {point.share: point for point in facts.points}
    # 26 of the sweep's 40 epochs were spent on five trials, the first two of ten epochs each.
    assert max(by_share) == pytest.approx(26 / 40)
    assert by_share[0.3].search.value == 0  # the default is worse than nothing
    assert by_share[0.5].search.value == pytest.approx(10)
    # One of four at random gains 0, 0, 10 or 20; of two, the better one 20 in three of six cases, 10 in two.
    assert by_share[0.3].random == pytest.approx(7.5)
    assert by_share[0.5].random == pytest.approx((3 * 20 + 2 * 10) / 6)


def test_without_a_sweep_there_is_no_such_curve() -> None:
    assert anytime_facts(make_material((0.5, 0.6), {PAIR: GOOD})) is None
    assert anytime_facts(make_material((0.5, 0.6), {})) is None
