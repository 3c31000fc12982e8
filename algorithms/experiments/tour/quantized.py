"""Chapter 2 of the tour: the same network trained under five rules for its weights, and the toy problem that explains them."""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.experiments.tour.settings import Workshop
from algorithms.quantization.compare import DROPS, compare_rules, curves
from algorithms.quantization.toy import Histograms, histograms
from minidl.nn import Module
from minidl.nn.models import resnet


@dataclass(frozen=True)
class Quantized:
    """What the chapter found.

    Attributes
    ----------
    accuracy, changed : rule -> test accuracy, and share of weights that differ from their start, after each epoch
    drops : epochs after which the rate falls to a tenth
    toy : histograms of the one-dimensional problem
    """

    accuracy: dict[str, list[float]]
    changed: dict[str, list[float]]
    drops: list[float]
    toy: Histograms

    @property
    def final(self) -> dict[str, float]:
        """Rule -> test accuracy after the last epoch."""
        return {rule: values[-1] for rule, values in self.accuracy.items()}


def quantized(shop: Workshop) -> Quantized:
    """Train under every rule, from one start and in one order of the images."""
    s = shop.settings

    def build() -> Module:
        return resnet(8, in_channels=1, rng=shop.seed)

    records = []
    for r in compare_rules(
        build, shop.images, shop.test, s.rule_epochs, shop.seed, batch_size=s.batch, big_batch=s.big_batch, progress=False
    ):
        records.append(r)
        shop.advance(f"{r.rule}: epoch {r.record.epoch} of {s.rule_epochs}, accuracy {r.record.validation_accuracy:.1%}")
    found = curves(records)
    toy = histograms(steps=s.toy_steps)
    shop.advance("the toy problem")
    return Quantized(
        accuracy={rule: curve.validation_accuracy.tolist() for rule, curve in found.items()},
        changed={rule: curve.changed.tolist() for rule, curve in found.items() if rule != "float"},
        drops=[s.rule_epochs * drop for drop in DROPS],
        toy=toy,
    )

