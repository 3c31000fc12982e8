"""Layers: an operation of `minidl.ops` together with its parameters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidl import ops
from minidl.nn import init
from minidl.nn.module import Module, Parameter
from minidl.ops.conv import Pair, pair
from minidl.rng import generator
from minidl.tensor import Tensor
from minidl.types import Rng


class Conv2d(Module):
    """Convolution of (N, H, W, in_channels) images with `out_channels` filters; see `ops.conv2d`.

    `weight` is (out_channels, KH, KW, in_channels/groups), He-normal; `bias` (out_channels,) starts at 0.

    Examples
    --------
    >>> Conv2d(3, 16, 3, padding=1, rng=0)(np.zeros((1, 8, 8, 3), np.float32)).shape
    (1, 8, 8, 16)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        groups: int = 1,
        bias: bool = True,
        rng: Rng = None,
    ) -> None:
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"Conv2d got groups={groups}, expected a divisor of {in_channels} and of {out_channels}")
        self.stride, self.padding, self.groups = pair(stride), pair(padding), groups
        self.weight = Parameter(init.he_normal((out_channels, *pair(kernel_size), in_channels // groups), rng))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.groups)


class DepthwiseConv2d(Module):
    """Convolution of each channel with one filter of its own: (N, H, W, C) to (N, OH, OW, C).

    `weight` is (C, KH, KW, 1), He-normal; `bias` (C,) starts at 0.  How many channels there are is read off the weight.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        bias: bool = True,
        rng: Rng = None,
    ) -> None:
        self.stride, self.padding = pair(stride), pair(padding)
        self.weight = Parameter(init.he_normal((channels, *pair(kernel_size), 1), rng))
        self.bias = Parameter(np.zeros(channels, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.weight.shape[0])


class Linear(Module):
    """Every output a weighted sum of all inputs: (N, in_features) to (N, out_features).

    `weight` is (out_features, in_features), He-normal or normal with the given `std`; `bias` starts at 0.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, std: float | None = None, rng: Rng = None
    ) -> None:
        shape = (out_features, in_features)
        self.weight = Parameter(init.he_normal(shape, rng) if std is None else init.normal(shape, std, rng))
        self.bias = Parameter(np.zeros(out_features, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.linear(x, self.weight, self.bias)


class BatchNorm(Module):
    """Normalize each channel over the batch in training, by running statistics in evaluation; see `ops.batch_norm`.

    With `relu=True` a ReLU follows, and `forward` may be given a residual to add before it: the same numbers as
    separate layers, in fewer passes over memory.
    """

    ndim = 0  # of the input, set by the two classes below

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5, relu: bool = False) -> None:
        self.momentum, self.eps, self.relu = momentum, eps, relu
        self.weight = Parameter(np.ones(channels, np.float32))
        self.bias = Parameter(np.zeros(channels, np.float32))
        self.running_mean = np.zeros(channels, np.float32)
        self.running_var = np.ones(channels, np.float32)

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        if len(x.shape) != self.ndim:
            raise ValueError(f"{type(self).__name__} got x of {x.shape}, expected {self.ndim} axes, channels last")
        return ops.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps,
            residual, self.relu,
        )  # fmt: skip


class BatchNorm2d(BatchNorm):
    """`BatchNorm` of images (N, H, W, C)."""

    ndim = 4


class BatchNorm1d(BatchNorm):
    """`BatchNorm` of vectors (N, C)."""

    ndim = 2


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.relu(x)


class LeakyReLU(Module):
    """x where positive, else `negative_slope` times x."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(x, self.negative_slope)


class HardTanh(Module):
    """x cut to [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.hardtanh(x)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)


class MaxPool2d(Module):
    """Largest element of each window; see `ops.max_pool2d`."""

    def __init__(self, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0) -> None:
        self.kernel_size = pair(kernel_size)
        self.stride = self.kernel_size if stride is None else pair(stride)
        self.padding = pair(padding)

    def forward(self, x: Tensor) -> Tensor:
        return ops.max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(MaxPool2d):
    """Mean of each window; see `ops.avg_pool2d`."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.avg_pool2d(x, self.kernel_size, self.stride, self.padding)


class GlobalAvgPool2d(Module):
    """Mean of each channel over the image: (N, H, W, C) to (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.global_avg_pool2d(x)


class Flatten(Module):
    """(N, H, W, C) to (N, H·W·C)."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.flatten(x)


class Dropout(Module):
    """Silence a share `p` of the elements in training, drawn from the default generator, whose state a run saves."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return ops.dropout(x, self.p, self.training, generator())


class Sequential(Module):
    """Modules one after the other.

    Examples
    --------
    >>> net = Sequential(Flatten(), Linear(4, 2, rng=0))
    >>> [name for name, _ in net.named_parameters()]
    ['layers.1.weight', 'layers.1.bias']
    """

    def __init__(self, *layers: Module) -> None:
        self.layers = list(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)
