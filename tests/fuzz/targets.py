"""All that is fuzzed, by name."""

from __future__ import annotations

from tests.fuzz import federations, recipes
from tests.fuzz.harness import Target

TARGETS: dict[str, Target] = {
    target.name: target for module in (recipes, federations) for target in module.TARGETS
}
