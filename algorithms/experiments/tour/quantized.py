"""Chapter 2 of the tour: one network trained under five rules for its weights, and a toy problem that explains them."""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.experiments.tour.settings import Workshop
from algorithms.quantization.compare import DROPS, compare_rules, curves
from algorithms.quantization.toy import Histograms, histograms
from minidl.nn import Module
from minidl.nn.models import resnet
from minidl.types import Array


@dataclass(frozen=True)
class Quantized:
    """What the chapter found.

    Attributes
    ----------
    accuracy, changed : rule -> test accuracy, and share of weights that differ from their start, after each epoch (for
        "sr-big" after each `big_factor` epochs, so that all have equally many)
    big_factor : how many times more epochs the big batch got
    final : rule -> test accuracy after the last epoch
    drops : epochs after which the rate falls to a tenth
    toy : histograms of the one-dimensional problem
    """

    accuracy: dict[str, list[float]]
    changed: dict[str, list[float]]
    final: dict[str, float]
    big_factor: int
    drops: list[float]
    toy: Histograms


def quantized(shop: Workshop) -> Quantized:
    """Train under every rule, from one start and in one order of the images."""
    s = shop.settings

    def build() -> Module:
        return resnet(8, width=0.5, in_channels=1, rng=shop.seed)

    records = []
    for r in compare_rules(
        build, shop.images, shop.test, s.rule_epochs, shop.seed, progress=False,
        batch_size=s.batch, big_batch=s.big_batch, big_epochs=s.big_factor * s.rule_epochs,
        run=shop.folder / "rules",
    ):  # fmt: skip
        records.append(r)
        shop.advance(f"{r.rule}: epoch {r.record.epoch}, accuracy {r.record.validation_accuracy:.1%}")
    found = curves(records)
    toy = histograms(steps=s.toy_steps)
    shop.advance("the toy problem")
    return Quantized(
        accuracy={rule: _thinned(rule, curve.validation_accuracy, s.big_factor) for rule, curve in found.items()},
        changed={rule: _thinned(rule, c.changed, s.big_factor) for rule, c in found.items() if rule != "float"},
        final={rule: float(curve.validation_accuracy[-1]) for rule, curve in found.items()},
        big_factor=s.big_factor,
        drops=[s.rule_epochs * drop for drop in DROPS],
        toy=toy,
    )


def _thinned(rule: str, values: Array, factor: int) -> list[float]:
    thinned: list[float] = (values[factor - 1 :: factor] if rule == "sr-big" else values).tolist()
    return thinned
