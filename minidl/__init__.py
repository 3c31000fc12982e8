"""minidl: deep learning small enough to read and fast enough to use, on ordinary and low-power CPUs.

The engine is `tensor`, `autograd` and `ops`; networks are `nn`; `training` trains them.  What the engine does not need
is loaded when first used, so that `import minidl` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import minidl.tensor  # noqa: F401 - first: its operators close the circle tensor -> ops -> autograd -> tensor
from minidl.autograd import grad, gradcheck, hvp, no_grad
from minidl.kernels.backend import use
from minidl.kernels.parallel import get_num_threads, set_num_threads
from minidl.rng import manual_seed
from minidl.tensor import Tensor

if TYPE_CHECKING:
    from minidl import data, export, graph, kernels, nn, ops, optim, runtime, training
    from minidl.checkpoint import load, save

__version__ = "0.1.0"

__all__ = [
    "Tensor", "data", "export", "get_num_threads", "grad", "gradcheck", "graph", "hvp", "kernels", "load",
    "manual_seed", "nn", "no_grad", "ops", "optim", "runtime", "save", "set_num_threads", "training", "use",
]  # fmt: skip

_ROOMS = {"data", "export", "graph", "nn", "optim", "runtime", "training"}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"minidl.{name}")
    if name in ("save", "load"):
        return getattr(importlib.import_module("minidl.checkpoint"), name)
    raise AttributeError(f"module 'minidl' has no attribute {name!r}")
