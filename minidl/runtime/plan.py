"""`compile`: a network as a list of kernel calls on arrays, for inference without the engine around it.

The plan is the traced graph with batch norm folded into the weights, and bias, addition and ReLU fused into the
convolutions' stores.  Weights are packed once, and for each batch size the calls are bound to their arrays once
(``program.py``), so that to run the network is to make the calls.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from minidl.graph import Graph, Node, fold_batch_norm, fuse, trace
from minidl.kernels.backend import backend, conv_kind, here
from minidl.kernels.lanewise import IMAGES
from minidl.kernels.parallel import get_num_threads, num_threads
from minidl.runtime import narrow
from minidl.runtime.arena import ALIGNMENT
from minidl.runtime.program import Calls, Program
from minidl.types import Array, Shape

if TYPE_CHECKING:
    from minidl.nn.module import Module

SIZES_KEPT = 4  # batch sizes whose bound calls are kept; an epoch of evaluation needs two


class Plan:
    """A compiled network; call it on a batch.

    Attributes
    ----------
    graph : the folded and fused graph that it runs
    threads : how many threads it uses, or None for the setting at the time of the call

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, runtime
    >>> plan = runtime.compile(nn.Sequential(nn.Flatten(), nn.Linear(4, 3, rng=0), nn.ReLU()), input_shape=(2, 2, 1))
    >>> [step for step, seconds in plan.profile(np.ones((5, 2, 2, 1), np.float32))]
    ['Linear layers.1', 'ReLU']
    """

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        self.graph, self.threads = graph, threads
        self.choices = backend(), conv_kind()
        self.program = Program(graph)
        self.takes = graph.input.shape, self.program.dtypes[graph.input.index]
        self.memory = np.empty(0, np.uint8)
        self.bound: dict[tuple[int, int], Calls] = {}
        self.lock = threading.Lock()

    def __call__(self, x: Array) -> Array:
        """The network's output for a batch x (N, *input shape), an array of the caller's own; x is not changed."""
        with self.lock, num_threads(self.threads or None):
            bound = self._bound(x)
            for call in bound.calls:
                call()
            return bound.y.copy()

    def profile(self, x: Array) -> list[tuple[str, float]]:
        """Seconds of every step on a batch, over all chunks: (operation and layer, time)."""
        seconds: dict[Node, float] = {}
        with self.lock, num_threads(self.threads or None):
            for node, calls in self._bound(x).steps:
                start = time.perf_counter()
                for call in calls:
                    call()
                seconds[node] = seconds.get(node, 0.0) + time.perf_counter() - start
        return [(f"{node.op} {node.name}".strip(), spent) for node, spent in seconds.items()]

    def peak_bytes(self, batch: int = 1) -> int:
        """Bytes of the memory that holds all values while the network runs; weights are not counted."""
        return self.program.places(batch, self.threads or get_num_threads())[1]

    def _bound(self, x: Array) -> Calls:
        """The calls for this batch size, with x in its place."""
        shape, dtype = self.takes
        if x.shape[1:] != shape or x.dtype != dtype:
            raise ValueError(
                f"the plan got x of shape {x.shape} and {x.dtype}, expected (N, {', '.join(map(str, shape))}) and "
                f"{dtype}: convert x, or compile the network for this input shape"
            )
        key = len(x), get_num_threads()
        if (bound := self.bound.get(key)) is None:
            size = self.program.places(*key)[1] + ALIGNMENT
            if self.memory.size < size:
                self.bound.clear()  # it is bound to the smaller memory
                self.memory = np.empty(size, np.uint8)
            if len(self.bound) == SIZES_KEPT:
                del self.bound[next(iter(self.bound))]
            with here(*self.choices):
                bound = self.bound[key] = self.program.bind(*key, self.memory)
        np.copyto(bound.x, x)
        return bound

    def __str__(self) -> str:
        return str(self.graph)


def compile(model_or_graph: Module | Graph, input_shape: Shape | None = None, threads: int | None = None) -> Plan:
    """Make a network ready for fast inference.

    The result is the network's in evaluation mode up to rounding, as batch norm is folded into weights before; under
    ``minidl.use(conv="exact")`` nothing is folded and the bits are the network's.  The plan is of the weights as they
    are: after further training compile the network again.

    Parameters
    ----------
    model_or_graph : a network, or a graph that was traced from one
    input_shape : (H, W, C) of one image; needed for a network
    threads : how many threads to use; by default the setting at the time of a call

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn
    >>> net = nn.models.resnet(8, rng=0)
    >>> plan = compile(net, input_shape=(32, 32, 3))
    >>> plan(np.zeros((2, 32, 32, 3), np.float32)).shape
    (2, 10)
    >>> [node.op for node in plan.graph if node.batched][:3]
    ['input', 'ConvAddReLU', 'ConvAddReLU']
    """
    if isinstance(model_or_graph, Graph):
        graph = model_or_graph
    elif input_shape is None:
        raise ValueError("compile got a network and no input_shape, expected (H, W, C) of one image")
    else:
        graph = trace(model_or_graph, input_shape)
    return Plan(_simplified(graph), threads)


def runs_lanewise(graph: Graph, batch: int) -> bool:
    """Whether the plan of a traced network computes 16 images of such a batch side by side, or 16 blocks of each."""
    simplified = _simplified(graph)
    if not narrow.suits(simplified):
        return False
    program = Program(simplified)
    return bool(program.lanewise if batch >= IMAGES else program.blocks)


def _simplified(graph: Graph) -> Graph:
    """Fold and fuse what a plan may: batch norm changes bits, so under "exact" it stays."""
    return fuse(graph if conv_kind() == "exact" else fold_batch_norm(graph))
