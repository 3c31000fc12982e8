"""Training in true integers: int8 weights, activations and errors, int32 sums, shifts, and not one float.

Every number is a code of fixed point, so a product's scale is a power of two and getting back to 8 bits is a shift,
rounded stochastically by mask and carry.  `twin` makes the same training of ordinary layers and a rule: the simulation
that a test holds to these bits.  The network is a stack of linear layers without biases; the loss ½‖y - t‖².
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from algorithms.quantization.activations import RoundActivations, keys
from algorithms.quantization.formats import FixedPoint
from algorithms.quantization.rules import StochasticRounding, draw_key
from minidl import nn, optim
from minidl.kernels.rounding import BITS, shift_stochastic
from minidl.types import Array


@dataclass
class IntegerNetwork:
    """Linear layers with ReLU between them, as int8 codes.

    Parameters
    ----------
    weights : int8, one (O, I) for each layer; I is at most 1024, so that a twin's float32 sums are exact
    weight_fraction, fraction : bits behind the point of weights, and of activations and errors
    rate_shift : the learning rate is 2**-rate_shift, for the gradient summed over a batch
    seed : decides all draws

    Examples
    --------
    >>> net = IntegerNetwork.random((4, 8, 2), seed=0, rate_shift=7)
    >>> x = np.array([[9, 0, 40, 2], [0, 31, 8, 60]], np.int8)
    >>> losses = [net.step(x, np.array([0, 1])) for _ in range(300)]
    >>> losses[-1] < losses[0] / 10, net.scores(x).argmax(axis=1).tolist(), net.weights[0].dtype
    (True, [0, 1], dtype('int8'))
    """

    weights: list[Array]
    weight_fraction: int = 7
    fraction: int = 5
    rate_shift: int = 12
    seed: int = 0
    steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.update_shift <= BITS or not 1 <= self.weight_fraction <= BITS:
            raise ValueError(
                f"IntegerNetwork got fractions of {self.weight_fraction} and {self.fraction} bits and a rate of "
                f"2**-{self.rate_shift}, which shift gradients by {self.update_shift}, expected 0 to {BITS} bits"
            )

    @classmethod
    def random(cls, sizes: Sequence[int], seed: int = 0, **settings: int) -> IntegerNetwork:
        """Make a network of layer sizes (inputs, …, classes), with weights of variance about 2/inputs."""
        rng = np.random.default_rng(seed)
        unit = 2.0 ** settings.get("weight_fraction", cls.weight_fraction)
        spans = [max(1, min(127, round(unit * (6 / fan_in) ** 0.5))) for fan_in in sizes[:-1]]
        shapes = zip(sizes[1:], sizes[:-1], spans, strict=True)
        return cls([rng.integers(-s, s + 1, (o, i)).astype(np.int8) for o, i, s in shapes], seed=seed, **settings)

    @property
    def update_shift(self) -> int:
        """A gradient's code has 2·fraction bits behind the point, a weight's weight_fraction: what to shift away."""
        return 2 * self.fraction - self.weight_fraction + self.rate_shift

    # -- one step ----------------------------------------------------------------------------------------------

    def step(self, x: Array, labels: Array) -> int:
        """Learn from codes x (N, I), int8, and labels (N,); return the sum of squared errors, in units of the codes.

        In order: all activations; the error of the last layer; then from the last layer to the first its gradient,
        the error of the layer before it, and its update.
        """
        self.steps += 1
        seen = [x]  # what each layer reads
        for index in range(len(self.weights)):
            seen.append(self.layer(index, seen[-1]))
        error = saturate(seen[-1].astype(np.int32) - self.targets(labels))  # (N, K)
        loss = int((error.astype(np.int32) ** 2).sum())
        for index in reversed(range(len(self.weights))):
            gradient = sums(error.T, seen[index].T)  # (O, I)
            if index:
                error = self.error_before(index, error, seen[index])
            self.update(index, gradient)
        return loss

    def layer(self, index: int, x: Array) -> Array:
        """Return the activations of one layer: (N, I) int8 -> (N, O) int8."""
        key, _ = keys(self.seed, f"layer {index}", self.steps)
        y = saturate(shift_stochastic(sums(x, self.weights[index]), self.weight_fraction, key))
        return y if index == len(self.weights) - 1 else np.maximum(y, 0)

    def error_before(self, index: int, error: Array, x: Array) -> Array:
        """Return the error of the layer before this one, which read x: (N, O) int8 -> (N, I) int8."""
        _, key = keys(self.seed, f"layer {index - 1}", self.steps)
        back = sums(error, self.weights[index].T) * (x > 0)  # the ReLU in between
        return saturate(shift_stochastic(back, self.weight_fraction, key))

    def update(self, index: int, gradient: Array) -> None:
        """Move a weight: w ← w - 2**-rate_shift · gradient, rounded stochastically."""
        key = draw_key(self.seed, f"layers.{3 * index}.weight", self.steps)
        move = shift_stochastic(-gradient, self.update_shift, key)
        self.weights[index] = saturate(self.weights[index] + move)

    def targets(self, labels: Array) -> Array:
        """Return +1 at the label and -1 elsewhere, as codes (N, K)."""
        one = 1 << self.fraction
        return np.where(labels[:, None] == np.arange(len(self.weights[-1])), one, -one).astype(np.int32)

    def scores(self, x: Array) -> Array:
        """Return the outputs (N, K), int8, rounding to nearest."""
        half = 1 << (self.weight_fraction - 1)
        for index, weight in enumerate(self.weights):
            total = sums(np.maximum(x, 0) if index else x, weight)
            x = saturate(np.sign(total) * ((np.abs(total) + half) >> self.weight_fraction))
        return x

    # -- the simulation ----------------------------------------------------------------------------------------

    def twin(self) -> tuple[nn.Sequential, StochasticRounding]:
        """Return ordinary float layers and a rule that train to the same bits on x·2**-fraction."""
        layers: list[nn.Module] = []
        for index, weight in enumerate(self.weights):
            linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, rng=0)
            linear.weight.data = FixedPoint(8, self.weight_fraction).decode(weight)
            rounding = RoundActivations(8, self.fraction, 8, self.fraction, f"layer {index}", self.seed)
            layers += [linear, rounding, nn.ReLU()]
        model = nn.Sequential(*layers[:-1])
        sgd = optim.SGD(model.named_parameters(), lr=2.0**-self.rate_shift)
        return model, StochasticRounding(sgd, FixedPoint(8, self.weight_fraction), self.seed, lambda name, p: True)


def sums(a: Array, b: Array) -> Array:
    """Return a (N, I) times the transpose of b (O, I): int8 products summed in int32, (N, O)."""
    return np.asarray(a.astype(np.int32) @ b.astype(np.int32).T)


def saturate(values: Array) -> Array:
    """Return integers within the ends of int8."""
    return values.clip(-128, 127).astype(np.int8)
