"""All that is fuzzed, by name."""

from __future__ import annotations

from tests.fuzz import accuracy, bombs, federations, names, own, recipes, sets, stores, tensors
from tests.fuzz.harness import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (recipes, own, accuracy, tensors, sets, bombs, names, federations, stores)
    for target in module.TARGETS
}
