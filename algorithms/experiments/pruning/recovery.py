"""What pruning costs and what brings it back: batch norm measured anew, two ways of retraining, two of starting over.

The paper retrains at a constant rate for a quarter of the epochs, and says that training the smaller network from
scratch is worse.  Scratch-E gives it as many epochs as the whole one had, scratch-B as many multiply-accumulates.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from algorithms.experiments.pruning.bench import Accuracy, Bench
from algorithms.experiments.pruning.layers import ORDERS
from algorithms.pruning import Plan, plan, recalibrate
from minidl.nn import Module
from minidl.optim import Constant, Cosine, Schedule, WarmUp

REPAIRED = ("smallest", "random")  # orders of removal; what lost its largest filters is not worth the time


@dataclass(frozen=True)
class Recovered:
    """A network of the pruned widths: validation accuracy after each epoch, accuracy at the best of them.

    Attributes
    ----------
    accuracy : after the epoch that validation chose
    curve : validation accuracy after each epoch of training
    epochs, epoch : how many there were, and the chosen one
    """

    accuracy: Accuracy
    curve: list[float]
    epochs: int
    epoch: int


@dataclass(frozen=True)
class Pruned:
    """The whole network without some filters: at once, with batch norm measured anew, and retrained in two ways."""

    pruned: Accuracy
    recalibrated: Accuracy
    retrained: dict[str, Recovered]


def retraining(bench: Bench) -> dict[str, Schedule]:
    """Return the two ways to retrain."""
    s = bench.settings
    return {"constant": Constant(s.retrain_lr), "decayed": Cosine(s.decayed_lr, s.retrain_epochs)}


def from_start(bench: Bench, epochs: int) -> Schedule:
    """Return the rate for a network that begins with drawn weights: up in one epoch, down along half a cosine."""
    return WarmUp(Cosine(bench.settings.lr, epochs), 1)


def pruned_and_repaired(bench: Bench, whole: Module, ratios: dict[str, float]) -> dict[str, Pruned]:
    """Order of removal -> what is left and what comes back, with the same ratios for each."""
    return {order: _pruned(bench, whole, plan_for(bench, whole, ratios, order), order) for order in ORDERS}


def plan_for(bench: Bench, whole: Module, ratios: dict[str, float], order: str) -> Plan:
    """Choose filters by an order of removal."""
    return plan(whole, bench.shape, ratios, ORDERS[order], rng=bench.seed)


def _pruned(bench: Bench, whole: Module, chosen: Plan, order: str) -> Pruned:
    def at_once() -> dict[str, dict[str, float]]:
        small = chosen.apply(whole)
        pruned = bench.evaluate(small)
        recalibrate(small, bench.images.subset(bench.settings.short_images))
        return {"pruned": asdict(pruned), "recalibrated": asdict(bench.evaluate(small))}

    found = bench.measure(f"{order}-at-once", bench.asked("short_images") | chosen.record(), at_once)
    retrained = {
        how: recovered(bench, f"{order}-{how}", chosen.apply(whole), bench.settings.retrain_epochs, schedule)
        for how, schedule in retraining(bench).items()
        if order in REPAIRED
    }
    return Pruned(Accuracy(**found["pruned"]), Accuracy(**found["recalibrated"]), retrained)


def from_scratch(bench: Bench, chosen: Plan) -> dict[str, Recovered]:
    """Train the pruned widths from drawn weights, with the epochs and with the arithmetic of the whole network.

    The weights are drawn for the whole network and then cut; their scale is then that of wider layers, which batch norm
    makes immaterial.
    """
    epochs = bench.settings.epochs
    lengths = {"scratch-E": epochs, "scratch-B": round(epochs * chosen.before.macs / chosen.after.macs)}
    return {
        name: recovered(bench, name, chosen.apply(bench.build(again=1)), length, from_start(bench, length))
        for name, length in lengths.items()
    }


def recovered(bench: Bench, name: str, model: Module, epochs: int, schedule: Schedule) -> Recovered:
    """Train, and evaluate at the epoch that validation chose."""
    trained = bench.train(name, model, epochs, schedule)
    return Recovered(bench.accuracy(name, trained), trained.curve, epochs, trained.epoch)
