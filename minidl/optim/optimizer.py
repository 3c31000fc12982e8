"""What every optimizer shares: parameters, and their state by name.

The formula of a step is left to `sgd.py` and `adam.py`; the rate over time to `schedule.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from minidl.nn.module import Parameter, check_state
from minidl.types import Array


class Optimizer:
    """Base of SGD and Adam: `step()` moves every parameter that has a gradient.

    A rule that keeps its weights in another form (rounded, binary) calls `update` with arrays of its own instead.

    Attributes
    ----------
    lr : float
        The rate; set it at any time.
    parameters : dict of Parameter by name
    state : dict of ndarray by "slot/NAME"
        Each of its parameter's shape; "steps/NAME", a single integer, counts the parameter's updates.

    Examples
    --------
    >>> import minidl, numpy as np
    >>> class SignDescent(Optimizer):  # a rule is one formula, in place
    ...     def move(self, weight, grad, steps):
    ...         weight -= self.lr * np.sign(grad)
    >>> w = minidl.nn.Parameter([1.0, -2.0])
    >>> (w * w).sum().backward()
    >>> SignDescent([("w", w)], lr=0.5).step()
    >>> w.numpy()
    array([ 0.5, -1.5], dtype=float32)
    """

    slots: tuple[str, ...] = ()  # which arrays of a parameter's shape the formula remembers

    def __init__(self, named_parameters: Iterable[tuple[str, Parameter]], lr: float) -> None:
        if not 0 <= lr < math.inf:
            raise ValueError(f"{type(self).__name__} got lr={lr}, expected a finite rate of 0 or more")
        self.lr = lr
        self.parameters = _by_name(type(self).__name__, named_parameters)
        self.state: dict[str, Array] = {}
        for name, parameter in self.parameters.items():
            self.state |= {f"{slot}/{name}": np.zeros_like(parameter.data) for slot in self.slots}
            self.state[f"steps/{name}"] = np.zeros((), np.int64)

    def step(self) -> None:
        """Move every parameter that has a gradient, in place."""
        for name, parameter in self.parameters.items():
            if parameter.grad is not None:
                self.update(name, parameter.data, parameter.grad.data)

    def update(self, name: str, weight: Array, grad: Array) -> None:
        """Move `weight` in place, with the state that is kept under `name`; `grad` is only read."""
        if weight.shape != grad.shape:
            raise ValueError(f"the gradient of {name} is {grad.shape}, expected its parameter's shape {weight.shape}")
        self.state[f"steps/{name}"] += 1
        state = [self.state[f"{slot}/{name}"] for slot in self.slots]
        self.move(weight, grad, *state, steps=int(self.state[f"steps/{name}"]))

    def move(self, weight: Array, grad: Array, *state: Array, steps: int) -> None:
        """One step of the formula on arrays of one shape, in place; `steps` counts from 1."""
        raise NotImplementedError(f"{type(self).__name__} defines no move")

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all state by "slot/NAME", in one order whatever the order of the parameters."""
        return {name: self.state[name].copy() for name in sorted(self.state)}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy a `state_dict` in; names, shapes and dtypes must match exactly, otherwise nothing is changed."""
        check_state(self.state, state)
        for name, array in self.state.items():
            array[...] = state[name]

    def zero_grad(self) -> None:
        """Forget all gradients; without it they would add up over steps."""
        for parameter in self.parameters.values():
            parameter.grad = None


def _by_name(optimizer: str, named_parameters: Iterable[tuple[str, Parameter]]) -> dict[str, Parameter]:
    parameters: dict[str, Parameter] = {}
    for pair in named_parameters:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise TypeError(
                f"{optimizer} got a {type(pair).__name__}, expected (name, parameter) pairs: pass "
                "model.named_parameters()"
            )
        name, parameter = pair
        if name in parameters:
            raise ValueError(f"{optimizer} got two parameters named {name}, expected each name once: rename one")
        parameters[name] = parameter
    if not parameters:
        raise ValueError(f"{optimizer} got no parameters, expected one or more: was the generator used up before?")
    return parameters
