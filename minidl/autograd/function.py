"""One differentiable operation: `forward` works on arrays, `backward` on Tensors.

Because `backward` is itself written in differentiable operations, the derivative of a derivative needs no
second system.  This file only records who was computed from whom; `engine.py` walks the record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeAlias

from minidl.tensor import Tensor
from minidl.types import Array

Edge: TypeAlias = "Function | Tensor"  # what a gradient flows to: an operation, or a leaf
Recorder: TypeAlias = Callable[["Function", tuple[Tensor, ...], Tensor], None]

_grad_enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)
_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


class Function:
    """Base of every operation.

    A subclass takes its options in `__init__`, computes in `forward` (arrays in, one array out) and returns one
    gradient per input from `backward` (Tensors in, Tensors or None out).  Calling an instance on Tensors runs
    `forward` and, where a gradient is wanted, remembers the inputs.  An instance is used once.

    Examples
    --------
    >>> import minidl
    >>> class Square(Function):
    ...     def forward(self, x):
    ...         return x * x
    ...     def backward(self, grad_y):
    ...         (x,) = self.inputs
    ...         return (2.0 * x * grad_y,)
    >>> x = minidl.Tensor([3.0], requires_grad=True)
    >>> Square()(x).backward()
    >>> x.grad.numpy()
    array([6.], dtype=float32)
    """

    keeps_inputs = True  # False where backward reads no input value (add, sum, reshape): they are freed at once
    floats_only = False  # True where an integer result would be rounded, or come out as float64
    released = False  # True once a backward pass has consumed it
    edges: tuple[Edge | None, ...] = ()
    inputs: tuple[Tensor, ...] = ()
    needs: tuple[bool, ...] = ()  # set by the engine: which inputs' gradients somebody waits for

    def forward(self, *inputs: Any) -> Array:
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        raise NotImplementedError(f"{type(self).__name__} defines no backward")

    def __call__(self, *inputs: Tensor) -> Tensor:
        _check_dtypes(self, inputs)
        y = Tensor.wrap(self.forward(*[x.data for x in inputs]))
        if _grad_enabled.get() and any(x.requires_grad for x in inputs):
            self.edges = tuple(x.edge if x.requires_grad else None for x in inputs)
            self.inputs = inputs if self.keeps_inputs else ()
            y.node = self
        if (record := _recorder.get()) is not None:
            record(self, inputs, y)
        return y

    def release(self) -> None:
        """Forget everything that backward needed, so that its memory can go."""
        self.__dict__ = {"edges": (), "released": True}


def _check_dtypes(function: Function, inputs: tuple[Tensor, ...]) -> None:
    dtype = inputs[0].dtype
    if function.floats_only and dtype.kind != "f":
        raise TypeError(
            f"{type(function).__name__.lower()} got {dtype}, expected float32 or float64: use .astype('float32')"
        )
    for x in inputs:
        if x.dtype != dtype:
            wanted = dtype if dtype.kind == "f" else x.dtype  # floats made integers would lose their fractions
            raise TypeError(
                f"{type(function).__name__.lower()} got {dtype} and {x.dtype}, expected one dtype: "
                f"convert one side with .astype('{wanted}')"
            )


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Inside it, operations remember nothing, so nothing can be differentiated and memory is freed at once.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.Tensor([1.0], requires_grad=True)
    >>> with minidl.no_grad():
    ...     print((x * 2).requires_grad)
    False
    """
    with grad_mode(False):
        yield


@contextlib.contextmanager
def grad_mode(enabled: bool) -> Iterator[None]:
    """Switch recording on or off for a block; the engine uses it to differentiate its own backward pass."""
    token = _grad_enabled.set(enabled)
    try:
        yield
    finally:
        _grad_enabled.reset(token)


def is_grad_enabled() -> bool:
    """Whether operations are being recorded for differentiation."""
    return _grad_enabled.get()


@contextlib.contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Call `recorder(function, inputs, output)` after every operation in the block; the tracer's only hook."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)
