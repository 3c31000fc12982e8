"""`trace`: run a network once, and write down every operation it did.

Shapes come from the run itself, so there is no second set of shape rules; the run uses zeros and the NumPy kernels,
which need no compilation.  What a network decides in Python (loops, `if`) is unrolled as it went in evaluation mode.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import numpy as np

from minidl.autograd import Function, no_grad, recording
from minidl.graph.batch import BATCH, mixes_samples
from minidl.graph.graph import Graph, Node
from minidl.kernels.backend import here
from minidl.nn.module import Module
from minidl.tensor import Tensor
from minidl.types import Array, Shape


class TraceError(ValueError):
    """The network cannot be told as a graph of what happens to one sample."""


def trace(model: Module, input_shape: Shape) -> Graph:
    """Write down the graph of `model` in evaluation mode, for samples of `input_shape`.

    Parameters
    ----------
    model : its modes are as before afterwards
    input_shape : (H, W, C) of an image or (C,) of a vector, without the batch axis

    Raises
    ------
    TraceError
        If the network does not take inputs of this shape, mixes the samples of a batch, or returns something that no
        operation computed from its input.

    Examples
    --------
    >>> from minidl import nn
    >>> graph = trace(nn.models.resnet(20, rng=0), input_shape=(32, 32, 3))
    >>> sum(node.op == "Conv2d" for node in graph), graph.output.shape
    (19, (10,))
    """
    if not input_shape or min(input_shape) < 1:
        raise TraceError(f"trace got input_shape {input_shape}, expected (H, W, C) or (C,), without the batch axis")
    tracer = _Tracer(model)
    x = Tensor(np.zeros((BATCH, *input_shape), _dtype(model)))
    tracer.add_input(x)
    with _evaluating(model), no_grad(), here("numpy"), np.errstate(all="ignore"), recording(tracer.record):
        try:
            y = model(x)
        except TraceError:
            raise
        except ValueError as error:
            raise TraceError(f"the network does not run on samples of shape {input_shape}: {error}") from error
    return Graph.of(tracer.nodes, tracer.output(y))


class _Tracer:
    """Collects nodes; a Tensor is known by its identity, a parameter or buffer by that of its array."""

    def __init__(self, model: Module) -> None:
        self.nodes: list[Node] = []
        self.computed: WeakKeyDictionary[Tensor, int] = WeakKeyDictionary()  # weak, so that activations can go
        self.known: dict[int, int] = {}  # id of an array that a node holds -> the node
        self.weights = {name: p.data for name, p in model.named_parameters()}  # held, so that their ids stay theirs
        self.names = {id(array): ("parameter", name) for name, array in self.weights.items()}
        self.names |= {id(buffer): ("buffer", name) for name, buffer in model.named_buffers()}

    def add_input(self, x: Tensor) -> None:
        self.computed[x] = self._add("input", (), x.shape[1:])

    def record(self, function: Function, inputs: tuple[Tensor, ...], y: Tensor) -> None:
        """Write down one operation; this is the recorder that `recording` calls."""
        read = tuple(self._index(x) for x in inputs)
        batched = tuple(self.nodes[i].batched for i in read)
        op = _op_name(function)
        name = next(filter(None, (self._layer(i) for i in read)), "")
        if any(batched):
            shapes = [x.shape for x in inputs]
            if mixes_samples(function, shapes, batched, y.shape):
                raise TraceError(
                    f"{op}{' of ' * bool(name)}{name} mixes the samples of a batch: found {shapes} to {y.shape} for "
                    f"{BATCH} samples, expected each sample by itself and the batch axis in front"
                )
            self.computed[y] = self._add(op, read, y.shape[1:], _options(function), name)
        else:
            self.computed[y] = self._add(op, read, y.shape, _options(function), name, y.data)

    def output(self, y: object) -> int:
        if not isinstance(y, Tensor) or y not in self.computed or not self.nodes[self.computed[y]].batched:
            raise TraceError(
                f"the network returned a {type(y).__name__} that no recorded operation computed from its "
                "input, expected one Tensor: does it leave minidl's operations, or return several results?"
            )
        return self.computed[y]

    def _add(
        self,
        op: str,
        inputs: tuple[int, ...],
        shape: Shape,
        function: Function | None = None,
        name: str = "",
        value: Array | None = None,
    ) -> int:
        self.nodes.append(Node(len(self.nodes), op, inputs, shape, function, name, value))
        return len(self.nodes) - 1

    def _index(self, x: Tensor) -> int:
        """Return the node of `x`, a new one if it is a parameter, buffer or constant met for the first time."""
        if x in self.computed:
            return self.computed[x]
        if id(x.data) not in self.known:
            op, name = self.names.get(id(x.data), ("constant", ""))
            self.known[id(x.data)] = self._add(op, (), x.shape, name=name, value=x.data)
        return self.known[id(x.data)]

    def _layer(self, index: int) -> str:
        """Dotted name of the module that a parameter or buffer belongs to, also seen through operations on it alone."""
        node = self.nodes[index]
        if node.batched:
            return ""
        return node.name.rpartition(".")[0] if node.op in ("parameter", "buffer") else node.name


def _op_name(function: Function) -> str:
    """Return the class name; one from outside minidl keeps its module's name, so that no pass takes it for ours."""
    cls = type(function)
    return cls.__name__ if cls.__module__.startswith("minidl.") else f"{cls.__module__}.{cls.__qualname__}"


def _options(function: Function) -> Function:
    """Copy without the arrays which forward kept for a backward pass."""
    arguments = inspect.signature(type(function)).parameters
    light = copy.copy(function)
    light.__dict__ = {k: v for k, v in vars(function).items() if k in arguments or not isinstance(v, np.ndarray)}
    return light


def _dtype(model: Module) -> np.dtype:
    return next((p.dtype for p in model.parameters()), np.dtype(np.float32))


@contextmanager
def _evaluating(model: Module) -> Iterator[None]:
    """Evaluate within a block; afterwards every module is exactly as it was."""
    before = [(module, vars(module).get("training")) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in before:
            if mode is None:
                del module.training
            else:
                module.training = mode
