"""`Tensor`: an array that remembers how it was computed.

It holds data, a gradient (on leaves only) and the operation that made it; every operator is spelled by a function of
`minidl.ops`.  It leaves out in-place changes: they would silently invalidate what backward remembers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from minidl.types import Array, Shape

if TYPE_CHECKING:
    from minidl.autograd.function import Edge, Function

Operand: TypeAlias = "Tensor | Array | float | int"
Axes: TypeAlias = int | tuple[int, ...] | None


class Tensor:
    """An array that can be differentiated.

    Parameters
    ----------
    array : array_like
        float32 and float64 arrays keep their dtype; Python floats become float32; integer and bool arrays are allowed
        as constants.
    requires_grad : bool
        Make this a leaf whose `.grad` is filled by `backward()`.

    Attributes
    ----------
    data : ndarray
    grad : Tensor or None
        Accumulated over backward passes until set to None; only leaves have one.
    node : Function or None
        The operation that computed this Tensor; None for a leaf.

    Examples
    --------
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4.], dtype=float32)
    """

    __slots__ = ("__weakref__", "_is_leaf_with_grad", "data", "grad", "node")
    __array_ufunc__ = None  # array + tensor is the Tensor's business; np.exp(tensor) would have no gradient: an error

    data: Array
    grad: Tensor | None
    node: Function | None

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        self.data = _to_array(array)
        self.grad = None
        self.node = None
        self.requires_grad = requires_grad

    @classmethod
    def wrap(cls, array: Array) -> Tensor:
        """A constant around `array` as it is: the fast way in for operations, which have checked already."""
        self = Tensor.__new__(Tensor)
        self.data = np.asarray(array)  # a reduction to 0-d hands out a NumPy scalar
        self._is_leaf_with_grad = False
        self.grad = None
        self.node = None
        return self

    # -- what it is --------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether a backward pass can reach this Tensor; settable on leaves."""
        return self._is_leaf_with_grad or self.node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.node is not None:
            raise ValueError("requires_grad can be set on a leaf only: take .detach() of a computed Tensor")
        if value and self.data.dtype.kind != "f":
            raise TypeError(f"found {self.data.dtype} data, expected float32 or float64 to differentiate: use .astype")
        self._is_leaf_with_grad = value

    @property
    def edge(self) -> Edge:
        """Where a gradient for this Tensor goes: the operation that made it, or the leaf itself."""
        return self if self.node is None else self.node

    @property
    def shape(self) -> Shape:
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data.dtype

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        return self.data.size

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        return bool(self.data)

    def __repr__(self) -> str:
        body = np.array2string(self.data, separator=", ", prefix="Tensor(", threshold=20)
        flag = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({body}, dtype={self.dtype}{flag})"

    def numpy(self) -> Array:
        """The data as an ndarray (the same memory, not a copy)."""
        return self.data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.data, dtype=dtype, copy=copy)

    def item(self) -> float:
        """The single number in this Tensor."""
        return self.data.item()  # type: ignore[no-any-return]

    def detach(self) -> Tensor:
        """The same data as a constant."""
        return Tensor.wrap(self.data)

    # -- gradients ---------------------------------------------------------------------------------------------

    def backward(
        self, grad_y: Tensor | Array | None = None, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Add the gradient of this scalar (or of <self, grad_y>) to the `.grad` of every leaf it was computed from.

        The graph is freed as it is consumed, unless `retain_graph` or `create_graph` keeps it for another pass.
        """
        from minidl.autograd.grad import backward  # the engine is built on Tensor, so not at the top

        backward(self, grad_y, retain_graph, create_graph)

    # -- operators, spelled by minidl.ops ----------------------------------------------------------------------

    def __add__(self, other: Operand) -> Tensor:
        return ops.add(self, other)

    def __sub__(self, other: Operand) -> Tensor:
        return ops.sub(self, other)

    def __mul__(self, other: Operand) -> Tensor:
        return ops.mul(self, other)

    def __truediv__(self, other: Operand) -> Tensor:
        return ops.div(self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return ops.add(other, self)

    def __rsub__(self, other: Operand) -> Tensor:
        return ops.sub(other, self)

    def __rmul__(self, other: Operand) -> Tensor:
        return ops.mul(other, self)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return ops.div(other, self)

    def __neg__(self) -> Tensor:
        return ops.neg(self)

    def __pow__(self, exponent: float) -> Tensor:
        return ops.power(self, exponent)

    def __matmul__(self, other: Operand) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return ops.matmul(other, self)

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "a Tensor cannot be assigned to, backward may still need its values: build a new one with where, pad or "
            "concatenate, or change .data inside no_grad if nothing was computed from it"
        )

    def exp(self) -> Tensor:
        return ops.exp(self)

    def log(self) -> Tensor:
        return ops.log(self)

    def sqrt(self) -> Tensor:
        return ops.power(self, 0.5)

    def abs(self) -> Tensor:
        return ops.abs(self)

    def sum(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        return ops.sum(self, axis, keepdims)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        return ops.mean(self, axis, keepdims)

    def max(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        return ops.max(self, axis, keepdims)

    def reshape(self, *shape: int | Shape) -> Tensor:
        return ops.reshape(self, *shape)

    def transpose(self, *axes: int | Shape) -> Tensor:
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes
        return ops.transpose(self, order or None)  # type: ignore[arg-type]

    @property
    def T(self) -> Tensor:  # noqa: N802 - NumPy's name
        return ops.transpose(self, None)

    def astype(self, dtype: Any) -> Tensor:
        return ops.astype(self, dtype)


def as_tensor(value: Operand | Any, dtype: Any = None) -> Tensor:
    """`value` itself if it is a Tensor, else a constant; a Python number takes `dtype` (float32 by default)."""
    if isinstance(value, Tensor):
        return value
    if dtype is not None and isinstance(value, (bool, int, float, np.generic, list, tuple)):
        if np.dtype(dtype).kind != "f" and np.asarray(value).dtype.kind == "f":
            raise TypeError(f"found {value} beside {dtype} data, expected floats to hold it: use .astype('float32')")
        return Tensor.wrap(np.asarray(value, dtype=dtype))
    return Tensor(value)


def _to_array(value: Any) -> Array:
    if isinstance(value, Tensor):
        return value.data
    typed = isinstance(value, (np.ndarray, np.generic))
    array = np.asarray(value)
    if array.dtype.kind == "f" and not typed:
        return array.astype(np.float32)
    if array.dtype.kind in "biu" or array.dtype in (np.float32, np.float64):
        return array
    raise TypeError(f"found data of dtype {array.dtype}, expected float32, float64, integer or bool: convert it first")


from minidl import ops  # noqa: E402 - operations are built on Tensor, and Tensor's operators are operations
