"""Operations that move, repeat or select elements.  Each is linear, so its backward is its adjoint:
broadcast and sum, slice and scatter, pad and crop, concatenate and split, reshape and transpose and their inverses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.autograd.function import Function
from minidl.ops.axes import normal_axis
from minidl.tensor import Tensor, as_tensor
from minidl.types import Array, Shape


class BroadcastTo(Function):
    keeps_inputs = False

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.shape_of_x = x.shape
        return np.broadcast_to(x, self.shape)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (sum_to(grad_y, self.shape_of_x),)


class SumTo(Function):
    keeps_inputs = False

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.shape_of_x = x.shape
        added = x.ndim - len(self.shape)  # axes that broadcasting put in front
        repeated = [added + i for i, n in enumerate(self.shape) if n == 1 and x.shape[added + i] != 1]
        return x.sum(axis=(*range(added), *repeated), keepdims=True).reshape(self.shape)  # type: ignore[no-any-return]

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (broadcast_to(grad_y, self.shape_of_x),)


class Reshape(Function):
    keeps_inputs = False

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.shape_of_x = x.shape
        return x.reshape(self.shape)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (reshape(grad_y, self.shape_of_x),)


class Transpose(Function):
    keeps_inputs = False

    def __init__(self, axes: Shape) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        return x.transpose(self.axes)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (transpose(grad_y, tuple(int(i) for i in np.argsort(self.axes))),)


class GetItem(Function):
    keeps_inputs = False

    def __init__(self, index: Any) -> None:
        self.index = index

    def forward(self, x: Array) -> Array:
        self.shape_of_x = x.shape
        return x[self.index]  # type: ignore[no-any-return]

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (Scatter(self.index, self.shape_of_x)(grad_y),)


class Scatter(Function):
    """Zeros of `shape` with the input added at `index` (an index that occurs twice receives both)."""

    keeps_inputs = False

    def __init__(self, index: Any, shape: Shape) -> None:
        self.index, self.shape = index, shape

    def forward(self, x: Array) -> Array:
        y = np.zeros(self.shape, x.dtype)
        if _is_basic(self.index):
            y[self.index] = x
        else:
            np.add.at(y, self.index, x)
        return y

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (getitem(grad_y, self.index),)


class Concatenate(Function):
    keeps_inputs = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: Array) -> Array:
        self.sizes = [x.shape[self.axis] for x in xs]
        return np.concatenate(xs, axis=self.axis)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        axis = self.axis % grad_y.ndim
        ends = np.cumsum(self.sizes)
        front = (slice(None),) * axis
        return tuple(
            getitem(grad_y, (*front, slice(int(end) - size, int(end)))) if need else None
            for size, end, need in zip(self.sizes, ends, self.needs, strict=True)
        )


class Pad(Function):
    keeps_inputs = False

    def __init__(self, widths: tuple[tuple[int, int], ...]) -> None:
        self.widths = widths

    def forward(self, x: Array) -> Array:
        self.shape_of_x = x.shape
        return np.pad(x, self.widths)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        kept = tuple(slice(before, before + n) for (before, _), n in zip(self.widths, self.shape_of_x, strict=True))
        return (getitem(grad_y, kept),)


def broadcast_to(x: Tensor, shape: Shape) -> Tensor:
    """`x` repeated to `shape` by NumPy's rules.

    Examples
    --------
    >>> broadcast_to([1.0, 2.0], (3, 2)).numpy().tolist()
    [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]
    """
    x = as_tensor(x)
    return x if x.shape == tuple(shape) else BroadcastTo(tuple(shape))(x)


def sum_to(x: Tensor, shape: Shape) -> Tensor:
    """`x` summed over everything that `broadcast_to` would repeat: <sum_to(x), z> = <x, broadcast_to(z)>.

    Examples
    --------
    >>> sum_to([[1.0, 2.0], [10.0, 20.0]], (2,)).numpy()
    array([11., 22.], dtype=float32)
    """
    x = as_tensor(x)
    return x if x.shape == tuple(shape) else SumTo(tuple(shape))(x)


def reshape(x: Tensor, *shape: int | Shape) -> Tensor:
    """The same elements, in the same order, in another shape; one -1 is worked out.

    Examples
    --------
    >>> reshape([1, 2, 3, 4, 5, 6], 2, -1).numpy().tolist()
    [[1, 2, 3], [4, 5, 6]]
    """
    x = as_tensor(x)
    target = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    return x if x.shape == target else Reshape(target)(x)  # type: ignore[arg-type]


def flatten(x: Tensor) -> Tensor:
    """(N, ...) to (N, everything else): an image (H, W, C) is read row by row, its channels last.

    Examples
    --------
    >>> import numpy as np
    >>> flatten(np.zeros((8, 32, 32, 3))).shape
    (8, 3072)
    """
    return reshape(x, (x.shape[0], -1))


def transpose(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in another order, reversed by default.

    Examples
    --------
    >>> import numpy as np
    >>> transpose(np.zeros((8, 3, 32, 30)), (0, 2, 3, 1)).shape  # channels-first images, for us
    (8, 32, 30, 3)
    """
    x = as_tensor(x)
    if axes is None:
        return Transpose(tuple(range(x.ndim))[::-1])(x)
    order = tuple(normal_axis("transpose", axis, x.shape) for axis in axes)
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(
            f"transpose got axes {tuple(axes)} for shape {x.shape}, expected each of its {x.ndim} axes once"
        )
    return Transpose(order)(x)


def getitem(x: Tensor, index: Any) -> Tensor:
    """`x[index]` for any NumPy index: slices, integers, boolean masks, index arrays.

    Examples
    --------
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> getitem(x, [0, 0, 2]).sum().backward()  # read twice, it gets both gradients
    >>> x.grad
    Tensor([2., 0., 1.], dtype=float32)
    """
    parts = index if isinstance(index, tuple) else (index,)
    plain = tuple(part.data if isinstance(part, Tensor) else part for part in parts)
    return GetItem(plain if isinstance(index, tuple) else plain[0])(as_tensor(x))


def concatenate(xs: Sequence[Tensor], axis: int = -1) -> Tensor:
    """Join along one axis, by default the channels; all other axes must agree.

    Examples
    --------
    >>> import numpy as np
    >>> concatenate([np.zeros((1, 8, 8, 3)), np.zeros((1, 8, 8, 5))]).shape
    (1, 8, 8, 8)
    """
    if not xs:
        raise ValueError("concatenate got no Tensors, expected one or more")
    tensors = [as_tensor(x) for x in xs]
    for x in tensors:
        normal_axis("concatenate", axis, x.shape)
    return Concatenate(axis)(*tensors)


def pad(x: Tensor, widths: Sequence[tuple[int, int]]) -> Tensor:
    """Zeros around `x`: one (before, after) pair per axis.

    Examples
    --------
    >>> pad([1.0, 2.0], [(1, 2)]).numpy()
    array([0., 1., 2., 0., 0.], dtype=float32)
    """
    return Pad(tuple((int(before), int(after)) for before, after in widths))(as_tensor(x))


def _is_basic(index: Any) -> bool:
    """An index of slices and integers meets each element at most once."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts)
