"""2-D convolution and its two gradients: the definitions in NumPy, and the choice among the compiled kernels.

The three functions are the partials of one trilinear form, sum of y[n,oh,ow,o] x[n,ih,iw,c] weight[o,kh,kw,c] with
ih = oh·sh + kh − ph and iw = ow·sw + kw − pw. Arguments are assumed valid: `minidl.ops` refuses what is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .backend import compiled, settings, use  # noqa: F401 - `use` for the examples

Array = NDArray[Any]
Pair = tuple[int, int]


# --- The definitions ---------------------------------------------------------------------------------------------------


def output_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return the number of positions at which a kernel fits into a padded row of `size` pixels."""
    return (size + 2 * padding - kernel) // stride + 1


def windows(x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """Return the view of padded `x` under the kernel at each output pixel, (N, OH, OW, C, KH, KW)."""
    padded = np.pad(x, ((0, 0), (padding[0], padding[0]), (padding[1], padding[1]), (0, 0)))
    return sliding_window_view(padded, kernel, axis=(1, 2))[:, :: stride[0], :: stride[1]]


def forward_twin(x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, groups: int) -> Array:
    """Definition of `forward`: y[n,oh,ow,o] = bias[o] + Σ_{kh,kw,c} x[n,ih,iw,c] weight[o,kh,kw,c]."""
    filters, kh, kw, depth = weight.shape
    view = windows(x, (kh, kw), stride, padding)  # (N, OH, OW, C, KH, KW)
    n, oh, ow = view.shape[:3]
    columns = view.reshape(n * oh * ow, groups, depth, kh, kw)
    kernels = weight.reshape(groups, filters // groups, kh, kw, depth)
    y = np.einsum("pgchw,gohwc->pgo", columns, kernels, optimize=True).reshape(n, oh, ow, filters)
    return np.ascontiguousarray(y if bias is None else y + bias)


def grad_input_twin(
    grad_y: Array, weight: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int
) -> Array:
    """Definition of `grad_input`: every output pixel sends grad_y[o]·weight[o,kh,kw,c] back to the pixel it read."""
    (n, height, width, channels), (ph, pw), (sh, sw) = x_shape, padding, stride
    filters, kh, kw, depth = weight.shape
    oh, ow = grad_y.shape[1:3]
    by_group = grad_y.reshape(n * oh * ow, groups, filters // groups)
    kernels = weight.reshape(groups, filters // groups, kh, kw, depth)
    sent = np.einsum("pgo,gohwc->phwgc", by_group, kernels, optimize=True).reshape(n, oh, ow, kh, kw, channels)
    padded = np.zeros((n, height + 2 * ph, width + 2 * pw, channels), sent.dtype)
    for i in range(kh):
        for j in range(kw):
            padded[:, i : i + sh * oh : sh, j : j + sw * ow : sw] += sent[:, :, :, i, j]
    return np.ascontiguousarray(padded[:, ph : ph + height, pw : pw + width])


def grad_weight_twin(
    x: Array, grad_y: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int
) -> Array:
    """Definition of `grad_weight`: grad_weight[o,kh,kw,c] = Σ_{n,oh,ow} grad_y[n,oh,ow,o] x[n,ih,iw,c]."""
    filters, kh, kw, depth = weight_shape
    view = windows(x, (kh, kw), stride, padding)  # (N, OH, OW, C, KH, KW)
    n, oh, ow = view.shape[:3]
    columns = view.reshape(n * oh * ow, groups, depth, kh, kw)
    by_group = grad_y.reshape(n * oh * ow, groups, filters // groups)
    grad = np.einsum("pgo,pgchw->gohwc", by_group, columns, optimize=True)  # (G, O/G, KH, KW, C/G)
    return np.ascontiguousarray(grad.reshape(weight_shape))


# --- What the rest of the house calls ------------------------------------------------------------------------------------


def forward(x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, groups: int) -> Array:
    """Convolve.

    Parameters
    ----------
    x : (N, H, W, C)
    weight : (O, KH, KW, C/groups)
    bias : (O,) or None
    stride, padding : (rows, columns)

    Returns
    -------
    y : (N, OH, OW, O)

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> forward(x, np.ones((1, 2, 2, 1)), None, (1, 1), (0, 0), 1)[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    if not _compiled(x, weight):
        return forward_twin(x, weight, bias, stride, padding, groups)
    from . import direct, winograd

    (n, height, width, _), (filters, kh, kw, _) = x.shape, weight.shape
    oh, ow = output_size(height, kh, stride[0], padding[0]), output_size(width, kw, stride[1], padding[1])
    y = np.empty((n, oh, ow, filters), np.float32)
    x, weight, bias = _contiguous(x, weight, bias)
    if choose((n, oh, ow), weight.shape, stride, groups) == "winograd":
        winograd.forward(x, weight, bias, padding, y)
    else:
        direct.forward(x, weight, bias, stride, padding, groups, y)
    return y


def grad_input(
    grad_y: Array, weight: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int
) -> Array:
    """Return the gradient for x, of shape `x_shape`: the convolution's transpose applied to `grad_y` (N, OH, OW, O)."""
    if not _compiled(grad_y, weight):
        return grad_input_twin(grad_y, weight, x_shape, stride, padding, groups)
    from . import direct, winograd

    grad_x = np.empty(x_shape, np.float32)
    grad_y, weight = _contiguous(grad_y, weight)
    if choose(x_shape[:3], weight.shape[3:] + weight.shape[1:3] + weight.shape[:1], stride, groups) == "winograd":
        winograd.grad_input(grad_y, weight, padding, grad_x)
    else:
        direct.grad_input(grad_y, weight, stride, padding, groups, grad_x)
    return grad_x


def grad_weight(
    x: Array, grad_y: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int
) -> Array:
    """Return the gradient for the weight, of shape `weight_shape`, from x (N, H, W, C) and grad_y (N, OH, OW, O)."""
    if not _compiled(x, grad_y):
        return grad_weight_twin(x, grad_y, weight_shape, stride, padding, groups)
    from . import direct_weight, winograd_weight

    grad = np.empty(weight_shape, np.float32)
    x, grad_y = _contiguous(x, grad_y)
    if choose(grad_y.shape[:3], weight_shape, stride, groups) == "winograd":
        winograd_weight.grad_weight(x, grad_y, padding, grad)
    else:
        direct_weight.grad_weight(x, grad_y, stride, padding, groups, grad)
    return grad


# --- The choice ------------------------------------------------------------------------------------------------------------


def choose(y_size: tuple[int, ...], weight_shape: tuple[int, ...], stride: Pair, groups: int) -> str:
    """Return ``"direct"`` or ``"winograd"`` for an output (N, OH, OW): whichever costs fewer vector operations.

    The gradients are chosen for by the same rule, the input's with the weight's first and last axis exchanged.
    """
    if settings.conv == "exact" or (*weight_shape[1:3], *stride, groups) != (3, 3, 1, 1, 1):
        return "direct"
    direct, winograd = costs(y_size, weight_shape)
    return "winograd" if winograd < direct else "direct"


def costs(y_size: tuple[int, ...], weight_shape: tuple[int, ...]) -> tuple[float, float]:
    """Estimate the vector operations of a 3×3 convolution of stride 1: (direct, Winograd)."""
    (n, oh, ow), (filters, _, _, depth) = y_size, weight_shape
    in_blocks, out_blocks = -(-depth // 16), -(-filters // 16)
    direct = n * oh * (-(-ow // 8) * 8) * 9 * depth * out_blocks
    patches = n * -(-oh // 4) * -(-ow // 4)
    transforms = patches * 200 * (in_blocks + out_blocks) + 100 * depth * out_blocks
    return direct, patches * 36 * depth * out_blocks + transforms


def explain(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int = 1
) -> str:
    """Say in one sentence which kernel computes `forward` of 32-bit floats, and why.

    Examples
    --------
    >>> with use(backend="numpy"):
    ...     explain((128, 32, 32, 64), (64, 3, 3, 64), (1, 1), (1, 1))
    'NumPy twin: the backend is numpy.'
    """
    if not compiled():
        return "NumPy twin: the backend is numpy."
    size = [output_size(x_shape[1 + i], weight_shape[1 + i], stride[i], padding[i]) for i in (0, 1)]
    if settings.conv == "exact":
        return "Direct: conv='exact' is set."
    if (*weight_shape[1:3], *stride, groups) != (3, 3, 1, 1, 1):
        return "Direct: Winograd needs a 3×3 kernel of stride 1 without groups."
    direct, winograd = costs((x_shape[0], *size), weight_shape)
    if winograd < direct:
        return f"Winograd F(4×4, 3×3): about {direct / winograd:.1f} times fewer operations than the direct kernel."
    return f"Direct: Winograd would need about {winograd / direct:.1f} times as many operations here."


def _compiled(*arrays: Array) -> bool:
    """Whether a compiled kernel takes these arrays: all of 32-bit floats."""
    return compiled() and all(array.dtype == np.float32 for array in arrays)


def _contiguous(*arrays: Any) -> list[Any]:
    return [None if array is None else np.ascontiguousarray(array) for array in arrays]
