"""Are the decisions right: recomputed by their rule, and followed, on a batch of all pairs that exists?

    python -m benchmarks.decisions --home DIRECTORY [--study digits]

A decision is the simplest way that is not shown to be worse than the best on confirmation; it is worked
out again from the figures of `recommend --json`. What following all of them gains on test stands beside the
better of *the setting that was judged, or the default* and *the partner's model as it is*, chosen on
confirmation; and the participants' decisions (`advise`) beside the one action that is best for all of them by
the same figures. The numbers are kept in `benchmarks/results/decisions.json`.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from autokd.core.setting import Pair
from autokd.statistics.dyadic import dyadic_interval
from autokd.workflows.advise import advise_all
from autokd.workflows.recommend import recommend_all
from autokd.workspace import Workspace

RESULTS: Final = Path(__file__).parent / "results" / "decisions.json"
Weighed = Mapping[str, Any]


def by_the_rule(weighed: Sequence[Weighed]) -> Weighed:
    """Return the simplest way that is not shown to be worse than the best; they come simplest first."""
    return next(way for way in weighed if way["decided_on"]["best_minus_it"]["low"] <= 0)


def confirmed(way: Weighed) -> float:
    """Return the mean gain on confirmation, in pp."""
    return float(way["decided_on"]["gain"]["mean"])


def on_test(way: Weighed) -> float:
    """Return the mean gain on test, in pp."""
    return float(way["gain"]["mean"])


def of_learning_or_adopting(weighed: Sequence[Weighed]) -> float:
    """Return the gain on test of the better of the two on confirmation."""
    by_name = {way["name"]: way for way in weighed}
    # The setting that was judged comes before the default: what a verdict recommends.
    learned = by_name.get("the search's setting") or by_name["the default setting"]
    adopted = next(way for way in weighed if way["action"] == "adopt" and way["name"].endswith("as it is"))
    return on_test(max(learned, adopted, key=confirmed))


def main() -> None:
    """Recompute, follow, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--study", default="digits")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    workspace = Workspace.open(options.study, home=options.home)
    decided: dict[Pair, Mapping[str, Any]] = {}
    for result in recommend_all(workspace, workspace.pairs):
        if result.payload is not None and isinstance(result.pair, Pair):
            decided[result.pair] = result.payload["decision"]
    differ = [
        str(pair)
        for pair, advice in decided.items()
        if by_the_rule(advice["weighed"])["name"] != advice["name"]
    ]
    followed = {pair: on_test(by_the_rule(advice["weighed"])) for pair, advice in decided.items()}
    beyond = {
        pair: followed[pair] - of_learning_or_adopting(advice["weighed"]) for pair, advice in decided.items()
    }
    participants = [advice.decision.to_json() for advice in advise_all(workspace)]
    actions: dict[str, list[Weighed]] = {}
    for participant in participants:
        for way in _best_of_each(participant["weighed"]):  # type: ignore[arg-type]
            actions.setdefault(way["action"], []).append(way)
    everywhere = {action: ways for action, ways in actions.items() if len(ways) == len(participants)}
    single = max(everywhere, key=lambda action: sum(map(confirmed, everywhere[action])))
    summary = {
        "pairs": len(decided),
        "decided otherwise than by the rule": differ,
        "actions": dict(Counter(advice["action"] for advice in decided.values())),
        "followed, pp on test": dyadic_interval(followed).to_json(),
        "beyond the better of learning and adopting": dyadic_interval(beyond).to_json(),
        "participants": len(participants),
        "their actions": dict(Counter(str(participant["action"]) for participant in participants)),
        "they gain": _mean([on_test(participant) for participant in participants]),
        "one action for all": single,
        "it gains": _mean([on_test(way) for way in everywhere[single]]),
    }
    kept = json.loads(options.out.read_text()) if options.out.exists() else {}
    kept[workspace.config.name + f", seed {workspace.config.federation.seed}"] = summary
    options.out.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(json.dumps(summary, indent=1))


def _best_of_each(weighed: Sequence[Weighed]) -> list[Weighed]:
    """Return the best way on confirmation of each action."""
    best: dict[str, Weighed] = {}
    for way in weighed:
        if way["action"] not in best or confirmed(way) > confirmed(best[way["action"]]):
            best[way["action"]] = way
    return list(best.values())


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 3)


if __name__ == "__main__":
    main()
