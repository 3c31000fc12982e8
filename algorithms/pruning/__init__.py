"""Chapter 1, filter pruning: remove whole filters and everything connected to them, and the network is really faster.

Facts and notation follow Li, Kadav, Durdanovic, Samet and Graf, "Pruning Filters for Efficient ConvNets", 2017.
"""

from algorithms.pruning.activations import IMAGE_CRITERIA, image_scores
from algorithms.pruning.budget import plan_to
from algorithms.pruning.channels import Channels, Group, find_channels
from algorithms.pruning.criteria import CRITERIA
from algorithms.pruning.lossless import Lossless, lossless
from algorithms.pruning.mask import masked
from algorithms.pruning.plan import Plan, plan
from algorithms.pruning.points import Sensitivity
from algorithms.pruning.presets import PRESETS, Preset, by_stage, preset
from algorithms.pruning.retrain import retrain
from algorithms.pruning.schedule import Step, prune_in_steps, recalibrate
from algorithms.pruning.selection import removed_count
from algorithms.pruning.sensitivity import sensitivity, suggest_ratios

__all__ = [
    "CRITERIA", "IMAGE_CRITERIA", "PRESETS", "Channels", "Group", "Lossless", "Plan", "Preset", "Sensitivity", "Step",
    "by_stage", "find_channels", "image_scores", "lossless", "masked", "plan", "plan_to", "preset", "prune_in_steps",
    "recalibrate", "removed_count", "retrain", "sensitivity", "suggest_ratios",
]  # fmt: skip
