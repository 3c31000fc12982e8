"""`Chain`: named layers one after the other, so that parameters have names as in the papers: `layers.conv3.weight`.

It leaves out anything that branches; `nn.Sequential` is the same with numbers for names.
"""

from __future__ import annotations

from minidl.nn.module import Module
from minidl.tensor import Tensor


class Chain(Module):
    """Layers by name, run in the order of the dict.

    Examples
    --------
    >>> from minidl import nn
    >>> net = Chain({"flatten": nn.Flatten(), "linear1": nn.Linear(4, 2, rng=0)})
    >>> [name for name, _ in net.named_parameters()]
    ['layers.linear1.weight', 'layers.linear1.bias']
    """

    def __init__(self, layers: dict[str, Module]) -> None:
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers.values():
            x = layer(x)
        return x
