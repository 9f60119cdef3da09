"""Nothing to find, for real: how often is a pair called `tuned` whose space holds the default and no more?

    python -m benchmarks.null [--pairs 60] [--trials 4] [--home DIRECTORY]

Sixty pairs of `digits`, each of them a repetition with data, models and seeds of its own, are searched in
T ∈ [0.999, 1.001], α ∈ [0.499, 0.501] on the student's data, confirmed and judged. One rule sees to it that
nothing comes of that: a setting that is alike to the default is never chosen. A second figure does without
that rule: the best trial of each search runs with the seeds of the confirmation, look by look, and then the
verdict has to turn it down on its own.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
import torch
import yaml

from autokd.compute.device import Compute
from autokd.config.study import StudyConfig
from autokd.core.records import Correctness, TrialState
from autokd.core.setting import DEFAULT, Pair, Position, Setting, Split, derive_seed
from autokd.distillation import Run
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.recommendation.evidence import JUDGED, Arm, Evidence
from autokd.recommendation.judgement import judge
from autokd.recommendation.power import can_still_change
from autokd.recommendation.race import confirmation_seeds
from autokd.recommendation.recommendation import Recommendation
from autokd.workflows.recommend import recommend
from autokd.workflows.tune import tune_all
from autokd.workspace import Workspace
from benchmarks.pairs import pair_of

OUTPUT: Final = Path(__file__).parent / "results" / "null.json"
SPACE: Final = {
    "name": "nothing",
    "temperature": {"low": 0.999, "high": 1.001},
    "alpha": {"low": 0.499, "high": 0.501},
    "transfer_set": ["student"],
}


def without_the_rule(federation: Federation, config: StudyConfig, recommendation: Recommendation) -> str:
    """Return the verdict if the best trial, however alike to the default, had been chosen to be confirmed.

    It is judged look by look, on what the pair's own verdict rests on.
    """
    basis = recommendation.records.basis
    if recommendation.judgement is None or basis is None:
        return recommendation.verdict.value
    trials = [trial for trial in recommendation.records.trials if trial.state is TrialState.COMPLETE]
    best = max(
        (trial for trial in trials if trial.setting != DEFAULT), key=lambda trial: trial.accuracy or 0.0
    )
    seeds = confirmation_seeds(basis.looks[-1])
    seen: dict[Setting, list[dict[Split, Correctness]]] = {DEFAULT: [], best.setting: []}

    def arm(setting: Setting) -> Arm:
        correct = {split: np.stack([run[split] for run in seen[setting]]) for split in JUDGED}
        return Arm(setting=setting, correct=correct, forgetting=None)

    for count in basis.looks:
        for setting, runs in seen.items():
            runs += [
                students(federation, config, pair_of(recommendation.pair), setting, seed)
                for seed in seeds[len(runs) : count]
            ]
        evidence = Evidence(
            seeds=tuple(seeds[:count]),
            own=recommendation.judgement.evidence.own,
            default=arm(DEFAULT),
            winner=arm(best.setting),
            corrected=recommendation.judgement.evidence.corrected,
        )
        seed = derive_seed(recommendation.records.study, "verdict")
        judged = judge(evidence, config.confirmation, seed=seed, basis=basis)
        if not can_still_change(judged, config.confirmation.min_improvement, seeds=basis.looks[-1]):
            break
    return judged.verdict.value


def students(
    federation: Federation, config: StudyConfig, pair: Pair, setting: Setting, seed: int
) -> dict[Split, Correctness]:
    """Correctness of one run on the judged splits."""
    recipe = config.distillation
    run = Run(
        federation,
        pair,
        setting,
        seed=seed,
        recipe=recipe,
        rungs=(recipe.epochs,),
        splits=JUDGED,
        compute=Compute(),
    )
    return {split: seen.correct for split, seen in next(run).evaluations.items()}


def some_pairs(participants: int, count: int) -> Sequence[Pair]:
    """So many of all pairs, by chance and each time the same ones."""
    everybody = [Pair(*two) for two in permutations(range(participants), 2)]
    return Random(0).sample(everybody, count)


def asked_for(texts: Sequence[str], participants: int) -> Sequence[Pair]:
    """What `--pairs` says: so many drawn by chance, or these."""
    if texts[0].isdigit():
        return some_pairs(participants, int(texts[0]))
    return [Pair.parse(text) for text in texts]


def main() -> None:
    """Tune, judge both ways, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--home", type=Path, help="by default made and thrown away")
    options = parser.parse_args()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        space = scratch / "nothing.yaml"
        space.write_text(yaml.safe_dump(SPACE))
        workspace = Workspace.open(
            "digits", home=options.home or scratch, space=str(space), trials=options.trials
        )
        config = workspace.config
        pairs = some_pairs(config.federation.size, options.pairs)
        if tune_all(workspace, pairs, position=Position.STUDENT).interrupted:
            raise SystemExit(130)
        recommendations = [recommend(workspace, pair) for pair in pairs]
        federation = find(workspace.home, config.federation)
        assert federation is not None
        torch.set_num_threads(1)  # As the workers have it.
        lenient = [without_the_rule(federation, config, recommendation) for recommendation in recommendations]
    content = {
        "federation": federation.name,
        "repetitions": len(recommendations),
        "trials": options.trials,
        "verdicts": dict(
            sorted(Counter(recommendation.verdict.value for recommendation in recommendations).items())
        ),
        "verdicts_without_the_rule_of_alike_settings": dict(sorted(Counter(lenient).items())),
        "pairs": [str(pair) for pair in pairs],
    }
    OUTPUT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for name in ("verdicts", "verdicts_without_the_rule_of_alike_settings"):
        print(f"{name.replace('_', ' ')}: {content[name]}")


if __name__ == "__main__":
    main()
