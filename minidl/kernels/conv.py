"""2-D convolution and its two gradients: the definitions in NumPy, and the call of the compiled kernel in their place.

The three functions are the partials of one trilinear form, sum of y[n,oh,ow,o] x[n,ih,iw,c] weight[o,kh,kw,c] with
ih = oh·sh + kh − ph and iw = ow·sw + kw − pw. Arguments are assumed valid: `minidl.ops` refuses what is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .backend import compiled
from .choice import choose, output_size, transposed

Array = NDArray[Any]
Pair = tuple[int, int]


# --- The definitions --------------------------------------------------------------------------------------------------


def columns(x: Array, kernel: Pair, stride: Pair, padding: Pair, groups: int) -> Array:
    """Return what the kernel sees at each output pixel, (G, N·OH·OW, KH·KW·C/G): the classic im2col."""
    padded = np.pad(x, ((0, 0), (padding[0], padding[0]), (padding[1], padding[1]), (0, 0)))
    view = sliding_window_view(padded, kernel, axis=(1, 2))[:, :: stride[0], :: stride[1]]  # (N, OH, OW, C, KH, KW)
    n, oh, ow, channels = view.shape[:4]
    seen = view.transpose(0, 1, 2, 4, 5, 3).reshape(n * oh * ow, kernel[0] * kernel[1], groups, channels // groups)
    return seen.transpose(2, 0, 1, 3).reshape(groups, n * oh * ow, kernel[0] * kernel[1] * (channels // groups))


def by_group(array: Array, groups: int) -> Array:
    """Split the channels of an image or gradient: (N, OH, OW, O) → (G, N·OH·OW, O/G)."""
    n, oh, ow, filters = array.shape
    return array.reshape(n * oh * ow, groups, filters // groups).transpose(1, 0, 2)


def forward_twin(x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, groups: int) -> Array:
    """Definition of `forward`: y[n,oh,ow,o] = bias[o] + Σ_{kh,kw,c} x[n,ih,iw,c] weight[o,kh,kw,c]."""
    filters, kh, kw, depth = weight.shape
    oh, ow = (output_size(x.shape[1 + i], (kh, kw)[i], stride[i], padding[i]) for i in (0, 1))
    kernels = weight.reshape(groups, filters // groups, kh * kw * depth)
    y = columns(x, (kh, kw), stride, padding, groups) @ kernels.transpose(0, 2, 1)  # (G, N·OH·OW, O/G)
    y = y.transpose(1, 0, 2).reshape(x.shape[0], oh, ow, filters)
    return np.ascontiguousarray(y if bias is None else y + bias)


def grad_input_twin(
    grad_y: Array, weight: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int
) -> Array:
    """Definition of `grad_input`: every output pixel sends grad_y[o]·weight[o,kh,kw,c] back to the pixel it read."""
    (n, height, width, channels), (ph, pw), (sh, sw) = x_shape, padding, stride
    filters, kh, kw, depth = weight.shape
    oh, ow = grad_y.shape[1:3]
    kernels = weight.reshape(groups, filters // groups, kh * kw * depth)
    sent = by_group(grad_y, groups) @ kernels  # (G, N·OH·OW, KH·KW·C/G)
    sent = sent.reshape(groups, n, oh, ow, kh, kw, depth).transpose(1, 2, 3, 4, 5, 0, 6)
    padded = np.zeros((n, height + 2 * ph, width + 2 * pw, channels), sent.dtype)
    for i in range(kh):
        for j in range(kw):
            padded[:, i : i + sh * oh : sh, j : j + sw * ow : sw] += sent[:, :, :, i, j].reshape(n, oh, ow, channels)
    return np.ascontiguousarray(padded[:, ph : ph + height, pw : pw + width])


def grad_weight_twin(
    x: Array, grad_y: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int
) -> Array:
    """Definition of `grad_weight`: grad_weight[o,kh,kw,c] = Σ_{n,oh,ow} grad_y[n,oh,ow,o] x[n,ih,iw,c]."""
    seen = columns(x, (weight_shape[1], weight_shape[2]), stride, padding, groups)
    return (by_group(grad_y, groups).transpose(0, 2, 1) @ seen).reshape(weight_shape)  # (G, O/G, KH·KW·C/G)


# --- What the rest of the house calls ---------------------------------------------------------------------------------


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
    from . import engines
    from .finish import finish

    kernel, filters = (weight.shape[1], weight.shape[2]), weight.shape[0]
    oh, ow = (output_size(x.shape[1 + i], kernel[i], stride[i], padding[i]) for i in (0, 1))
    y = np.empty((x.shape[0], oh, ow, filters), np.float32)
    engine = engines.FORWARD[choose(x.shape, weight.shape, stride, padding, groups)]
    prepared = engine.prepare(_plain(weight), groups)
    bias = np.zeros(filters, np.float32) if bias is None else _plain(bias)
    for call in engine.bind(_plain(x), prepared, bias, kernel, stride, padding, groups, y, finish()):
        call()
    return y


def grad_input(
    grad_y: Array, weight: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int
) -> Array:
    """Return the gradient for x, of shape `x_shape`: the convolution's transpose applied to `grad_y` (N, OH, OW, O)."""
    if not _compiled(grad_y, weight):
        return grad_input_twin(grad_y, weight, x_shape, stride, padding, groups)
    from . import engines

    grad_x = np.empty(x_shape, np.float32)
    engine = choose(*transposed(x_shape, weight.shape, stride, padding, groups))
    engines.GRAD_INPUT[engine](_plain(grad_y), _plain(weight), stride, padding, groups, grad_x)
    return grad_x


def grad_weight(
    x: Array, grad_y: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int
) -> Array:
    """Return the gradient for the weight, of shape `weight_shape`, from x (N, H, W, C) and grad_y (N, OH, OW, O)."""
    if not _compiled(x, grad_y):
        return grad_weight_twin(x, grad_y, weight_shape, stride, padding, groups)
    if x.shape[0] == 0:
        return np.zeros(weight_shape, np.float32)
    from . import engines

    grad = np.empty(weight_shape, np.float32)
    engine = choose(x.shape, weight_shape, stride, padding, groups)
    engines.GRAD_WEIGHT[engine](_plain(x), _plain(grad_y), stride, padding, groups, grad)
    return grad


def _compiled(*arrays: Array) -> bool:
    """Whether a compiled kernel takes these arrays: all of 32-bit floats."""
    return compiled() and all(array.dtype == np.float32 for array in arrays)


def _plain(array: Array) -> Array:
    """Return the array as the kernels are compiled for: contiguous, aligned, writeable (else a copy)."""
    return array if array.flags.carray else np.require(array, np.float32, ["C", "A", "W"])
