"""Pooling: the maximum or the mean of each window of an image.

Max pooling chooses one element of each window.  Choosing is linear once the choice is made: `Gather` reads the chosen
elements, `Spread` writes back to them, and each is the other's adjoint.  So it is with `AvgPool2d` and its gradient.
"""

from __future__ import annotations

from minidl.autograd.function import Function
from minidl.kernels import pool as kernel
from minidl.kernels.choice import output_size
from minidl.ops.conv import Pair, pair
from minidl.tensor import Tensor, as_tensor
from minidl.types import Array, Shape


class MaxPool2d(Function):  # y = max over the window;  grad_x = grad_y at the (first) maximum
    keeps_inputs = False
    floats_only = True

    def __init__(self, kernel_size: Pair, stride: Pair, padding: Pair) -> None:
        self.how = kernel_size, stride, padding

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        y, self.chosen = kernel.max_pool(x, *self.how)
        return y

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (Spread(self.chosen, self.x_shape, *self.how)(grad_y),)


class Spread(Function):  # (N, OH, OW, C) -> (N, H, W, C), zero except at the chosen elements
    keeps_inputs = False

    def __init__(self, chosen: Array, x_shape: Shape, kernel_size: Pair, stride: Pair, padding: Pair) -> None:
        self.chosen, self.x_shape, self.how = chosen, x_shape, (kernel_size, stride, padding)

    def forward(self, y: Array) -> Array:
        return kernel.spread(y, self.chosen, self.x_shape, *self.how)

    def backward(self, grad_x: Tensor) -> tuple[Tensor | None, ...]:
        return (Gather(self.chosen, *self.how)(grad_x),)


class Gather(Function):  # (N, H, W, C) -> (N, OH, OW, C), the chosen elements
    keeps_inputs = False

    def __init__(self, chosen: Array, kernel_size: Pair, stride: Pair, padding: Pair) -> None:
        self.chosen, self.how = chosen, (kernel_size, stride, padding)

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return kernel.gather(x, self.chosen, *self.how)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (Spread(self.chosen, self.x_shape, *self.how)(grad_y),)


class AvgPool2d(Function):  # y = mean over the window, padding counted as zeros
    keeps_inputs = False
    floats_only = True

    def __init__(self, kernel_size: Pair, stride: Pair, padding: Pair) -> None:
        self.how = kernel_size, stride, padding

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return kernel.avg_pool(x, *self.how)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (AvgPool2dGrad(self.x_shape, *self.how)(grad_y),)


class AvgPool2dGrad(Function):  # the adjoint of AvgPool2d: each window's gradient, shared equally
    keeps_inputs = False

    def __init__(self, x_shape: Shape, kernel_size: Pair, stride: Pair, padding: Pair) -> None:
        self.x_shape, self.how = x_shape, (kernel_size, stride, padding)

    def forward(self, grad_y: Array) -> Array:
        return kernel.avg_pool_grad(grad_y, self.x_shape, *self.how)

    def backward(self, grad_x: Tensor) -> tuple[Tensor | None, ...]:
        return (AvgPool2d(*self.how)(grad_x),)


class GlobalAvgPool2d(Function):  # (N, H, W, C) -> (N, C), the mean of each channel over the image
    keeps_inputs = False
    floats_only = True

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return kernel.global_avg_pool(x)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (GlobalAvgPool2dGrad(self.x_shape)(grad_y),)


class GlobalAvgPool2dGrad(Function):  # the adjoint of GlobalAvgPool2d: the gradient, shared equally by all pixels
    keeps_inputs = False

    def __init__(self, x_shape: Shape) -> None:
        self.x_shape = x_shape

    def forward(self, grad_y: Array) -> Array:
        return kernel.global_avg_pool_grad(grad_y, self.x_shape)

    def backward(self, grad_x: Tensor) -> tuple[Tensor | None, ...]:
        return (GlobalAvgPool2d()(grad_x),)


def max_pool2d(x: Tensor, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0) -> Tensor:
    """Largest element of each window; padding never wins.  Of equal elements the first gets the gradient.

    Parameters
    ----------
    x : (N, H, W, C)
    kernel_size, stride, padding : int or (vertical, horizontal) pair; stride defaults to kernel_size

    Returns
    -------
    (N, OH, OW, C)

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d(np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1), 2).numpy()[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """
    x = as_tensor(x)
    return MaxPool2d(*_checked("max_pool2d", x.shape, kernel_size, stride, padding))(x)


def avg_pool2d(x: Tensor, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0) -> Tensor:
    """Mean of each window, padding counted as zeros; arguments as in `max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.ones((1, 2, 2, 1), np.float32), 2, padding=1).numpy()[0, :, :, 0]  # a pixel and three zeros
    array([[0.25, 0.25],
           [0.25, 0.25]], dtype=float32)
    """
    x = as_tensor(x)
    return AvgPool2d(*_checked("avg_pool2d", x.shape, kernel_size, stride, padding))(x)


def global_avg_pool2d(x: Tensor) -> Tensor:
    """Mean of each channel over the whole image: (N, H, W, C) to (N, C)  (Lin, Chen and Yan 2014, 3.2).

    Examples
    --------
    >>> import numpy as np
    >>> global_avg_pool2d(np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)).numpy()
    array([[1.5]], dtype=float32)
    """
    x = as_tensor(x)
    _check_images("global_avg_pool2d", x.shape)
    return GlobalAvgPool2d()(x)


def _checked(
    name: str, x: Shape, kernel_size: int | Pair, stride: int | Pair | None, padding: int | Pair
) -> tuple[Pair, Pair, Pair]:
    size, step, border = pair(kernel_size), pair(kernel_size if stride is None else stride), pair(padding)
    _check_images(name, x)
    if min(*size, *step) < 1 or any(not 0 <= b <= k // 2 for b, k in zip(border, size, strict=True)):
        raise ValueError(
            f"{name} got kernel_size {size}, stride {step}, padding {border}, expected sizes and strides >= 1 and "
            "padding at most half of kernel_size"
        )
    if any(output_size(x[1 + i], size[i], step[i], border[i]) < 1 for i in (0, 1)):
        raise ValueError(f"{name} got a {size} window on a {x[1]}x{x[2]} image, expected it to fit: pool less, or pad")
    return size, step, border


def _check_images(name: str, x: Shape) -> None:
    if len(x) != 4:
        raise ValueError(f"{name} got x of shape {x}, expected (N, H, W, C): add a batch axis with x[None]")
