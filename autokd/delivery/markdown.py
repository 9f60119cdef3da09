"""The card as Markdown, with the script that loads the model."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from autokd.config.federation import ExternalArchitecture
from autokd.config.target import remark
from autokd.core.setting import Split
from autokd.delivery.card import Card, InputFormat
from autokd.delivery.request import ExpectedGain
from autokd.models.architectures import KdNetwork, architecture
from autokd.recommendation import Verdict
from autokd.statistics.probability_scores import WORDS
from autokd.text import escaping


def markdown(card: Card, *, folder: str) -> str:
    """Return the card for people.

    Args:
        folder: Folder of the federation, from which the script reads the test split.
    """
    environment = Environment(
        loader=PackageLoader("autokd.delivery"),
        autoescape=False,  # It is Markdown, not HTML.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": _percent, "signed": signed}
    environment.filters |= {"text": escaping.markdown, "code": escaping.markdown_code}
    environment.filters |= {"python": escaping.python_text}
    return environment.get_template("card.md").render(
        card=card,
        request=card.request,
        chosen_by=_chosen_by(card.request.expected),
        test=card.scores[Split.TEST],
        probabilities=_probabilities(card),
        made_for=_made_for(card),
        judged_by=remark(card.target),
        network=_network(card),
        shape=_shape(card),
        preparation=_preparation(card),
        folder=folder,
        code_folder=_code_folder(card),
    )


def _probabilities(card: Card) -> list[tuple[str, float, float]]:
    """Return each score on test in words, before and after."""
    test = card.scores[Split.TEST]
    before, after = test.probabilities_before.to_json(), test.probabilities.to_json()
    return [(words, before[name], after[name]) for name, words in WORDS.items()]


def _chosen_by(expected: ExpectedGain | None) -> str:
    if expected is None:
        return "hand"
    gained = (
        f"on test its mean gain over {expected.seeds} other seeds was {expected.gain}; "
        f"a single run is expected to gain {expected.single_run}"
    )
    if expected.verdict in (Verdict.TUNED, Verdict.DEFAULT):
        return f"the recommendation ({expected.verdict}): {gained}"
    judged = "" if expected.gain is None else f"; {gained}"
    return f"force, against the recommendation ({expected.verdict}: {expected.reason}){judged}"


def _made_for(card: Card) -> str:
    if card.added is None:
        return "the common class distribution, as it was trained"
    whose = "the student's own" if card.request.target == "own" else "given"
    named = zip(card.images.classes, card.added.log_prior, strict=True)
    added = ", ".join(f"{name} {value:.2f}" for name, value in named)
    part = f"{card.added.strength:g} times their logarithms, a part chosen on validation"
    return f"{whose} class shares; {part}, is added to the logits ({added})"


def _preparation(card: Card) -> list[str]:
    """Return the lines that make the network fit for the weights of the file."""
    if card.added is None:
        return []
    layer, classes = card.added.layer, len(card.images.classes)
    if layer is None:
        return [
            "from autokd.models.log_prior import WithLogPrior",
            "",
            f"network = WithLogPrior(network, classes={classes}).eval()",
        ]
    if layer.has_bias:
        return []
    return [f"network.get_submodule({layer.name!r}).bias = torch.nn.Parameter(torch.zeros({layer.size}))"]


def signed(points: float) -> str:
    """Return percentage points with one digit and a sign; what rounds to 0 has no minus."""
    return f"{round(points, 1) + 0.0:+.1f}"


def _network(card: Card) -> dict[str, str]:
    """Return the class of the network (empty for an external one) and the arguments that make it."""
    recipe, kind = card.architecture, ""
    if isinstance(recipe, ExternalArchitecture):
        options = recipe.model_dump(exclude_defaults=True)
    else:
        built = architecture(recipe)
        options, kind = dict(recipe.options), type(built).__name__
        if isinstance(built, KdNetwork):
            options["network"] = built.network
    return {"type": kind, "arguments": ", ".join(f"{name}={value!r}" for name, value in options.items())}


def _shape(card: Card) -> dict[str, str]:
    """Return the class of the network's shape, the function that builds for it, and the arguments of both."""
    images, classes = card.images, f"classes={len(card.images.classes)}"
    if isinstance(images, InputFormat):
        whole = ", whole=True" if images.whole else ""
        arguments = f"inputs={images.inputs!r}, {classes}{whole}"
        return {"type": "TensorShape", "function": "build_for_tensors", "arguments": arguments}
    width = f", width={images.width}" if images.width else ""
    arguments = f"channels={images.channels}, size={images.size}, {classes}{width}"
    return {"type": "Shape", "function": "build", "arguments": arguments}


def _code_folder(card: Card) -> str:
    """Return the folder that the network's code is in; empty if it has none of its own."""
    folder = card.origin.recipe.code_folder
    return folder.as_posix() if folder is not None and ":" in card.architecture.name else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
