"""Where weights start.  `fan_in` is how many inputs one output sums over: everything but axis 0 of a weight."""

from __future__ import annotations

import math

from minidl.rng import generator
from minidl.types import Array, Rng, Shape


def he_normal(shape: Shape, rng: Rng = None) -> Array:
    """Normal with variance 2 / fan_in: keeps the size of activations through ReLU layers (He et al. 2015).

    Examples
    --------
    >>> weight = he_normal((64, 3, 3, 32), rng=0)
    >>> bool(abs(weight.var() / (2 / (3 * 3 * 32)) - 1) < 0.05)
    True
    """
    return normal(shape, math.sqrt(2 / _fan_in(shape)), rng)


def he_normal_fan_out(shape: Shape, rng: Rng = None) -> Array:
    """Normal with variance 2 / (KH·KW·O): the same for gradients on their way back, as in the ResNet recipe."""
    return normal(shape, math.sqrt(2 / _fan_out(shape)), rng)


def glorot_uniform(shape: Shape, rng: Rng = None) -> Array:
    """Uniform with variance 2 / (fan_in + fan_out): a compromise of both directions (Glorot and Bengio 2010)."""
    bound = math.sqrt(6 / (_fan_in(shape) + _fan_out(shape)))
    return generator(rng).uniform(-bound, bound, shape).astype("float32")


def normal(shape: Shape, std: float, rng: Rng = None) -> Array:
    """Normal with mean 0 and a given standard deviation."""
    return (generator(rng).standard_normal(shape) * std).astype("float32")


def _fan_in(shape: Shape) -> int:
    return math.prod(shape[1:])


def _fan_out(shape: Shape) -> int:
    return shape[0] * math.prod(shape[1:-1])
