"""Training with few bits: number formats, rounding, the rules R, SR, BinaryConnect and Bop, and why they differ.

Read `rounding.py`, `grid.py`, `formats.py`, `storage.py`, `rules.py`, `binary_connect.py`, `bop.py`; then training
without a float, `integer.py`; then the theory: `markov.py` and `toy.py`, `bounds.py` and `convex.py`.  `few_bits.py`
and `activations.py` round what is not a weight; `statistics.py`, `latent.py` and `memory.py` watch a training, and
`compare.py` trains one network with every rule.
"""

from algorithms.quantization.activations import RoundActivations
from algorithms.quantization.binary_connect import BinaryConnect
from algorithms.quantization.bop import Bop
from algorithms.quantization.compare import Curve, RuleEpoch, compare_rules, curves, make_format, make_rule
from algorithms.quantization.few_bits import FewBits
from algorithms.quantization.formats import Binary, BlockFloat, FixedPoint, Ternary
from algorithms.quantization.grid import Format
from algorithms.quantization.integer import IntegerNetwork
from algorithms.quantization.latent import LatentWeights
from algorithms.quantization.memory import Memory, measure_memory
from algorithms.quantization.rules import Rounding, Rule, StochasticRounding, is_conv_weight
from algorithms.quantization.statistics import WeightChange
from algorithms.quantization.watched import Watched

__all__ = [
    "Binary", "BinaryConnect", "BlockFloat", "Bop", "Curve", "FewBits", "FixedPoint", "Format", "IntegerNetwork",
    "LatentWeights", "Memory", "RoundActivations", "Rounding", "Rule", "RuleEpoch", "StochasticRounding", "Ternary",
    "Watched", "WeightChange", "compare_rules", "curves", "is_conv_weight", "make_format",
    "make_rule", "measure_memory",
]  # fmt: skip
