"""The whole story of one network and one seed: train, look at its layers, prune, repair, start over, measure time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from algorithms.experiments.pruning.bench import Accuracy, Bench
from algorithms.experiments.pruning.layers import (
    ORDERS,
    RETRAINED,
    SENSITIVITY,
    ByLayer,
    chosen_ratios,
    norms,
    retrained_sensitivities,
    sensitivities,
)
from algorithms.experiments.pruning.recovery import (
    REPAIRED,
    Pruned,
    Recovered,
    from_scratch,
    from_start,
    plan_for,
    pruned_and_repaired,
)
from algorithms.experiments.pruning.rivals import RIVALS, rivals
from algorithms.pruning import Plan
from algorithms.pruning.timing import time_layers
from minidl.nn import Module


@dataclass(frozen=True)
class Study:
    """What was found about one network with one seed; accuracies are shares of right answers.

    Attributes
    ----------
    whole : the network before pruning, and its validation accuracy after each epoch in `curve`
    norms : layer -> L1 norms of its filters
    sensitivity : order of removal -> layer -> validation accuracy at each ratio, measured images only
    retrained : the same of a few layers, smallest first, each point trained a little
    rivals : criterion -> validation accuracy at the compared ratios
    ratios, plan : what was chosen from the sensitivity, and what it removes
    widths : layer -> (filters, filters kept); `kept` says which
    pruned : order of removal -> at once, recalibrated, retrained
    scratch : the pruned widths, trained from drawn weights
    macs, parameters : (before, after)
    time : milliseconds of a batch, in all and layer by layer; see `algorithms.pruning.timing.Times`
    seconds : of trainings and measurements
    """

    seed: int
    whole: Accuracy
    curve: list[float]
    norms: ByLayer
    sensitivity: dict[str, ByLayer]
    retrained: ByLayer
    rivals: dict[str, list[float]]
    ratios: dict[str, float]
    plan: dict[str, Any]
    widths: dict[str, tuple[int, int]]
    kept: dict[str, list[bool]]
    pruned: dict[str, Pruned]
    scratch: dict[str, Recovered]
    macs: tuple[int, int]
    parameters: tuple[int, int]
    time: dict[str, Any]
    seconds: float


def milestones() -> int:
    """How often one study calls `advance`."""
    trained_and_evaluated = 1 + len(REPAIRED) * 2 + 2  # the whole; two ways to retrain; scratch-E and scratch-B
    measured = len(("norms", "sensitivity", "retrained", "rivals", "time"))
    return 2 * trained_and_evaluated + len(ORDERS) + measured


def study(bench: Bench) -> Study:
    """Do everything once."""
    epochs = bench.settings.epochs
    trained = bench.train("whole", bench.build(), epochs, from_start(bench, epochs))
    model = trained.model
    whole = bench.accuracy("whole", trained)
    sensitivity = bench.measure("sensitivity", bench.asked(*SENSITIVITY), lambda: sensitivities(bench, model))
    ratios = chosen_ratios(bench, model, sensitivity["smallest"])
    chosen = plan_for(bench, model, ratios, "smallest")
    found = Study(
        seed=bench.seed,
        whole=whole,
        curve=trained.curve,
        norms=bench.measure("norms", {}, lambda: norms(bench, model)),
        sensitivity=sensitivity,
        retrained=bench.measure("retrained", bench.asked(*RETRAINED), lambda: retrained_sensitivities(bench, model)),
        rivals=bench.measure("rivals", bench.asked(*RIVALS), lambda: rivals(bench, model)),
        ratios=ratios,
        plan=chosen.record(),
        widths={layer: (len(mask), sum(mask)) for layer, mask in _kept(chosen).items()},
        kept=_kept(chosen),
        pruned=pruned_and_repaired(bench, model, ratios),
        scratch=from_scratch(bench, chosen),
        macs=(chosen.before.macs, chosen.after.macs),
        parameters=(chosen.before.params, chosen.after.params),
        time=_time(bench, model, chosen),
        seconds=0.0,
    )
    return dataclasses.replace(found, seconds=bench.seconds)


def _kept(chosen: Plan) -> dict[str, list[bool]]:
    """Which filters stay, of every layer of which some may leave."""
    free = [layer for group in chosen.channels.groups if not group.fixed for layer in group.layers]
    return {layer: chosen.kept(layer).tolist() for layer in free}


def _time(bench: Bench, model: Module, chosen: Plan) -> dict[str, Any]:
    s = bench.settings

    def times() -> dict[str, Any]:
        return time_layers(model, chosen.apply(model), bench.shape, s.timed_batch, budget=s.timed_seconds).record()

    found: dict[str, Any] = bench.measure("time", bench.asked("timed_batch", "timed_seconds") | chosen.record(), times)
    return found
