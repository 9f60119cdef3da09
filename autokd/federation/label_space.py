"""The classes of a federation: one list for all sources, and what a number means that has no name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from autokd.config.external import ExternalFederation
from autokd.core.class_names import alike
from autokd.data.sources.labelled_images import LabelledImages
from autokd.federation.findings import Findings
from autokd.federation.held_out_splits import CommonSplits

Private = Sequence[LabelledImages | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSpace:
    """Classes of a federation.

    Attributes:
        classes: All of them, in the order of the federation's labels.
        numbering: The one list of which every source has a part in the same order, if there is such a list:
            what the outputs of a network mean whose data lack some of the classes.
    """

    classes: tuple[str, ...]
    numbering: tuple[str, ...] | None = None

    def outputs_of(self, data: LabelledImages, outputs: int | None) -> dict[int, str]:
        """Return the class of each output of a network whose recipe does not say it.

        By default the classes of its own data. If these are fewer than the outputs, output n is class n if
        classes are numbers, and else number n of the common numbering if that has as many classes.
        """
        own = dict(enumerate(data.classes))
        if outputs is None or outputs == len(own):
            return own
        numbers = [str(number) for number in range(outputs)]
        if not data.named:
            return dict(enumerate(numbers)) if set(own.values()) < set(numbers) <= set(self.classes) else own
        common = self.numbering or ()
        return dict(enumerate(common)) if outputs == len(common) and set(own.values()) < set(common) else own


def with_common_names(
    recipe: ExternalFederation, private: Private, common: CommonSplits | None, findings: Findings
) -> tuple[list[LabelledImages | None], CommonSplits | None]:
    """Return the sources, those whose labels are mere numbers under the names of the others.

    If the others name classes in several orders, it is a problem.
    """
    fields = {f"participants.{number}.data": data for number, data in enumerate(private) if data is not None}
    fields |= {field: part for name, (field, part) in (common or {}).items() if name != "public"}
    named = [data.classes for data in fields.values() if data.named]
    names = _numbering([*named, recipe.classes or ()])
    known = set(names or ()) | {name for classes in named for name in classes}
    if all(name.isdecimal() for name in known):
        return list(private), common  # Numbers are the names.

    def renamed(field: str, data: LabelledImages) -> LabelledImages:
        if data.named or set(data.present) <= known:
            return data
        if names is None or len(data.classes) > len(names):
            others = ", ".join(sorted(known)[:5])
            problem = (
                f"labels are numbers up to {data.labels.max()}, while others name classes ({others}, ...)"
            )
            findings.problem(field, f"{problem}; say classes, their names by number, on this source")
            return data
        listed = "federation.classes" if recipe.classes else "the classes that the other sources name"
        problem = f"labels are numbers without names: number n is taken as number n of {listed}"
        findings.warn(field, f"{problem} ({', '.join(names[:3])}, ...)")
        return replace(data, classes=names, named=True)

    renamed_private = [
        None if data is None else renamed(f"participants.{number}.data", data)
        for number, data in enumerate(private)
    ]
    if common is None:
        return renamed_private, None
    parts = {
        name: (field, part if name == "public" else renamed(field, part))
        for name, (field, part) in common.items()
    }
    return renamed_private, parts


def numbers_in_doubt(data: LabelledImages, outputs: int, where: str) -> str:
    """Return what may be wrong about labels without names that are not as many as a network's outputs.

    Args:
        where: Field of the participant.
    """
    if outputs == 1 and len(data.classes) == 2:
        return "; one number z for two classes is to be two logits: answer torch.cat([-z, z], dim=1) / 2"
    present = len(data.present)
    if data.named or present == len(data.classes):
        return ""
    if data.labels.min() == 1 and data.labels.max() == outputs:
        return (
            "; labels begin at 1, so either save labels - 1 in all sources, or say for all participants, as "
            f'here, {where}.labels: {{0: "1", 1: "2", ..., {outputs - 1}: "{outputs}"}}'
        )
    highest = int(data.labels.max())
    marker = f": does {highest} mean that there is none?" if highest > outputs else ""
    return f"; of the labels 0 to {highest}, {present} occur{marker}"


def label_space(
    recipe: ExternalFederation, private: Private, common: CommonSplits | None, findings: Findings
) -> LabelSpace:
    """Return the common label space; classes outside it are problems, and doubtful names get a hint."""
    readable = {number: data for number, data in enumerate(private) if data is not None}
    parts = {name: part for name, part in (common or {}).items() if name != "public"}
    numbers_only = not any(data.named for data in readable.values())
    lists = [data.classes for data in readable.values()] + [part.classes for _, part in parts.values()]
    numbering = _numbering([*lists, recipe.classes or ()])
    classes = recipe.classes or tuple(
        dict.fromkeys(name for data in readable.values() for name in data.classes)
    )
    if recipe.classes is None and numbers_only and numbering is not None and len(readable) == recipe.size:
        # Numbers: a class that only the splits have may still be an output of a network.
        classes = (
            numbering if all(participant.labels is None for participant in recipe.participants) else classes
        )
    space = LabelSpace(classes=classes, numbering=numbering)
    if recipe.classes is None and len(readable) < recipe.size:
        return space  # Data that cannot be read may have more classes.
    _note_strange(space, recipe, readable, parts, findings)
    _hint(readable, parts, findings)
    return space


def _numbering(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Return the longest list if all others are parts of it in the same order; None otherwise."""
    lists = list(lists)
    longest = max(lists, key=len, default=())
    place = {name: number for number, name in enumerate(longest)}
    for names in lists:
        places = [place.get(name, -1) for name in names]
        if -1 in places or places != sorted(places):
            return None
    return longest or None


def _note_strange(
    space: LabelSpace,
    recipe: ExternalFederation,
    private: Mapping[int, LabelledImages],
    parts: CommonSplits,
    findings: Findings,
) -> None:
    for number, data in private.items():
        strange = [name for name in data.present if name not in space.classes]
        if strange:
            problem = f"has the class {strange[0]}, which is missing in federation.classes"
            findings.problem(f"participants.{number}.data", problem + _like(strange[0], space.classes))
    for name, (field, part) in parts.items():
        strange = [label for label in part.present if label not in space.classes]
        if strange:
            missing = "is missing in federation.classes" if recipe.classes else "no participant's data has"
            known = ", ".join(space.classes[:10])
            hint = _like(strange[0], space.classes)
            findings.problem(
                field, f"{name} has the class {strange[0]}, which {missing}; known: {known}{hint}"
            )


def _like(name: str, classes: Sequence[str]) -> str:
    similar = alike([name], classes)
    return (
        f"; is it {similar[0][1]}? Then say classes, the names by number, on this source" if similar else ""
    )


def _hint(private: Mapping[int, LabelledImages], parts: CommonSplits, findings: Findings) -> None:
    """Warn of names in different sources that seem to mean one class."""
    sources = [(f"participants.{number}.data", data) for number, data in private.items()]
    owner: dict[str, str] = {}
    for field, data in [*sources, *parts.values()]:
        for name, other in alike(data.classes, owner)[:1]:
            problem = f"the class {name!r} here and {other!r} of {owner[other]} are counted as two"
            findings.warn(
                field, f"{problem}; if they are one, say classes, the names by number, on one of them"
            )
        for name in data.classes:
            owner.setdefault(name, field)
