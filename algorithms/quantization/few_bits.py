"""Few bits for what an optimizer works with: the gradient it is handed, and the momentum that it keeps.

A wrapper around any optimizer, to train with as it is or to give to a rule.  Values are rounded to their grids and kept
as floats: a simulation of what fewer bits would do.  Weights are the rules' business, activations `activations.py`'s.
"""

from __future__ import annotations

from algorithms.quantization.grid import Format
from algorithms.quantization.rules import Which, is_conv_weight
from minidl.optim import Optimizer
from minidl.types import Array


class FewBits(Optimizer):
    """An optimizer whose gradients, and then whose state, are rounded stochastically.

    In order: the gradient is rounded, the optimizer moves the weight and its state, the state is rounded.  So a weight
    moves by the state before it is rounded, and a rule around this rounds the weight last.

    Parameters
    ----------
    optimizer : any optimizer; its formula, rate and state are used
    gradient, state : the formats, None for floats; one that is fitted (`BlockFloat`) is fitted anew each step
    seed : decides the draws, with the parameter's name, the step and the element
    which : which parameters this is done to

    Examples
    --------
    >>> from algorithms.quantization import Binary, BlockFloat, StochasticRounding
    >>> from minidl import nn, optim
    >>> conv = nn.Conv2d(1, 2, 3, rng=0)
    >>> sgd = optim.SGD(conv.named_parameters(), lr=0.1, momentum=0.9)
    >>> rule = StochasticRounding(FewBits(sgd, gradient=BlockFloat(8), state=BlockFloat(8)), Binary())
    """

    def __init__(
        self,
        optimizer: Optimizer,
        gradient: Format | None = None,
        state: Format | None = None,
        seed: int = 0,
        which: Which = is_conv_weight,
    ) -> None:
        self.optimizer, self.gradient, self.state_format, self.seed = optimizer, gradient, state, seed
        self.parameters, self.state, self.slots = optimizer.parameters, optimizer.state, optimizer.slots
        self.chosen = {name for name, parameter in self.parameters.items() if which(name, parameter)}

    @property
    def lr(self) -> float:
        """The inner optimizer's rate; settable."""
        return self.optimizer.lr

    @lr.setter
    def lr(self, rate: float) -> None:
        self.optimizer.lr = rate

    def update(self, name: str, weight: Array, grad: Array) -> None:
        """Move `weight` in place, all in the order above."""
        if name not in self.chosen:
            self.optimizer.update(name, weight, grad)
            return
        step = int(self.state[f"steps/{name}"]) + 1
        if self.gradient is not None:
            grad = self.gradient.round_stochastic(grad, self.seed, f"gradient/{name}", step)
        self.optimizer.update(name, weight, grad)
        if self.state_format is not None:
            for slot in self.slots:
                array = self.state[f"{slot}/{name}"]
                array[...] = self.state_format.round_stochastic(array, self.seed, f"{slot}/{name}", step)

    def __repr__(self) -> str:
        settings = f"gradient={self.gradient!r}, state={self.state_format!r}, seed={self.seed}"
        return f"FewBits({self.optimizer!r}, {settings})"
