"""What minidl does in the benchmark; `calls_torch.py` and `calls_onnx.py` do the same, reading the same descriptions.

A description (a dict) says what: `work`, the sizes, `threads`, for a network also the `widths` it was pruned to.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

import numpy as np
from threadpoolctl import ThreadpoolController

import minidl
from minidl.commands import bench
from minidl.kernels import conv, norm
from minidl.kernels.parallel import get_num_threads, parallel_for

Call = Callable[[], object]


def facts() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("minidl", "numpy", "numba", "llvmlite")}


def set_threads(threads: int) -> None:
    minidl.set_num_threads(threads)


def forget() -> None:
    """Nothing is kept beside the calls."""


def prepare(spec: dict) -> Call:
    return WORKS[spec["work"]](spec)


def training_step(spec: dict) -> Call:
    return bench.training_step(network(spec), spec["shape"], spec["batch"])


def inference(spec: dict) -> Call:
    return bench.inference(network(spec), spec["shape"], spec["batch"])


def network(spec: dict) -> minidl.nn.Module:
    shape = tuple(spec["shape"])
    model = minidl.nn.models.build(spec["network"], input_shape=shape, rng=0)
    if spec["preset"] is None:
        return model
    from algorithms.pruning import PRESETS  # not part of what a training process has to import

    return PRESETS[spec["preset"]].plan(model, shape).apply(model)


# --- Single operations ------------------------------------------------------------------------------------------------


def convolution(spec: dict) -> Call:
    stride, padding = (spec["stride"],) * 2, (spec["kernel"] // 2,) * 2
    x = floats(spec["batch"], spec["size"], spec["size"], spec["inputs"])
    weight = floats(spec["filters"], spec["kernel"], spec["kernel"], spec["inputs"] // spec["groups"])
    how = (stride, padding, spec["groups"])
    grad_y = conv.forward(x, weight, None, *how)
    return {
        "forward": lambda: conv.forward(x, weight, None, *how),
        "input gradient": lambda: conv.grad_input(grad_y, weight, x.shape, *how),
        "weight gradient": lambda: conv.grad_weight(x, grad_y, weight.shape, *how),
    }[spec["part"]]


def batch_norm(spec: dict) -> Call:
    x, grad_y = (floats(spec["batch"], spec["size"], spec["size"], spec["inputs"]) for _ in range(2))
    weight, bias = np.ones(spec["inputs"], np.float32), np.zeros(spec["inputs"], np.float32)
    _, mean, var = norm.batch_norm(x, weight, bias, 1e-5)
    gate = bias if spec["relu"] else None
    return {
        "forward": lambda: norm.batch_norm(x, weight, bias, 1e-5, relu=spec["relu"]),
        "backward": lambda: norm.batch_norm_backward(grad_y, x, weight, mean, var, 1e-5, gate),
    }[spec["part"]]


def sgemm(spec: dict) -> Call:
    a, b = floats(spec["size"], spec["size"]), floats(spec["size"], spec["size"])
    out, blas = a @ b, ThreadpoolController()

    def product() -> None:
        with blas.limit(limits=get_num_threads(), user_api="blas"):
            np.matmul(a, b, out=out)

    return product


def copy(spec: dict) -> Call:
    source = floats(spec["size"])
    target = np.empty_like(source)
    return lambda: parallel_for(copy_range, len(source), -(-len(source) // 8), source, target)


def copy_range(start: int, stop: int, source: np.ndarray, target: np.ndarray) -> None:
    target[start:stop] = source[start:stop]


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


WORKS: dict[str, Callable[[dict], Call]] = {
    "training step": training_step, "inference": inference, "convolution": convolution, "batch norm": batch_norm,
    "sgemm": sgemm, "copy": copy,
}  # fmt: skip
