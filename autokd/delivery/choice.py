"""What is distilled of a recommendation, and what the recommendation promised of it."""

from __future__ import annotations

from dataclasses import replace

from autokd.core.setting import DEFAULT, Setting
from autokd.delivery.order import Promise
from autokd.errors import NotRecommended
from autokd.recommendation import Recommendation


def chosen(found: Recommendation, *, force: bool) -> Setting:
    """The setting to distil with.

    Args:
        found: Of the pair.
        force: Distil even where the advice is to leave the model as it is: with the candidate that was
            judged, or the default if none was.

    Raises:
        NotRecommended: If that is the advice, and nobody insists.
    """
    setting = found.setting or DEFAULT
    if found.verdict.answer != "as-is" or force:
        return setting
    undecided = f"; what would decide: {found.what_would_decide}" if found.what_would_decide else ""
    raise NotRecommended(
        f"{found.advice} ({found.verdict.value}: {found.reason}{undecided}); --force distils {setting} "
        "all the same"
    )


def promised(found: Recommendation) -> Promise:
    """What the recommendation says of the setting that `chosen` gives."""
    told = Promise(study=found.records.study, verdict=found.verdict.value, reason=found.reason)
    if found.judgement is None:
        return told
    return replace(
        told,
        gain=found.gain,
        single_run=found.single_run,
        default_gain=found.judgement.test.default_gain,
        seeds=len(found.judgement.evidence.seeds),
    )
