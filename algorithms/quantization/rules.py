"""The three ways to train weights that may take few values, each an optimizer around an optimizer.

With Q the rounding to the format's grid and step(g) what the inner optimizer (SGD, Adam, …) makes of a gradient:

    R    w_b ← Q_d(w_b - step(g(w_b)))     `Rounding`: nearest; loses every step of less than half a grid spacing
    SR   w_b ← Q_s(w_b - step(g(w_b)))     `StochasticRounding`: right on average, never finer than the grid
    BC   w_r ← clip(w_r - step(g(Q(w_r))))  `BinaryConnect`: sums small steps in a float copy w_r

Between steps R and SR keep the grid values in the parameter's own float array, the one the float engine reads, and
nothing else: a *simulation* of low-bit storage, which `Format.pack` shows the size of.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, TypeAlias

import numpy as np

from algorithms.quantization.formats import Encoded, Format
from minidl.kernels.random import stream_key
from minidl.kernels.rounding import BITS
from minidl.nn import Parameter
from minidl.nn.module import check_state
from minidl.optim import Optimizer
from minidl.training import TrainingError
from minidl.types import Array

Which: TypeAlias = Callable[[str, Parameter], bool]


def is_conv_weight(name: str, parameter: Parameter) -> bool:
    """Choose the weights of convolutions; linear layers, biases and normalization stay float, as in the paper."""
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
            if name in self.quantized:
                self.move(name, parameter, parameter.grad.data)
            else:
                self.optimizer.update(name, parameter.data, parameter.grad.data)

    def move(self, name: str, parameter: Parameter, grad: Array) -> None:
        """Move one quantized weight."""
        raise NotImplementedError(f"{type(self).__name__} defines no move")

    def write(self, name: str, format: Format, encode: Callable[[], Encoded]) -> None:
        """Set a quantized weight to the values of its new codes."""
        parameter = self.quantized[name]
        try:
            codes, self.saturated[name] = encode()
        except ValueError as error:
            raise TrainingError(f"{name} in step {self.steps}: {error}") from None
        parameter.data = format.decode(codes, parameter.dtype.type)

    # -- state -------------------------------------------------------------------------------------------------

    def own_state(self) -> dict[str, Array]:
        """The arrays that this rule adds to its optimizer's state; the arrays themselves."""
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
        for name, array in self.own_state().items():
            array[...] = state[name]
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
        for name, parameter in self.quantized.items():
            weight = parameter.data
            self.write(name, self.formats[name], lambda name=name, weight=weight: self.formats[name].encode(weight))

    def move(self, name: str, parameter: Parameter, grad: Array) -> None:
        weight = parameter.data.copy()
        self.optimizer.update(name, weight, grad)
        self.write(name, self.formats[name], lambda: self.encode(name, weight))

    def encode(self, name: str, weight: Array) -> Encoded:
        """Round what the optimizer made of a weight."""
        return self.formats[name].encode(weight)

    def own_state(self) -> dict[str, Array]:
        return {f"scale/{name}": np.asarray(format.scale) for name, format in self.formats.items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        super().load_state_dict(state)
        for name, format in self.formats.items():
            self.formats[name] = format.with_scale(state[f"scale/{name}"])


class StochasticRounding(Rounding):
    """SR: round up or down at random after every step, so that the mean is right (Q_s of the paper's section 1).

    Parameters
    ----------
    seed : with the weight's name, the step and the element it decides a draw, and nothing else does: any number of
        threads and any resumed run draw the same bits
    bits : random bits a weight, 1 to 24; steps of less than 2**-(bits + 1) of the spacing are lost

    Examples
    --------
    >>> from algorithms.quantization import Binary
    >>> from minidl import nn, optim
    >>> conv = nn.Conv2d(1, 2, 3, rng=0)
    >>> StochasticRounding(optim.Adam(conv.named_parameters(), lr=0.01), Binary(), seed=1)
    StochasticRounding(Adam(lr=0.01, ...), Binary(delta=1.0, per_filter=False), seed=1, bits=24)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        quantizer: Format,
        seed: int = 0,
        which: Which = is_conv_weight,
        bits: int = BITS,
    ) -> None:
        self.seed, self.bits = seed, bits
        super().__init__(optimizer, quantizer, which)

    def encode(self, name: str, weight: Array) -> Encoded:
        return self.formats[name].encode_stochastic(weight, _key(self.seed, name, self.steps), self.bits)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, seed={self.seed}, bits={self.bits})"


class BinaryConnect(Rule):
    """BC: keep a float copy w_r of every quantized weight, take the gradient at Q(w_r) and apply it to w_r.

    Parameters
    ----------
    stochastic : draw the quantized weights anew each step (Q_s); by default they are the nearest (Q_d)
    clip : keep w_r within the ends of the grid ("grid"), within [-clip, clip], or nowhere (None)
    seed : decides the draws of stochastic quantization
    which : which weights are quantized

    Notes
    -----
    The networks's own weights are Q(w_r) at all times outside `real_weights`; with `stochastic=True` that is the draw
    of the last step, so measure inside `quantized_weights()` (nearest) or `real_weights()`.

    Examples
    --------
    >>> from algorithms.quantization import Binary
    >>> from minidl import nn, optim
    >>> conv = nn.Conv2d(1, 2, 3, rng=0)
    >>> rule = BinaryConnect(optim.SGD(conv.named_parameters(), lr=0.1), Binary())
    >>> with rule.real_weights():
    ...     len(np.unique(conv.weight.numpy()))
    18
    >>> len(np.unique(conv.weight.numpy()))
    2
    """

    def __init__(
        self,
        optimizer: Optimizer,
        quantizer: Format,
        stochastic: bool = False,
        clip: float | Literal["grid"] | None = "grid",
        seed: int = 0,
        which: Which = is_conv_weight,
    ) -> None:
        super().__init__(optimizer, quantizer, which)
        self.stochastic, self.clip, self.seed = stochastic, clip, seed
        self.ends = self._ends()
        self.real = {name: p.data.copy() for name, p in self.quantized.items()}
        for name in self.quantized:
            self.quantize(name, stochastic)

    def move(self, name: str, parameter: Parameter, grad: Array) -> None:
        real = self.real[name]
        self.optimizer.update(name, real, grad)
        if self.ends is not None:
            np.clip(real, *self.ends, out=real)
        self.quantize(name, self.stochastic)

    def quantize(self, name: str, stochastic: bool) -> None:
        """Set a weight to Q(w_r); the same draws for the same step."""
        real = self.real[name]
        format = self.quantizer.fit(real)
        key = _key(self.seed, name, self.steps)
        self.write(name, format, lambda: format.encode_stochastic(real, key) if stochastic else format.encode(real))

    @contextlib.contextmanager
    def real_weights(self) -> Iterator[None]:
        """Put the float copies into the network for a block; nothing may be trained in it."""
        with self._restored():
            for name, parameter in self.quantized.items():
                parameter.data = self.real[name].copy()
            yield

    @contextlib.contextmanager
    def quantized_weights(self) -> Iterator[None]:
        """Put the nearest grid values Q_d(w_r) into the network for a block; nothing may be trained in it."""
        with self._restored():
            for name in self.quantized:
                self.quantize(name, stochastic=False)
            yield

    def own_state(self) -> dict[str, Array]:
        return {f"real/{name}": real for name, real in self.real.items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        super().load_state_dict(state)
        for name in self.quantized:
            self.quantize(name, self.stochastic)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, stochastic={self.stochastic}, clip={self.clip!r}, seed={self.seed})"

    def _ends(self) -> tuple[float, float] | None:
        if self.clip is None:
            return None
        if self.clip == "grid":
            return self.quantizer.ends
        if not self.clip > 0:
            raise ValueError(f"BinaryConnect got clip={self.clip}, expected above 0, 'grid' or None")
        return -self.clip, self.clip

    @contextlib.contextmanager
    def _restored(self) -> Iterator[None]:
        former = {name: parameter.data for name, parameter in self.quantized.items()}
        try:
            yield
        finally:
            for name, parameter in self.quantized.items():
                parameter.data = former[name]


def _key(seed: int, name: str, step: int) -> Array:
    return stream_key(seed, f"rounding/{name}", step)
