"""Training with nothing but quantized weights: a rule is an optimizer around an optimizer (SGD, Adam, …).

With step(g) what the inner optimizer makes of a gradient, and Q_d, Q_s the nearest and the stochastic rounding:

    R    w_b ← Q_d(w_b - step(g(w_b)))   `Rounding`: every step of less than half a grid spacing is lost
    SR   w_b ← Q_s(w_b - step(g(w_b)))   `StochasticRounding`: right on average, but never finer than the grid

Between steps a quantized weight is its codes and nothing else (`storage.py`); floats are decoded for the forward and
backward pass and for the step of the one weight that is being moved.  Rules with memory of their own have their own
files: `binary_connect.py`, `bop.py`.

One step, in order: the gradient at the quantized weights; rounded itself, if `few_bits.py` is asked to; the step of
the optimizer, which updates its momentum; the momentum rounded, likewise; the weight rounded last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np

from algorithms.quantization.grid import Encoded, Format
from algorithms.quantization.storage import CodeStore
from minidl.kernels.random import philox_key, stream_key
from minidl.kernels.rounding import BITS
from minidl.nn import Parameter, check_state
from minidl.optim import Optimizer
from minidl.training import TrainingError
from minidl.types import Array

Which: TypeAlias = Callable[[str, Parameter], bool]
Generator: TypeAlias = Literal["hash", "philox"]

KEYS: dict[str, Callable[[int, int | str, int], Array]] = {"hash": stream_key, "philox": philox_key}


def is_conv_weight(name: str, parameter: Parameter) -> bool:
    """Choose the weights of convolutions, (O, KH, KW, I); linear layers, biases and normalization stay float.

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.Flatten(), nn.Linear(2, 2, rng=0))
    >>> [name for name, parameter in net.named_parameters() if is_conv_weight(name, parameter)]
    ['layers.0.weight']
    """
    return parameter.ndim == 4


class Rule:
    """Base of the rules: the weights that `which` chooses are moved by `move`, all others by the optimizer itself.

    Parameters
    ----------
    optimizer : any optimizer of `minidl.optim`; its rate, state and formula are used as they are
    quantizer : the format of the chosen weights
    which : tells by name and parameter whether a weight is quantized

    Attributes
    ----------
    quantized : dict of Parameter by name
        The chosen weights.
    steps : int
        Steps done, which also number the random draws.
    saturated : dict of int by name
        How many weights of the last step lay beyond the ends of the grid.

    Raises
    ------
    ValueError
        If `which` chooses no weight.

    Examples
    --------
    A rule of one's own says how one weight moves: this one by a whole grid spacing against the sign of the gradient.

    >>> from algorithms.quantization import FixedPoint
    >>> from minidl import nn, optim
    >>> class Hop(Rule):
    ...     def move(self, name, grad):
    ...         grid = self.quantizer
    ...         self.write(name, grid, grid.encode(self.quantized[name].data - grid.spacing * np.sign(grad)))
    >>> weight = nn.Parameter(np.array([0.5, -1.0]))
    >>> hop = Hop(optim.SGD([("w", weight)], lr=1.0), FixedPoint(3, 1), which=lambda name, parameter: True)
    >>> (weight * weight).sum().backward()
    >>> hop.step()
    >>> weight.numpy().tolist(), hop.steps
    ([0.0, -0.5], 1)
    """

    def __init__(self, optimizer: Optimizer, quantizer: Format, which: Which = is_conv_weight) -> None:
        self.optimizer, self.quantizer = optimizer, quantizer
        self.quantized = {name: p for name, p in optimizer.parameters.items() if which(name, p)}
        if not self.quantized:
            raise ValueError(
                f"{type(self).__name__} found no weight to quantize among {len(optimizer.parameters)}, expected one or "
                "more: pass which=lambda name, parameter: … to choose"
            )
        self.steps = 0
        self.saturated = dict.fromkeys(self.quantized, 0)

    @property
    def lr(self) -> float:
        """The inner optimizer's rate; settable."""
        return self.optimizer.lr

    @lr.setter
    def lr(self, rate: float) -> None:
        self.optimizer.lr = rate

    def step(self) -> None:
        """Move every parameter that has a gradient.

        Raises
        ------
        TrainingError
            If a quantized weight became NaN; it keeps its former value.
        """
        self.steps += 1
        for name, parameter in self.optimizer.parameters.items():
            if parameter.grad is None:
                continue
            if name not in self.quantized:
                self.optimizer.update(name, parameter.data, parameter.grad.data)
                continue
            try:
                self.move(name, parameter.grad.data)
            except ValueError as error:
                raise TrainingError(f"{name} in step {self.steps}: {error}") from None

    def move(self, name: str, grad: Array) -> None:
        """Move one quantized weight."""
        raise NotImplementedError(f"{type(self).__name__} defines no move")

    def write(self, name: str, format: Format, encoded: Encoded) -> None:
        """Keep a quantized weight's new codes, and nothing else."""
        parameter = self.quantized[name]
        parameter.held = CodeStore(format, encoded.codes, parameter.dtype)
        self.saturated[name] = encoded.saturated

    # -- state -------------------------------------------------------------------------------------------------

    def own_state(self) -> dict[str, Array]:
        """Return what this rule adds to its optimizer's state."""
        return {}

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all that the next step depends on, beside the network's own weights."""
        inner = {f"optimizer/{name}": array for name, array in self.optimizer.state_dict().items()}
        own = {name: array.copy() for name, array in self.own_state().items()}
        return {"steps": np.array(self.steps, np.int64), **inner, **own}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy a `state_dict` in, after the network's own; names, shapes and dtypes must match exactly."""
        check_state(self.state_dict(), state)
        names = [name for name in state if name.startswith("optimizer/")]
        self.optimizer.load_state_dict({name.removeprefix("optimizer/"): state[name] for name in names})
        self.steps = int(state["steps"])

    def zero_grad(self) -> None:
        """Forget all gradients."""
        self.optimizer.zero_grad()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.optimizer!r}, {self.quantizer!r})"


