"""How far every convolution kernel is from float64, beside PyTorch on the same arrays; prints JSON.

The error of a result is its largest deviation from the NumPy definition in float64, as a share of the largest value.
"""

from __future__ import annotations

import json

import numpy as np
import torch
from rows import LAYERS, PARTS

import minidl
from minidl.kernels import choice, conv

BATCH = 16
CASES = {  # layer, the setting of `minidl.use(conv=...)`: between them they use every kernel
    "64→64 @ 32×32": ("exact", "fast"),
    "128→128 @ 16×16": ("exact", "fast"),
    "512→512 @ 4×4": ("exact", "fast"),
    "27→27 @ 28×28": ("exact", "fast"),
    "16→32 @ 32×32, stride 2": ("exact",),
    "64→128 @ 16×16, 1×1": ("exact",),
    "64 @ 32×32, depthwise": ("exact",),
}


def main() -> None:
    print(json.dumps([row for layer, kinds in CASES.items() for row in compared(layer, kinds)], ensure_ascii=False))


def compared(layer: str, kinds: tuple[str, ...]) -> list[dict]:
    inputs, filters, size, kernel, stride, groups = LAYERS[layer]
    rng = np.random.default_rng(0)
    x = np.maximum(rng.standard_normal((BATCH, size, size, inputs)), 0)  # as a ReLU leaves it
    weight = (
        rng.standard_normal((filters, kernel, kernel, inputs // groups)) * (2 / (kernel**2 * inputs / groups)) ** 0.5
    )
    grad_y = rng.standard_normal((BATCH, size // stride, size // stride, filters))
    how = ((stride, stride), (kernel // 2, kernel // 2), groups)
    arrays = [a.astype(np.float32) for a in (x, weight, grad_y)]
    truth = ours(*(a.astype(np.float64) for a in arrays), how)
    peer = theirs(*arrays, how)
    rows = []
    for kind in kinds:
        with minidl.use(conv=kind):
            found = ours(*arrays, how)
            names = chosen(x.shape, weight.shape, how)
        for part, name, result, torchs, exact in zip(PARTS, names, found, peer, truth, strict=True):
            rows.append(
                {"layer": layer, "part": part, "kernel": name, "minidl": error(result, exact),
                 "PyTorch": error(torchs, exact)}
            )  # fmt: skip
    return rows


def ours(x, weight, grad_y, how):
    return (
        conv.forward(x, weight, None, *how),
        conv.grad_input(grad_y, weight, x.shape, *how),
        conv.grad_weight(x, grad_y, weight.shape, *how),
    )


def chosen(x_shape, weight_shape, how):
    """Names of the kernels of the three parts."""
    forward = choice.choose(x_shape, weight_shape, *how)
    return forward, choice.choose(*choice.transposed(x_shape, weight_shape, *how)), forward


def theirs(x, weight, grad_y, how):
    """The same three in PyTorch, as NHWC and OHWI arrays."""
    stride, padding, groups = how
    x, weight, grad_y = (torch.from_numpy(np.ascontiguousarray(a)).permute(0, 3, 1, 2) for a in (x, weight, grad_y))
    y = torch.nn.functional.conv2d(x, weight, None, stride, padding, 1, groups)
    tail = (None, stride, padding, [1, 1], False, [0, 0], groups, [True, True, False])
    grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(grad_y, x, weight, *tail)
    return tuple(a.permute(0, 2, 3, 1).numpy() for a in (y, grad_x, grad_weight))


def error(result, exact) -> float:
    return float(np.abs(result - exact).max() / np.abs(exact).max())


if __name__ == "__main__":
    main()
