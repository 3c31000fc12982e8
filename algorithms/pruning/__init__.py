"""Chapter 1, filter pruning: remove whole filters and everything connected to them, and the network is really faster.

Facts and notation follow Li, Kadav, Durdanovic, Samet and Graf, "Pruning Filters for Efficient ConvNets", 2017.
"""

from algorithms.pruning.activations import IMAGE_CRITERIA, image_scores
from algorithms.pruning.budget import plan_to
from algorithms.pruning.channels import Channels, Group, find_channels
from algorithms.pruning.criteria import CRITERIA
from algorithms.pruning.lossless import Lossless, lossless
from algorithms.pruning.plan import Plan, plan, removed_count
from algorithms.pruning.presets import PRESETS, Preset, by_stage, preset
from algorithms.pruning.sensitivity import Sensitivity, sensitivity, suggest_ratios

__all__ = [
    "CRITERIA", "IMAGE_CRITERIA", "PRESETS", "Channels", "Group", "Lossless", "Plan", "Preset", "Sensitivity", "by_stage",
    "find_channels", "image_scores", "lossless", "plan", "plan_to", "preset", "removed_count", "sensitivity",
    "suggest_ratios",
]  # fmt: skip
