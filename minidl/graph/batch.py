"""What an operation may do to a batch: keep its axis in front, and every sample by itself.

A graph speaks of one sample, so an operation that mixes samples has no place in it.  Operations that name axes are
checked by their options, all others by their shapes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidl.autograd import Function
from minidl.ops.conv import Conv2d
from minidl.ops.elementwise import Add, Div, Mul, Sub, Where
from minidl.ops.matmul import Linear, MatMul
from minidl.ops.norm import BatchNormInference
from minidl.ops.reduce import Max, Sum
from minidl.ops.shape import BroadcastTo, Concatenate, GetItem, Transpose
from minidl.types import Shape

BATCH = 2  # samples in a traced run: with one, an axis of size 1 could pass for the batch


def mixes_samples(function: Function, shapes: Sequence[Shape], batched: Sequence[bool], y: Shape) -> bool:
    """Whether `function`, from inputs of `shapes` to `y`, treats a batch as more than so many samples.

    Parameters
    ----------
    shapes, batched : of each input, and whether its axis 0 is the batch
    y : shape of the output, whose axis 0 should be the batch

    Examples
    --------
    >>> mixes_samples(Sum(axis=0, keepdims=False), [(2, 2)], [True], (2,))
    True
    >>> mixes_samples(Sum(axis=1, keepdims=False), [(2, 2)], [True], (2,))
    False
    """
    if y[:1] != (BATCH,):
        return True
    samples = [shape for shape, is_batched in zip(shapes, batched, strict=True) if is_batched]
    fixed = [shape for shape, is_batched in zip(shapes, batched, strict=True) if not is_batched]
    match function:
        case Conv2d() | Linear() | BatchNormInference():
            return any(batched[1:])
        case Sum() | Max():
            axes = (function.axis,) if isinstance(function.axis, int) else function.axis
            return axes is None or any(axis % len(samples[0]) == 0 for axis in axes)
        case Transpose():
            return function.axes[0] != 0
        case GetItem():
            return not _leaves_axis_0(function.index, len(samples[0]))
        case MatMul():  # of plain matrices only the left one has samples as rows
            is_stack = len(y) > 2
            return any(len(s) != len(y) for s in samples) or (_fix_batch(fixed, y) if is_stack else batched[1])
        case Add() | Sub() | Mul() | Div() | BroadcastTo():
            return any(len(s) != len(y) for s in samples) or _fix_batch(fixed, y)
        case Where():
            return any(len(s) != len(y) for s in samples) or _fix_batch([*fixed, function.condition.shape], y)
        case Concatenate():
            return function.axis % len(y) == 0 or _fix_batch(fixed, y)
    return False


def _fix_batch(fixed: Sequence[Shape], y: Shape) -> bool:
    """Whether an operand that does not depend on the input prescribes how many samples there are."""
    return any(len(shape) == len(y) and shape[0] != 1 for shape in fixed)


def _leaves_axis_0(index: Any, ndim: int) -> bool:
    first, *others = index if isinstance(index, tuple) else (index,)
    if first is Ellipsis:
        return len(others) < ndim
    return isinstance(first, slice) and first == slice(None)
