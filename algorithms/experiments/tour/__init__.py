"""The tour: all three chapters on the images that ship with minidl, in a few minutes; one file per chapter.

It computes and returns plain records; figures and page are drawn from them by `visual.tour`.
"""

from algorithms.experiments.tour.landscapes import Landscapes, landscapes
from algorithms.experiments.tour.pruning import Pruning, pruning
from algorithms.experiments.tour.quantized import Quantized, quantized
from algorithms.experiments.tour.settings import FAST, FULL, Settings, Workshop
from algorithms.quantization.compare import RULES

__all__ = [
    "FAST", "FULL", "Landscapes", "Pruning", "Quantized", "Settings", "Workshop", "landscapes", "milestones",
    "pruning", "quantized",
]  # fmt: skip


def milestones(settings: Settings) -> int:
    """How often the three chapters call `Workshop.advance` in all, for a bar with the time left."""
    s = settings
    of_pruning = s.epochs + 3 + s.retrain_epochs + 1  # a network of three blocks, each with one free layer
    of_rules = (len(RULES) - 1 + s.big_factor) * s.rule_epochs + 1
    of_landscapes = 2 * (s.landscape_epochs + s.directions + 1) + 1
    return of_pruning + of_rules + of_landscapes
