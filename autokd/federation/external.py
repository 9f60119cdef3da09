"""Loads participants that were trained elsewhere, and reports all problems of their recipe at once.

Nothing is written here. After a problem the rest is still checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from autokd.compute.device import Compute
from autokd.config.external import ExternalFederation
from autokd.config.sources import AnySource, MemorySource
from autokd.core.finding import Finding
from autokd.core.setting import Split
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import pieces
from autokd.data.pixel_facts import PixelFacts
from autokd.data.sources import read, usable
from autokd.data.sources.labelled_images import AnyInputs, LabelledImages, as_dataset, as_floats, join
from autokd.data.tensor_facts import Facts, TensorFacts, facts_of
from autokd.errors import PlanError
from autokd.federation.external_models import InMemorySources, ValidatedModel, validate_model
from autokd.federation.findings import Findings
from autokd.federation.hashing import CodeDigests
from autokd.federation.held_out_splits import CommonSplits, common_splits
from autokd.federation.image_shape import common_shape
from autokd.federation.label_space import LabelSpace, label_space, with_common_names
from autokd.federation.layout import Layout
from autokd.federation.on_splits import ask_for_extremes, measure_on_splits
from autokd.federation.own_sources import changed_meanwhile, code_digests, installed_notices
from autokd.federation.pixel_scales import compare_pixels
from autokd.federation.tensor_scales import compare_tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checked:
    """Result of checking a recipe, so that nothing is read twice.

    Attributes:
        data: Examples of the federation.
        layout: Indices of each part.
        models: Models that were trained elsewhere, by participant; empty if autokd trains them.
        sources: Fingerprints of the files before they were read, by field of the recipe.
        code: Own code, as in `Federation`.
        warnings: What the recipe's author should know.
    """

    data: Dataset
    layout: Layout
    models: tuple[ValidatedModel, ...] = ()
    sources: Mapping[str, str] | None = None
    code: CodeDigests | None = None
    warnings: tuple[Finding, ...] = ()


def load_external(
    recipe: ExternalFederation, compute: Compute, findings: Findings, memory: InMemorySources | None = None
) -> Checked | None:
    """Read and check everything; return None if there are problems, which are then in `findings`.

    Models are evaluated on `compute`; `memory` has data and weights that are not in files.
    """
    memory = memory or InMemorySources()
    code = code_digests(recipe)
    for where, notice in installed_notices(recipe).items():
        findings.warn(where, notice)

    with findings.noting("participants"):
        wanted = common_shape(recipe)
    if findings.problems:
        return None

    def read_source(source: AnySource, field: str) -> LabelledImages | None:
        with findings.noting(field):
            if isinstance(source, MemorySource) and source.sha256 in memory.data:
                return noted(usable(memory.data[source.sha256], name="memory"), field)
            data = read(
                source,
                recipe.folder,
                wanted,
                labels_needed=field != "splits.public",
                code_folder=recipe.code_folder,
            )
            return noted(data, field)
        return None

    facts: dict[str, Facts] = {}

    def noted(data: LabelledImages, field: str) -> LabelledImages:
        for note in data.notes:
            findings.warn(field, note)
        facts[field] = facts_of(data.images, is_tensor=data.is_tensor)
        return data

    private = [
        read_source(participant.data, f"participants.{number}.data")
        for number, participant in enumerate(recipe.participants)
    ]
    common = common_splits(recipe, read_source, findings)
    for number, source in enumerate(private):
        if source is not None and len(source.images) < 2:
            findings.problem(f"participants.{number}.data", "holds one example; BatchNorm needs two")
    compare_pixels({field: fact for field, fact in facts.items() if isinstance(fact, PixelFacts)}, findings)
    compare_tensors({field: fact for field, fact in facts.items() if isinstance(fact, TensorFacts)}, findings)
    private, common = with_common_names(recipe, private, common, findings)
    space = label_space(recipe, private, common, findings)
    readable = [data for data in private if data is not None]
    complete = common is not None and len(readable) == recipe.size and _one_shape(readable, common, findings)
    # Networks and checkpoints are checked even if some data cannot be read.
    models = [
        validate_model(recipe, number, data, space, compute, memory, findings)
        for number, data in enumerate(private)
    ]
    if common is None or not complete:
        return None
    if recipe.classes is None:
        _check_known(space, readable, common, models, findings)
    common = _disjoint(recipe, readable, common, findings)
    _check_classes(readable, common, findings)
    if findings.problems:
        return None
    imported = code_digests(recipe)
    changed = changed_meanwhile(code, imported)
    if changed:
        findings.problem("participants", f"{changed} was changed while it was checked; run the command again")
        return None
    data, layout = _join(readable, common, space.classes)
    ask_for_extremes(data, models, findings)
    if findings.problems:
        return None
    made = tuple(model for model in models if model is not None)
    made = tuple(
        measure_on_splits(
            model, own, common, space.classes, compute, declared=participant.input, findings=findings
        )
        for model, own, participant in zip(made, readable, recipe.participants, strict=True)
    )
    return Checked(data=data, layout=layout, models=made, code=imported, warnings=findings.told)


def load_external_or_raise(
    recipe: ExternalFederation,
    compute: Compute,
    *,
    source: str,
    memory: InMemorySources | None = None,
    field_of: Callable[[str], str] = "federation.{}".format,
) -> Checked:
    """Load participants that were trained elsewhere; nothing is told yet.

    Args:
        source, field_of, memory: As in `Findings` and `load_external`.

    Raises:
        PlanError: If anything is wrong; it holds all problems.
    """
    findings = Findings(source, field_of)
    checked = load_external(recipe, compute, findings, memory)
    if checked is None:
        raise PlanError.together(findings.problems)
    return checked


def _one_shape(private: Sequence[LabelledImages], common: CommonSplits, findings: Findings) -> bool:
    """Return whether all inputs have one shape; those of another one than most sources have are problems."""
    sources = [(f"participants.{number}.data", data) for number, data in enumerate(private)]
    sources += common.values()
    # Of equally frequent shapes the first one counts.
    (expected, _), *_ = Counter(_form(data) for _, data in sources).most_common()
    owner = next(field for field, data in sources if _form(data) == expected)
    whose = "participant " + owner.split(".")[1] if owner.startswith("participants.") else owner
    odd = [(field, data) for field, data in sources if _form(data) != expected]
    for field, data in odd:
        findings.problem(
            field,
            f"inputs are {_form(data)}, those of {whose} {expected}; store all in one shape and type"
            if data.is_tensor
            else f"images are {_form(data)} (channels, height, width), those of {whose} are {expected}; "
            "give federation.images (channels, size, or resize and crop) to bring all to one shape",
        )
    return not odd


def _form(data: LabelledImages) -> str:
    """Return the shape of inputs, and the type of tensors."""
    shape = "x".join(map(str, data.images.shape[1:]))
    return f"{shape} ({data.images.dtype})" if data.is_tensor else shape


def _disjoint(
    recipe: ExternalFederation, private: Sequence[LabelledImages], common: CommonSplits, findings: Findings
) -> CommonSplits:
    """Return the common splits without examples that are private data or in an earlier split."""
    if recipe.splits.duplicates == "keep":
        return common
    owners: dict[bytes, str] = {}
    images = [*(data.images for data in private), *(part.images for _, part in common.values())]
    as_bytes = all(image.dtype == np.uint8 for image in images)
    for number, data in enumerate(private):
        for key in _keys(data.images, as_bytes):
            owners.setdefault(key, f"private data of participant {number}")
    disjoint = {}
    for name, (field, part) in common.items():
        keys = _keys(part.images, as_bytes)
        # Unlabelled examples may be somebody's private data: nobody is judged on them.
        repeated = [
            row
            for row, key in enumerate(keys)
            if key in owners and not (name == "public" and owners[key].startswith("private"))
        ]
        if repeated and recipe.splits.duplicates == "refuse":
            kind = "inputs" if part.is_tensor else "images"
            keep = " (or keep, where different cases may be equal)" if part.is_tensor else ""
            findings.problem(
                field,
                f"{len(repeated)} of {len(keys)} {kind} of {name} are also {owners[keys[repeated[0]]]}, e.g. "
                f"number {repeated[0]}: a student would be judged on what it was trained on. Take them out, "
                f"or set federation.splits.duplicates: drop{keep}",
            )
        if repeated:
            part = part.take(np.setdiff1d(np.arange(len(keys)), repeated))
        disjoint[name] = (field, part)
        for key in keys:
            owners.setdefault(key, f"in {name}")
    return disjoint


def _keys(images: AnyInputs, as_bytes: bool) -> list[bytes]:
    """Return a key of each input; bytes and floats of the same image have the same, unless all are bytes."""
    converted = (piece if as_bytes else as_floats(piece) for piece in pieces(images))
    return [blake2b(image.tobytes(), digest_size=16).digest() for piece in converted for image in piece]


def _check_classes(private: Sequence[LabelledImages], common: CommonSplits, findings: Findings) -> None:
    """Note splits on which a student cannot be judged, since its classes are missing there."""
    own_classes = [set(data.present) for data in private]
    unknown: dict[int, list[str]] = {}
    for name, (field, part) in common.items():
        if name == "public":
            continue
        if not len(part.images):
            findings.problem(field, f"{name} is empty")
            continue
        present = set(part.present)
        for number, own in enumerate(own_classes):
            absent = sorted(own - present)
            if not own & present:
                unknown.setdefault(number, []).append(name)
            elif absent:
                findings.warn(field, f"{name} has no example of {absent[0]}, a class of participant {number}")
    for number, names in unknown.items():
        ours, theirs = private[number].present, common[names[0]][1].present
        everywhere = len(names) == len(Split)
        findings.problem(
            f"participants.{number}.data" if everywhere else common[names[0]][0],
            f"{', '.join(names)} has no example of any class of participant {number} ({_few(ours)}), but of "
            f"{_few(theirs)}: nobody could judge its model; give equal classes equal "
            "names: rename folders, or say classes where labels are numbers",
        )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _check_known(
    space: LabelSpace,
    private: Sequence[LabelledImages],
    common: CommonSplits,
    models: Sequence[ValidatedModel | None],
    findings: Findings,
) -> None:
    """Note classes of the splits that neither data nor outputs of any participant have."""
    known = {name for data in private for name in data.present}
    for model in models:
        outputs = model.architecture.labels if model is not None else ()
        known |= {name for name, output in zip(space.classes, outputs, strict=False) if output >= 0}
    if None in models:
        return  # One that is not valid yet may know it.
    for name, (field, part) in common.items():
        unknown = [label for label in part.present if label in space.classes and label not in known]
        if unknown and name != "public" and len(part.images):
            findings.problem(field, f"{name} has the class {unknown[0]}, which no participant's data has")


def _join(
    private: Sequence[LabelledImages], common: CommonSplits, classes: tuple[str, ...]
) -> tuple[Dataset, Layout]:
    """Return all inputs in one array, and the indices of each part."""
    sources = [*private, *(part for _, part in common.values())]
    data = as_dataset(join(sources, classes), classes)
    ends = np.cumsum([len(source.images) for source in sources])
    indices = np.split(np.arange(ends[-1], dtype=np.int64), ends[:-1])
    shared = dict(zip(common, indices[len(private) :], strict=True))
    splits = {split: shared[split.value] for split in Split}
    return data, Layout(splits=splits, public=shared["public"], private=tuple(indices[: len(private)]))