class Rounding(Rule):
    """R: round to the nearest value of the grid after every step.

    The weights start from their rounded initial values, which for `Binary` are random signs wherever the initial
    weights are symmetric; a format that is fitted (`per_filter`) keeps the scales of the start.

    Examples
    --------
    >>> from algorithms.quantization import Binary
    >>> from minidl import nn, optim
    >>> conv = nn.Conv2d(1, 2, 3, rng=0)
    >>> rule = Rounding(optim.SGD(conv.named_parameters(), lr=0.1), Binary())
    >>> np.unique(conv.weight.numpy()).tolist(), list(rule.quantized)
    ([-1.0, 1.0], ['weight'])
    """

    def __init__(self, optimizer: Optimizer, quantizer: Format, which: Which = is_conv_weight) -> None:
        super().__init__(optimizer, quantizer, which)
        self.formats = {name: quantizer.fit(p.data) for name, p in self.quantized.items()}
        for name, format in self.formats.items():
            self.write(name, format, format.encode(self.quantized[name].data))

    def move(self, name: str, grad: Array) -> None:
        weight = self.quantized[name].data.copy()  # so that a failed step leaves the network as it was
        self.optimizer.update(name, weight, grad)
        self.write(name, self.formats[name], self.encode(name, weight))

    def encode(self, name: str, weight: Array) -> Encoded:
        """Round what the optimizer made of a weight."""
        return self.formats[name].encode(weight)

    def own_state(self) -> dict[str, Array]:
        return {f"scale/{name}": np.asarray(format.scale) for name, format in self.formats.items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        super().load_state_dict(state)
        for name, format in self.formats.items():
            self.formats[name] = format.with_scale(state[f"scale/{name}"].copy())
            self.write(name, self.formats[name], self.formats[name].encode(self.quantized[name].data))


class StochasticRounding(Rounding):
    """SR: round up or down at random after every step, so that the mean is right.

    Parameters
    ----------
    seed : with the weight's name, the step and the element it decides a draw, and nothing else does: any number of
        threads and any resumed run draw the same bits
    bits : random bits a weight, 1 to 16; steps of less than 2**-(bits + 1) of the spacing are lost
    generator : where they come from: a fast hash, or Philox, of which every draw can be checked against others' Philox

    Examples
    --------
    >>> from algorithms.quantization import Binary
    >>> from minidl import nn, optim
    >>> conv = nn.Conv2d(1, 2, 3, rng=0)
    >>> StochasticRounding(optim.Adam(conv.named_parameters(), lr=0.01), Binary(), seed=1)  # doctest: +ELLIPSIS
    StochasticRounding(Adam(lr=0.01, ...), Binary(...), seed=1, bits=16, generator='hash')
    """

    def __init__(
        self,
        optimizer: Optimizer,
        quantizer: Format,
        seed: int = 0,
        which: Which = is_conv_weight,
        bits: int = BITS,
        generator: Generator = "hash",
    ) -> None:
        if generator not in KEYS:
            raise ValueError(f"found generator={generator!r}, expected {' or '.join(map(repr, KEYS))}")
        self.seed, self.bits, self.generator = seed, bits, generator
        super().__init__(optimizer, quantizer, which)

    def encode(self, name: str, weight: Array) -> Encoded:
        key = draw_key(self.seed, name, self.steps, self.generator)
        return self.formats[name].encode_stochastic(weight, key, self.bits)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, seed={self.seed}, bits={self.bits}, generator={self.generator!r})"


def draw_key(seed: int, name: str, step: int, generator: Generator = "hash") -> Array:
    """Return the key of the random numbers that round one weight in one step."""
    return KEYS[generator](seed, f"rounding/{name}", step)
