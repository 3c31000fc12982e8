"""What each layer alone is worth: norms, and sensitivity to losing its smallest, random or largest filters.

Sections 3.2 and 4.4 of the paper; also with retraining for a few layers, as in its Figure 2c.
"""

from __future__ import annotations

import numpy as np

from algorithms.experiments.pruning.bench import Bench
from algorithms.pruning import Group, Sensitivity, find_channels, plan, sensitivity, suggest_ratios
from algorithms.pruning.criteria import CRITERIA, l1
from minidl.graph import trace
from minidl.nn import Module
from minidl.optim import SGD, Cosine
from minidl.training import evaluate, train

ORDERS = {"smallest": "l1", "random": "random", "largest": "largest"}  # which filters leave first -> criterion
ByLayer = dict[str, list[float]]

# the settings that decide the measurements
SENSITIVITY = ("ratios", "measured_images")
RETRAINED = ("retrained_ratios", "short_images", "measured_images", "decayed_lr", "batch", "weight_decay")


def convolutions(bench: Bench, model: Module) -> list[Group]:
    """Groups of filters that may leave; linear layers are left whole, as in the paper."""
    arrays = dict(model.named_parameters())
    channels = find_channels(trace(model, bench.shape))
    return [group for group in channels.groups if not group.fixed and arrays[f"{group.name}.weight"].ndim == 4]


def norms(bench: Bench, model: Module) -> ByLayer:
    """L1 norms of the filters of every layer that leaves alone."""
    arrays = dict(model.named_parameters())
    return {
        group.name: l1(arrays[f"{group.name}.weight"].data).tolist()
        for group in convolutions(bench, model)
        if len(group.layers) == 1
    }


def sensitivities(bench: Bench, model: Module) -> dict[str, ByLayer]:
    """Order -> layer -> validation accuracy at each ratio, without retraining; random is drawn anew for each seed."""
    groups = [group.name for group in convolutions(bench, model)]
    images = bench.validation.subset(bench.settings.measured_images)
    channels = find_channels(trace(model, bench.shape))
    rng = np.random.default_rng(bench.seed)
    drawn = {layer: CRITERIA["random"](channels.of_filters(layer), rng) for layer in channels.weights}
    found: dict[str, ByLayer] = {}
    for order, criterion in ORDERS.items():
        points = sensitivity(
            model, images, bench.settings.ratios, groups, drawn if criterion == "random" else criterion
        )
        found[order] = {group: [] for group in groups}
        for point in points:
            found[order][point.group].append(point.accuracy)
    return found


def retrained_sensitivities(bench: Bench, model: Module) -> ByLayer:
    """Layer -> validation accuracy at each ratio, when the network is trained a little after each pruning."""
    s = bench.settings
    images, validation = bench.images.subset(s.short_images), bench.validation.subset(s.measured_images)

    def retrained(layer: str, ratio: float) -> float:
        small = plan(model, bench.shape, {layer: ratio}).apply(model)
        optimizer = SGD(small.named_parameters(), s.decayed_lr, 0.9, nesterov=True, weight_decay=s.weight_decay)
        schedule = Cosine(s.decayed_lr, 1)
        for _ in train(
            small, images, epochs=1, optimizer=optimizer, schedule=schedule, batch_size=s.batch, seed=bench.seed,
            augment=True, progress=False,
        ):  # fmt: skip
            pass
        return evaluate(small, validation).accuracy

    return {layer: [retrained(layer, ratio) for ratio in s.retrained_ratios] for layer in bench.net.retrained}


def chosen_ratios(bench: Bench, model: Module, curves: ByLayer) -> dict[str, float]:
    """Read ratios off the sensitivity of layers that leave alone, until few enough multiply-accumulates are left."""
    alone = [group.name for group in convolutions(bench, model) if len(group.layers) == 1]
    points = [
        Sensitivity(name, ratio, 0.0, accuracy)
        for name in alone
        for ratio, accuracy in zip(bench.settings.ratios, curves[name], strict=True)
    ]
    return suggest_ratios(model, bench.shape, points, bench.settings.macs_share)
