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

    Examples
    --------
    >>> DepthwiseConv2d(64, 3, rng=0).weight.size, Conv2d(64, 64, 3, rng=0).weight.size
    (576, 36864)
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

    Examples
    --------
    >>> layer = Linear(784, 10, rng=0)
    >>> layer(np.zeros((2, 784), np.float32)).shape, layer.num_parameters()
    ((2, 10), 7850)
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
    """`BatchNorm` of images (N, H, W, C).

    Examples
    --------
    >>> norm = BatchNorm2d(1)
    >>> y = norm(np.full((2, 4, 4, 1), 10.0, np.float32))
    >>> norm.running_mean  # from 0, a tenth of the way to the batch's
    array([1.], dtype=float32)
    """

    ndim = 4


class BatchNorm1d(BatchNorm):
    """`BatchNorm` of vectors (N, C).

    Examples
    --------
    >>> x = np.array([[1.0], [3.0]], np.float32)
    >>> BatchNorm1d(1)(x).numpy().round(3).ravel(), BatchNorm1d(1).eval()(x).numpy().round(3).ravel()
    (array([-1.,  1.], dtype=float32), array([1., 3.], dtype=float32))
    """

    ndim = 2


class ReLU(Module):
    """max(x, 0); see `ops.relu`.

    Examples
    --------
    >>> ReLU()(Tensor([-1.0, 2.0])).numpy()
    array([0., 2.], dtype=float32)
    """

    def forward(self, x: Tensor) -> Tensor:
        return ops.relu(x)


class LeakyReLU(Module):
    """x where positive, else `negative_slope` times x; see `ops.leaky_relu`.

    Examples
    --------
    >>> LeakyReLU(0.25)(Tensor([-1.0, 2.0])).numpy()
    array([-0.25,  2.  ], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(x, self.negative_slope)


class HardTanh(Module):
    """x cut to [-1, 1]; see `ops.hardtanh`.

    Examples
    --------
    >>> HardTanh()(Tensor([-3.0, 0.5])).numpy()
    array([-1. ,  0.5], dtype=float32)
    """

    def forward(self, x: Tensor) -> Tensor:
        return ops.hardtanh(x)


class Tanh(Module):
    """Hyperbolic tangent.

    Examples
    --------
    >>> Tanh()(Tensor([-20.0, 0.0, 20.0])).numpy()
    array([-1.,  0.,  1.], dtype=float32)
    """

    def forward(self, x: Tensor) -> Tensor:
        return ops.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    Examples
    --------
    >>> Sigmoid()(Tensor(0.0)).item()
    0.5
    """

    def forward(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)


class MaxPool2d(Module):
    """Largest element of each window, (N, H, W, C) to (N, OH, OW, C); see `ops.max_pool2d`.

    Examples
    --------
    >>> MaxPool2d(3, stride=2, padding=1)(np.zeros((1, 8, 8, 3), np.float32)).shape
    (1, 4, 4, 3)
    """

    def __init__(self, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0) -> None:
        self.kernel_size = pair(kernel_size)
        self.stride = self.kernel_size if stride is None else pair(stride)
        self.padding = pair(padding)

    def forward(self, x: Tensor) -> Tensor:
        return ops.max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(MaxPool2d):
    """Mean of each window, (N, H, W, C) to (N, OH, OW, C); see `ops.avg_pool2d`.

    Examples
    --------
    >>> AvgPool2d(2)(np.zeros((1, 8, 8, 3), np.float32)).shape
    (1, 4, 4, 3)
    """

    def forward(self, x: Tensor) -> Tensor:
        return ops.avg_pool2d(x, self.kernel_size, self.stride, self.padding)


class GlobalAvgPool2d(Module):
    """Mean of each channel over the image: (N, H, W, C) to (N, C).

    Examples
    --------
    >>> [GlobalAvgPool2d()(np.zeros((1, n, n, 3), np.float32)).shape for n in (4, 7)]  # images of any size
    [(1, 3), (1, 3)]
    """

    def forward(self, x: Tensor) -> Tensor:
        return ops.global_avg_pool2d(x)


class Flatten(Module):
    """(N, H, W, C) to (N, H·W·C).

    Examples
    --------
    >>> Flatten()(np.zeros((2, 4, 4, 3), np.float32)).shape
    (2, 48)
    """

    def forward(self, x: Tensor) -> Tensor:
        return ops.flatten(x)


class Dropout(Module):
    """Silence a share `p` of the elements in training, drawn from the default generator, whose state a run saves.

    See `ops.dropout`; Srivastava et al. 2014, but scaled in training, so that evaluation changes nothing.

    Examples
    --------
    >>> layer, x = Dropout(0.5), np.ones(1000, np.float32)
    >>> sorted(set(layer(x).numpy().tolist())), set(layer.eval()(x).numpy().tolist())
    ([0.0, 2.0], {1.0})
    """

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
