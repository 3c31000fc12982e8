"""What a training keeps in memory between steps, and what a step needs beside it: bytes by kind.

Counted are the arrays of the network, of its optimizer or rule, and those that backward waits for; scratch arrays
inside a kernel are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl import Tensor
from minidl.nn import Module, Parameter
from minidl.training import Optimizer
from minidl.types import Array


@dataclass(frozen=True)
class Memory:
    """Bytes; `weights` and `quantized` are all parameters and those of them that are kept as codes.

    Attributes
    ----------
    weights, quantized : as they are kept now
    as_floats : what the quantized ones would take as floats
    state : of the optimizer and the rule, real-valued copies of weights included
    activations : what a forward pass leaves for backward; 0 without an input

    Examples
    --------
    >>> memory = Memory(weights=4, quantized=4, as_floats=128, state=0, activations=0)  # 32 signs, as bits
    >>> f"{memory.as_floats // memory.quantized} times smaller"
    '32 times smaller'
    """

    weights: int
    quantized: int
    as_floats: int
    state: int
    activations: int

    def __str__(self) -> str:
        rows = {
            "weights": self.weights,
            "  of which quantized": self.quantized,
            "  the same as floats": self.as_floats,
            "optimizer and rule": self.state,
            "activations": self.activations,
        }
        return "\n".join(f"{name:22}{size / 1000:12,.1f} kB" for name, size in rows.items())


def measure_memory(model: Module, optimizer: Optimizer, x: Array | None = None) -> Memory:
    """Measure a network and its optimizer, or rule; with a batch x (N, H, W, C), its activations too.

    Examples
    --------
    >>> from algorithms.quantization import Binary, StochasticRounding
    >>> from minidl import nn, optim
    >>> conv = nn.Conv2d(8, 16, 3, rng=0)
    >>> rule = StochasticRounding(optim.SGD(conv.named_parameters(), lr=0.1), Binary())
    >>> print(measure_memory(conv, rule, np.zeros((10, 8, 8, 8), np.float32)))
    weights                        0.2 kB
      of which quantized           0.1 kB
      the same as floats           4.6 kB
    optimizer and rule             0.0 kB
    activations                   20.5 kB
    """
    parameters = list(model.parameters())
    stored = [p for p in parameters if not isinstance(p.held, np.ndarray)]
    return Memory(
        weights=sum(p.held.nbytes for p in parameters),
        quantized=sum(p.held.nbytes for p in stored),
        as_floats=sum(p.size * p.dtype.itemsize for p in stored),
        state=sum(array.nbytes for array in optimizer.state_dict().values()),
        activations=0 if x is None else activation_bytes(model(Tensor(x))),
    )


def activation_bytes(y: Tensor) -> int:
    """Return the bytes of all arrays that the backward pass of y waits for, the parameters' own left out."""
    owners = {id(owner): owner.nbytes for node in _nodes(y) for owner in map(_owner, _kept(node))}
    return sum(owners.values())


def _nodes(y: Tensor) -> Iterator[Any]:
    """Every operation that y was computed by, once."""
    waiting, seen = [y.node], {id(None)}
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting.extend(edge for edge in node.edges if not isinstance(edge, Tensor))  # type: ignore[union-attr]


def _kept(node: Any) -> Iterator[Array]:
    """The arrays that one operation keeps: values of inputs, and what it noted itself."""
    yield from (x.data for x in node.inputs if not isinstance(x, Parameter))
    yield from (value for value in vars(node).values() if isinstance(value, np.ndarray))


def _owner(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
