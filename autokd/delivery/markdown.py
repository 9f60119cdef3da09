"""The card as people read it, and the script that loads the model without autokd's help."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from autokd.config.external import Input
from autokd.config.federation import ExternalArchitecture
from autokd.core.setting import Split
from autokd.delivery.card import Card, Scores
from autokd.delivery.order import Promise
from autokd.models.architectures import architecture
from autokd.recommendation import Verdict

_NETWORK = """\
from autokd.models.architectures import {architecture}, Shape

network = {architecture}({options}).build(Shape(channels={channels}, size={size}, classes={classes})).eval()
"""
_OWN_NETWORK = """\
from autokd.config.federation import ExternalArchitecture
from autokd.models.building import build

architecture = ExternalArchitecture({fields})
network = build(architecture, channels={channels}, size={size}, classes={classes}).eval()
"""
_SCRIPT = """\
import torch
from safetensors.torch import load_file
{network}\
network.load_state_dict(load_file("{weights}"))
folder = "{folder}"
data, layout = load_file(f"{{folder}}/data.safetensors"), load_file(f"{{folder}}/layout.safetensors")
mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in ({mean}, {std}))
answers = network((data["images"][layout["test"]] - mean) / std).argmax(dim=1)
print((answers == data["labels"][layout["test"]]).double().mean().item())
"""


def script(card: Card, *, folder: str) -> str:
    """Loads the weights and prints their accuracy on test, by torch, safetensors and the architecture.

    Args:
        folder: Of the federation, where the test split is.
    """
    images = card.images
    return _SCRIPT.format(
        network=_network(card),
        weights=card.order.file,
        folder=folder,
        mean=list(images.mean),
        std=list(images.std),
    )


def _network(card: Card) -> str:
    """What builds the network; code that its recipe names is found where the script is started."""
    images, recipe = card.images, card.architecture
    shape = {"channels": images.channels, "size": images.size, "classes": len(images.classes)}
    if isinstance(recipe, ExternalArchitecture):
        fields = {"name": recipe.name, "outputs": recipe.outputs, "labels": recipe.labels}
        fields |= {"options": recipe.options} if recipe.options else {}
        fields |= {"input": recipe.input.model_dump(exclude_defaults=True)} if recipe.input != Input() else {}
        return _OWN_NETWORK.format(fields=_arguments(fields), **shape)
    return _NETWORK.format(
        architecture=type(architecture(recipe)).__name__, options=_arguments(recipe.options), **shape
    )


def _arguments(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def markdown(card: Card, *, folder: str) -> str:
    """The card for people.

    Args:
        folder: Of the federation.
    """
    return "\n".join(_lines(card, script(card, folder=folder)))


def _lines(card: Card, code: str) -> Iterator[str]:
    pair, test = card.order.pair, card.scores[Split.TEST]
    yield f"# Participant {pair.student} of {card.origin.name}, taught by participant {pair.teacher}"
    yield ""
    yield (
        f"Weights: `{card.order.file}`. On the common test split {test.after:.1%} of {test.examples} "
        f"examples are right; it was {test.before:.1%} before: {test.gain}."
    )
    yield ""
    yield from _table(("", ""), _facts(card))
    yield "## On each split"
    yield ""
    yield (
        "Accuracy before and after. Intervals are over examples: they are of this very model, and say "
        "nothing of another seed. Forgetting is accuracy lost on the student's own label distribution, in pp."
    )
    yield ""
    yield from _table(("split", "examples", "before", "after", "gain", "forgetting"), _splits(card))
    yield "## By class, on test"
    yield ""
    yield from _table(("class", "examples", "before", "after"), _classes(test))
    yield "## Use it"
    yield ""
    yield "This script needs no other part of autokd than the architecture, and prints the accuracy above:"
    yield ""
    yield "```python"
    yield code + "```"
    yield ""
    yield "## Make it again"
    yield ""
    yield f"    {card.order.command}"
    yield ""


def _facts(card: Card) -> Iterator[tuple[str, str]]:
    yield "setting", str(card.order.setting)
    yield "chosen by", _promise(card.order.promise)
    recipe = card.recipe
    yield (
        "training",
        f"{recipe.epochs} epochs, {recipe.optimizer}, learning rate {recipe.learning_rate:g}, batches of "
        f"{recipe.batch_size}",
    )
    yield (
        "seed",
        f"{card.order.seed} (index {card.order.seed_index}; not one of search, race or confirmation)",
    )
    yield "architecture", " ".join((card.architecture.name, *_options(card)))
    yield "versions", ", ".join(f"{name} {version}" for name, version in card.versions.items())
    yield "sha256 of the weights", f"`{card.sha256}`"


def _options(card: Card) -> Iterator[str]:
    return (f"{name}={value}" for name, value in card.architecture.options.items())


def _promise(promise: Promise | None) -> str:
    if promise is None:
        return "hand"
    expected = (
        f"on test it gained {promise.gain} on average over {promise.seeds} other seeds; of a single run, "
        f"{promise.single_run}"
    )
    if promise.verdict in (Verdict.TUNED, Verdict.DEFAULT):
        return f"the recommendation ({promise.verdict}): {expected}"
    known = "" if promise.gain is None else f"; {expected}"
    return f"force, against the recommendation ({promise.verdict}: {promise.reason}){known}"


def _splits(card: Card) -> Iterator[tuple[str, ...]]:
    for split, one in card.scores.items():
        yield (
            split.value,
            str(one.examples),
            f"{one.before:.1%}",
            f"{one.after:.1%}",
            str(one.gain),
            signed(one.forgetting),
        )


def _classes(scores: Scores) -> Iterator[tuple[str, ...]]:
    for one in scores.classes:
        yield one.name, str(one.examples), _percent(one.before), _percent(one.after)


def signed(points: float) -> str:
    """Percentage points with one digit; what rounds to nothing has no minus."""
    return f"{round(points, 1) + 0.0:+.1f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _row(header)
    yield _row(tuple("---" for _ in header))
    yield from map(_row, rows)
    yield ""


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
