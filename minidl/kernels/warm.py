"""One small call of every compiled kernel, with every kind of argument: running them fills the cache on disk.

A test holds the list to be complete: after it, no network of `minidl.nn.models` compiles anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import activation, conv, norm, optimizer, pool, random, rounding
from .parallel import num_threads

Array = NDArray[Any]

CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], int, int]] = {  # x, weight, stride, groups
    "direct": ((2, 16, 16, 3), (16, 5, 5, 3), 1, 1),
    "images": ((16, 4, 4, 16), (16, 3, 3, 16), 2, 1),
    "winograd": ((8, 16, 16, 64), (64, 3, 3, 64), 1, 1),
    "winograd of few patches": ((8, 8, 8, 64), (64, 3, 3, 64), 1, 1),  # its weight gradient has loops of its own
    "depthwise": ((2, 8, 8, 16), (16, 3, 3, 1), 1, 16),
    "pointwise": ((2, 8, 8, 16), (16, 1, 1, 16), 1, 1),
}  # each a convolution for which `choose` takes the kernel of the first word


def calls() -> dict[str, Callable[[], None]]:
    """Return the calls by what they compile; each takes a few seconds the first time, and next to nothing later."""
    found: dict[str, Callable[[], None]] = {}
    for name in CONVOLUTIONS:
        found[f"convolution, {name}"] = partial(_convolve, name)
    found |= {"convolution, few pixels": _convolve_few, "convolution, lanewise": _convolve_lanewise}
    found |= {"rows of loops": _run_rows}
    found |= {"batch norm": _normalize, "activations": _activate, "pooling": _pool}
    found |= {"optimizers": _optimize, "random numbers": _draw, "rounding": _round}
    return found


def _convolve(name: str) -> None:
    x_shape, weight_shape, stride, groups = CONVOLUTIONS[name]
    x, weight = _floats(*x_shape), _floats(*weight_shape)
    how = (stride, stride), (weight_shape[1] // 2, weight_shape[2] // 2), groups
    y = conv.forward(x, weight, None, *how)
    conv.forward(x, weight, _floats(weight_shape[0]), *how)
    conv.grad_input(y, weight, x.shape, *how)
    conv.grad_weight(x, y, weight.shape, *how)


def _convolve_few() -> None:
    from .prepared import PreparedConv

    x, weight, y = _floats(1, 1, 1, 16), _floats(16, 1, 1, 16), _floats(1, 1, 1, 16)
    for call in PreparedConv(weight, None, (1, 1), (0, 0), 1).bind(x, y):
        call()


def _convolve_lanewise() -> None:
    from . import lanewise_small, lanewise_sum
    from .lanewise import IMAGES, place
    from .lanewise_copy import averaging, turning
    from .prepared import PreparedConv

    for sums in (lanewise_sum, lanewise_small):
        for rows in range(1, sums.MOST + 1):
            sums.summing(rows)

    for size, kernel, stride, blocks in ((4, 1, 1, False), (4, 3, 1, False), (4, 3, 2, False), (2, 3, 1, True)):
        x, y = (place(_floats(IMAGES * n * n), (n, n, 1), blocks) for n in (size, size // stride))
        conv = PreparedConv(_floats(1, kernel, kernel, 1), None, (stride, stride), (kernel // 2, kernel // 2), 1)
        for call in conv.bind(x, y, y, blocks=blocks):
            call()
    for call in (
        *turning(_floats(IMAGES, 4, 4, 1), place(_floats(IMAGES * 16), (4, 4, 1))),
        *averaging(y, _floats(1, 1)),
    ):
        call()


def _run_rows() -> None:
    lockstep: Any = import_module("minidl.kernels.lockstep")
    padding: Any = import_module("minidl.kernels.padding")
    x, told, desk = _floats(2, 4, 4, 2), np.ones(1, np.int64), np.zeros(32, np.int64)
    for threads in (1, 2):
        with num_threads(threads):
            lockstep.Row([padding.padding(x[:, ::2, ::2], np.empty_like(x), (0, 0, 0, 0))])()
    lockstep.wait(told, 1)
    lockstep.watch(desk, told, told, 1)


def _normalize() -> None:
    x, weight, bias = _floats(4, 4, 4, 8), _floats(8), _floats(8)
    y, mean, var = norm.batch_norm(x, weight, bias, 1e-5)
    norm.batch_norm(x, weight, bias, 1e-5, residual=x, relu=True)
    norm.batch_norm_backward(y, x, weight, mean, var, 1e-5)
    norm.batch_norm_backward(y, x, weight, mean, var, 1e-5, bias)


def _activate() -> None:
    x = _floats(2 * activation.SMALL)
    activation.add(x, activation.gate(x, activation.relu(x)))


def _pool() -> None:
    x = _floats(2, 8, 8, 8)
    for size, stride, padding in (((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1))):
        y, chosen = pool.max_pool(x, size, stride, padding)
        pool.gather(pool.spread(y, chosen, x.shape, size, stride, padding), chosen, size, stride, padding)
        pool.avg_pool_grad(pool.avg_pool(x, size, stride, padding), x.shape, size, stride, padding)
    pool.global_avg_pool_grad(pool.global_avg_pool(x), x.shape)


def _optimize() -> None:
    p, grad, first, second = (_floats(16) for _ in range(4))
    optimizer.sgd(p, grad, None, lr=0.1)
    optimizer.sgd(p, grad, first, lr=0.1, momentum=0.9)
    optimizer.adam(p, grad, first, second, step=1, lr=0.1)


def _draw() -> None:
    key = random.stream_key(0, "warm", 0)
    for fill in (random.random_uint32, random.random_uint16, random.uniform):
        fill(16, key)


def _round() -> None:
    key, x, codes = random.stream_key(0, "warm", 0), _floats(16), np.zeros(16, np.int8)
    rounding.encode_nearest(x, codes, 1.0, -1, 1)
    rounding.encode_stochastic(x, codes, 1.0, 0.0, -1, 1, key)
    rounding.update_codes(codes, x, 0.1, -1, 1, key)
    rounding.update_bits(np.zeros(2, np.uint8), x, 0.1, key)
    rounding.shift_stochastic(np.zeros(16, np.int32), 1, key)


def _floats(*shape: int) -> Array:
    return np.ones(shape, np.float32)
