"""A layer that rounds what passes through it: activations on the way forward, their gradients on the way back.

The derivative of rounding is 0 almost everywhere, so the gradient passes as if nothing had been rounded (straight
through), beyond the ends too.  Weights are the rules' business, gradients of weights and momentum `few_bits.py`'s.
"""

from __future__ import annotations

import numpy as np

from algorithms.quantization.formats import FixedPoint
from minidl import Tensor
from minidl.autograd import Function
from minidl.kernels.random import stream_key
from minidl.nn import Module
from minidl.types import Array


class RoundActivations(Module):
    """Round activations to fixed point, stochastically while training, to nearest in evaluation.

    Parameters
    ----------
    word, fraction : bits in all and behind the point; see `FixedPoint`
    error_word, error_fraction : the same for the gradients on their way back; None leaves those alone
    stream : tells the draws of this layer from those of others
    seed : decides the draws, with the stream, the pass and the element

    Attributes
    ----------
    passes : 0-d int64 array
        Passes made while training, which number the draws; saved with the network.

    Examples
    --------
    >>> rounding = RoundActivations(word=8, fraction=1)
    >>> rounding.eval()(Tensor([0.2, 0.3, 900.0])).numpy()
    array([ 0. ,  0.5, 63.5], dtype=float32)
    """

    def __init__(
        self,
        word: int = 8,
        fraction: int = 4,
        error_word: int | None = None,
        error_fraction: int = 4,
        stream: str = "activations",
        seed: int = 0,
    ) -> None:
        self.word, self.fraction, self.stream, self.seed = word, fraction, stream, seed
        self.error_word, self.error_fraction = error_word, error_fraction
        self.passes = np.zeros((), np.int64)

    def forward(self, x: Tensor) -> Tensor:
        forward = FixedPoint(self.word, self.fraction)
        if not self.training:
            return _Rounded(forward)(x)
        self.passes += 1
        back = None if self.error_word is None else FixedPoint(self.error_word, self.error_fraction)
        return _Rounded(forward, back, *keys(self.seed, self.stream, int(self.passes)))(x)


def keys(seed: int, stream: str, step: int) -> tuple[Array, Array]:
    """Return the keys of the random numbers of one layer in one step, forward and back."""
    return stream_key(seed, f"forward/{stream}", step), stream_key(seed, f"back/{stream}", step)


class _Rounded(Function):
    """y = Q(x);  grad_x = Q′(grad_y)."""

    keeps_inputs = False
    floats_only = True

    def __init__(
        self,
        format: FixedPoint,
        back: FixedPoint | None = None,
        key: Array | None = None,
        back_key: Array | None = None,
    ) -> None:
        self.format, self.back, self.key, self.back_key = format, back, key, back_key

    def forward(self, x: Array) -> Array:
        return _rounded(self.format, x, self.key)

    def backward(self, grad_y: Tensor) -> tuple[Tensor]:
        return (grad_y if self.back is None else Tensor.wrap(_rounded(self.back, grad_y.data, self.back_key)),)


def _rounded(format: FixedPoint, x: Array, key: Array | None) -> Array:
    encoded = format.encode(x) if key is None else format.encode_stochastic(x, key)
    return format.decode(encoded.codes, x.dtype.type)
