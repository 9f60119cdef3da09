"""Whether all sources of a federation mean the same by a pixel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from autokd.data.pixel_facts import ROUNDING, PixelFacts, PixelScale
from autokd.federation.findings import Findings
from autokd.text.quoting import listed

_DOUBTFUL: Final = 3.0
"""Ratio of the highest pixels of two sources that gets a warning."""
_DIFFERENT: Final = {PixelScale.UNIT: 64.0, PixelScale.POSITIVE: 8.0}
"""Ratio at which two sources cannot mean the same: in [0, 1], another division by 255, or bytes that are
only 0 and 1. Images may well be darker than others, but hardly that much."""
_SHIFTED: Final = 0.25
"""Distance of the ends of two ranges with negative numbers worth a warning, as a share of the wider one."""
_WAYS_OUT: Final = {
    PixelScale.POSITIVE: "say bits: 8 on it if they mean value / 255, or normalised: {std: [...]}, where "
    "value x std is a pixel from 0 to 1",
    PixelScale.SYMMETRIC: "say normalised: {mean: [0.5], std: [0.5]} on it, which is undone",
    PixelScale.SIGNED: "say on it with what they were normalised, which is undone: normalised: {mean: [...], "
    "std: [...]}",
    PixelScale.UNIT: "give all sources in one scale",
}


def compare_pixels(facts: Mapping[str, PixelFacts], findings: Findings) -> None:
    """Note sources whose pixels mean something else than those of most others.

    Args:
        facts: By field of the recipe, private data first.
        findings: Gets a problem if two scales cannot be the same, and a warning if they hardly are.
    """
    if not facts:
        return
    usual = _usual(facts)
    others = {field: pixels for field, pixels in facts.items() if pixels.scale is usual}
    odd = {field: pixels for field, pixels in facts.items() if pixels.scale is not usual}
    for field, first_field in _one_of_each_scale(odd).items():
        fields = [name for name, other in odd.items() if other.scale is first_field.scale]
        theirs = next(iter(others.values()))
        # Bytes count as [0, 1] only where floats are beside them.
        counted = ", which count as 0 to 1" if theirs.is_bytes else ""
        ours = ", which count as 0 to 1" if first_field.is_bytes else ""
        problem = (
            f"its pixels are {first_field}{ours}{_and_of(fields[1:])}, and those of "
            f"{listed(list(others), most=2)} are {theirs}{counted}: a network cannot be asked for "
            f"both; {_way_out(first_field, theirs)}"
        )
        findings.problem(field, problem)
    _compare_ranges(others, usual, findings)


def _usual(facts: Mapping[str, PixelFacts]) -> PixelScale:
    """Return the scale of most sources; of several, that of bytes, or else that of the first source."""
    counts = Counter(pixels.scale for pixels in facts.values())
    most = max(counts.values())
    first = [scale for scale in counts if counts[scale] == most]
    return PixelScale.UNIT if PixelScale.UNIT in first else first[0]


def _one_of_each_scale(odd: Mapping[str, PixelFacts]) -> dict[str, PixelFacts]:
    fields: dict[PixelScale, str] = {}
    for field, pixels in odd.items():
        fields.setdefault(pixels.scale, field)
    return {field: odd[field] for field in fields.values()}


def _way_out(ours: PixelFacts, theirs: PixelFacts) -> str:
    if ours.scale is not PixelScale.UNIT:
        return _WAYS_OUT[ours.scale]
    # This one is as ToTensor makes it; the many others say more easily what they are.
    return f"on the others, {_WAYS_OUT[theirs.scale].replace('on it', 'each')}"


def _and_of(fields: list[str]) -> str:
    return f" (as those of {listed(fields, most=2)})" if fields else ""


def _compare_ranges(facts: Mapping[str, PixelFacts], scale: PixelScale, findings: Findings) -> None:
    """Compare sources of one scale with each other."""
    for field, pixels in facts.items():
        if pixels.low == pixels.high:
            findings.warn(field, f"all pixels of all its images are {pixels.low:.4g}")
        elif (
            scale is PixelScale.UNIT and not pixels.is_bytes and (pixels.low < -0.001 or pixels.high > 1.001)
        ):
            findings.warn(field, f"its pixels are {pixels}: slightly outside [0, 1], where ToTensor's are")
    visible = {field: pixels for field, pixels in facts.items() if pixels.low < pixels.high}
    if len(visible) < 2:
        return
    if scale in _DIFFERENT:
        _compare_heights(visible, scale, findings)
    else:
        _compare_ends(visible, findings)


def _compare_heights(facts: Mapping[str, PixelFacts], scale: PixelScale, findings: Findings) -> None:
    """Compare the highest pixels of sources without negative ones, each with the source of most light."""
    brightest = max(facts, key=lambda field: facts[field].high)
    top = facts[brightest]
    for field, pixels in facts.items():
        ratio = top.high / max(pixels.high, 1e-12)
        if ratio < _DOUBTFUL:
            continue
        problem = f"its pixels are {pixels}, those of {brightest} {top}"
        if ratio >= _DIFFERENT[scale] and top.size >= _DIFFERENT[scale] / 2 * pixels.size:
            findings.problem(
                field,
                f"{problem}: {ratio:.3g} times as high; store all in one scale, or say on one of the two "
                "normalised: {std: [...]}, where value x std is a pixel from 0 to 1",
            )
        else:
            findings.warn(field, f"{problem}: darker images, or another scale?")


def _compare_ends(facts: Mapping[str, PixelFacts], findings: Findings) -> None:
    """Compare ranges with negative numbers: normalised with other numbers, they begin or end elsewhere."""
    widest = max(facts, key=lambda field: facts[field].high - facts[field].low)
    range_ = facts[widest]
    width = range_.high - range_.low
    for field, pixels in facts.items():
        apart = max(abs(pixels.low - range_.low), abs(pixels.high - range_.high))
        if apart <= max(_SHIFTED * width, ROUNDING):
            continue
        problem = f"its pixels are {pixels}, those of {widest} {range_}"
        if width >= _DIFFERENT[PixelScale.POSITIVE] * (pixels.high - pixels.low):
            way_out = "normalised: {mean: [...], std: [...]} on one of the two undoes its normalisation"
            findings.problem(
                field, f"{problem}: {width / (pixels.high - pixels.low):.3g} times as wide; {way_out}"
            )
        else:
            findings.warn(field, f"{problem}: were both normalised with the same mean and std?")
