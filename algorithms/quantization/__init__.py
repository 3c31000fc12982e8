"""Training with few bits: number formats, rounding, the rules R, SR and BinaryConnect, and why they differ.

Read `rounding.py`, `grid.py`, `formats.py`, `rules.py`, `binary_connect.py`, then the theory in `markov.py` and
`toy.py`; `statistics.py` watches a training and `compare.py` trains one network with every rule.
"""

from algorithms.quantization.binary_connect import BinaryConnect
from algorithms.quantization.compare import Curve, RuleEpoch, compare_rules, curves
from algorithms.quantization.formats import Binary, BlockFloat, FixedPoint, Ternary
from algorithms.quantization.grid import Format
from algorithms.quantization.memory import Memory, measure_memory
from algorithms.quantization.rules import Rounding, Rule, StochasticRounding, is_conv_weight
from algorithms.quantization.statistics import WeightChange

__all__ = [
    "Binary", "BinaryConnect", "BlockFloat", "Curve", "FixedPoint", "Format", "Memory", "Rounding", "Rule", "RuleEpoch",
    "StochasticRounding", "Ternary", "WeightChange", "compare_rules", "curves", "is_conv_weight",
    "measure_memory",
]  # fmt: skip
