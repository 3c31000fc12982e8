"""The tour: all three chapters on the images that ship with minidl, in a few minutes; one file per chapter.

It computes and returns plain records; figures and page are drawn from them by `visual.tour`.
"""

from algorithms.experiments.tour.landscapes import Landscapes, landscapes
from algorithms.experiments.tour.pruning import Pruning, pruning
from algorithms.experiments.tour.quantized import Quantized, quantized
from algorithms.experiments.tour.settings import FAST, FULL, Settings, Workshop

__all__ = [
    "FAST", "FULL", "Landscapes", "Pruning", "Quantized", "Settings", "Workshop", "landscapes", "pruning", "quantized",
]  # fmt: skip
