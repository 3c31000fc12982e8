"""Chapter 1 of the tour: train a residual network, take away half of its arithmetic, see what that costs and saves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algorithms.experiments.tour.settings import Workshop
from algorithms.pruning import Group, Plan, Sensitivity, find_channels, plan, sensitivity, suggest_ratios
from algorithms.pruning.criteria import l1
from minidl.data import batches
from minidl.graph import trace
from minidl.nn import Module
from minidl.nn.models import resnet
from minidl.runtime import Timing, compile, interleaved
from minidl.training import evaluate
from minidl.types import Array


@dataclass(frozen=True)
class Pruning:
    """What the chapter found.

    Attributes
    ----------
    norms : layer -> (filters,) L1 norms
    ratios, sensitivity : (R,) and layer -> (R,) validation accuracy when that layer alone is pruned
    widths : (layer, filters before, filters kept)
    baseline : validation accuracy of the whole network
    before, pruned : test accuracies; `retraining` those after each further epoch
    macs, parameters, milliseconds : (before, after); milliseconds are medians for 128 images
    """

    norms: dict[str, Array]
    ratios: Array
    sensitivity: dict[str, Array]
    baseline: float
    widths: list[tuple[str, int, int]]
    before: float
    pruned: float
    retraining: list[float]
    macs: tuple[int, int]
    parameters: tuple[int, int]
    milliseconds: tuple[float, float]
    spread: tuple[Timing, Timing]


def pruning(shop: Workshop) -> Pruning:
    """Train, measure sensitivity, prune to half of the MACs, retrain, measure time."""
    s, shape = shop.settings, shop.images.images.shape[1:]
    model = resnet(8, in_channels=1, rng=shop.seed)
    before = _trained(shop, model)
    groups = [
        group for group in find_channels(trace(model, shape)).groups if not group.fixed and len(group.layers) == 1
    ]
    points: list[Sensitivity] = []
    for group in groups:
        points += sensitivity(model, shop.validation, s.ratios, [group.name])
        shop.advance(f"sensitivity of {group.name}")
    chosen = plan(model, shape, suggest_ratios(model, shape, points, macs_share=0.5))
    small = chosen.apply(model)
    pruned = evaluate(small, shop.test).accuracy
    retraining = shop.train("pruned", small, s.retrain_epochs, lr=0.02)
    timing = _time(model, small, shop)
    shop.advance("timing of both networks")
    weights = {name: p.data for name, p in model.named_parameters()}
    unused = np.random.default_rng(0)  # criteria may draw; the L1 norm does not
    return Pruning(
        norms={group.name: l1(weights[f"{group.name}.weight"], unused) for group in groups},
        ratios=np.array(s.ratios),
        sensitivity={g.name: np.array([p.accuracy for p in points if p.group == g.name]) for g in groups},
        baseline=evaluate(model, shop.validation).accuracy,
        widths=_widths(chosen),
        before=before,
        pruned=pruned,
        retraining=retraining,
        macs=(chosen.before.macs, chosen.after.macs),
        parameters=(model.num_parameters(), small.num_parameters()),
        milliseconds=(1e3 * timing["whole"].median, 1e3 * timing["pruned"].median),
        spread=(timing["whole"], timing["pruned"]),
    )


def _trained(shop: Workshop, model: Module) -> float:
    shop.train("whole", model, shop.settings.epochs)
    return evaluate(model, shop.test).accuracy


def _widths(chosen: Plan) -> list[tuple[str, int, int]]:
    return [
        (_label(group), len(group), len(group) - len(chosen.removed.get(group.name, ())))
        for group in chosen.channels.groups
        if not group.fixed
    ]


def _label(group: Group) -> str:
    others = len(group.layers) - 1
    return f"{group.name} and {others} tied to it" if others else group.name


def _time(model: Module, small: Module, shop: Workshop) -> dict[str, Timing]:
    x, _ = next(batches(shop.test, 128, seed=0, epoch=0, shuffle=False))
    shape = x.shape[1:]
    whole, pruned = compile(model, shape), compile(small, shape)
    return interleaved({"whole": lambda: whole(x), "pruned": lambda: pruned(x)}, repeats=25, budget=5)
