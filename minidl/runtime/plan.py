"""`compile`: a network as a list of kernel calls on arrays, for inference without the engine around it.

The plan is the traced graph with batch norm, addition and ReLU fused, run in order; an array is let go after its last
reader, so that few are alive at a time.  It holds the network's own parameters and gives the bits of its evaluation.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minidl.graph import Graph, Node, fuse, trace
from minidl.graph.run import compute
from minidl.kernels.parallel import get_num_threads, set_num_threads
from minidl.types import Array, Shape

if TYPE_CHECKING:
    from minidl.nn.module import Module


@dataclass(frozen=True)
class Step:
    """One kernel call: `node` reads the values of `inputs`; those in `last_read` are not needed after it."""

    node: Node
    inputs: tuple[int, ...]
    last_read: tuple[int, ...]


class Plan:
    """A compiled network; call it on a batch.

    Attributes
    ----------
    graph : the fused graph that it runs
    threads : how many threads it uses, or None for the setting at the time of the call
    """

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        self.graph, self.threads = graph, threads
        last_reader = {i: node.index for node in graph for i in node.inputs}
        self.steps = [
            Step(node, node.inputs, tuple(i for i in set(node.inputs) if last_reader[i] == node.index))
            for node in graph
            if node.batched and node.op != "input"
        ]

    def __call__(self, x: Array) -> Array:
        """The network's output for a batch x (N, *input shape); x is not changed."""
        with _threads(self.threads):
            ((_, y),) = deque(self._run(x), maxlen=1)  # the last value; the others go on the way
        return y

    def profile(self, x: Array) -> list[tuple[str, float]]:
        """Seconds of every step on a batch: (operation and layer, time)."""
        rows = []
        with _threads(self.threads):
            start = time.perf_counter()
            for step, _ in self._run(x):
                now = time.perf_counter()
                rows.append((f"{step.node.op} {step.node.name}".strip(), now - start))
                start = now
        return rows

    def _run(self, x: Array) -> Iterator[tuple[Step, Array]]:
        if x.shape[1:] != self.graph.input.shape:
            raise ValueError(
                f"the plan got x of shape {x.shape}, expected (N, {', '.join(map(str, self.graph.input.shape))}): "
                "compile the network for this input shape"
            )
        values = {node.index: node.value for node in self.graph if node.value is not None}
        values[self.graph.input.index] = x
        for step in self.steps:
            y = compute(step.node, [values[i] for i in step.inputs])
            for i in step.last_read:
                del values[i]
            values[step.node.index] = y
            yield step, y

    def __str__(self) -> str:
        return str(self.graph)


def compile(model_or_graph: Module | Graph, input_shape: Shape | None = None, threads: int | None = None) -> Plan:
    """Make a network ready for fast inference.

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
    """
    if isinstance(model_or_graph, Graph):
        return Plan(fuse(model_or_graph), threads)
    if input_shape is None:
        raise ValueError("compile got a network and no input_shape, expected (H, W, C) of one image")
    return Plan(fuse(trace(model_or_graph, input_shape)), threads)


class _threads:  # noqa: N801 - used like a function
    """So many threads for a block; None leaves them."""

    def __init__(self, count: int | None) -> None:
        self.count = count

    def __enter__(self) -> None:
        self.former = get_num_threads()
        if self.count is not None:
            set_num_threads(self.count)

    def __exit__(self, *_: object) -> None:
        set_num_threads(self.former)
