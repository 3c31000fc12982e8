"""Every criterion against every other: all layers lose the same share of filters at once, nothing is retrained.

Section 4.5 of the paper compares activation statistics layer by layer; here whole networks are compared.
"""

from __future__ import annotations

from algorithms.experiments.pruning.bench import Bench
from algorithms.experiments.pruning.layers import convolutions
from algorithms.pruning import CRITERIA, IMAGE_CRITERIA, image_scores, plan
from minidl.nn import Module
from minidl.training import evaluate

RIVALS = ("compared_ratios", "scored_images")  # the settings that decide


def rivals(bench: Bench, model: Module) -> dict[str, list[float]]:
    """Criterion -> validation accuracy at each of the compared ratios; "l1, greedy" is the paper's other strategy."""
    s = bench.settings
    images = bench.images.subset(s.scored_images)
    alone = [group.name for group in convolutions(bench, model) if len(group.layers) == 1]

    def accuracies(criterion: str, strategy: str = "independent") -> list[float]:
        scores = image_scores(model, images, criterion) if criterion in IMAGE_CRITERIA else criterion
        plans = [
            plan(model, bench.shape, dict.fromkeys(alone, ratio), scores, strategy, rng=bench.seed)
            for ratio in s.compared_ratios
        ]
        return [evaluate(chosen.apply(model), bench.validation).accuracy for chosen in plans]

    found = {criterion: accuracies(criterion) for criterion in (*CRITERIA, "gamma", *IMAGE_CRITERIA)}
    return found | {"l1, greedy": accuracies("l1", "greedy")}
