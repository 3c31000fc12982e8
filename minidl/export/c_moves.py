"""Rules for operations that move numbers, or combine two maps: loops over steps in memory.

NumPy works out the steps: those of a slice, a transposition or a broadcast are the strides of that view of an array.
"""

from __future__ import annotations

import numpy as np

from minidl.export.c_step import Rule, Step
from minidl.export.c_text import braces, size
from minidl.export.reading import slices, title
from minidl.graph.run import compute
from minidl.types import Array, Shape


def view(step: Step) -> list[str]:
    """Whatever NumPy does by new steps alone: slice, transpose, broadcast."""
    if step.node.op == "GetItem":
        list(slices(step.node, step.sources[0]))  # refuses any other index
    x = _like(step.sources[0].shape)
    seen = compute(step.node, [x])
    return [_copy(_at(step.x, x, seen), seen, step.y, _like(step.node.shape))]


def pad(step: Step) -> list[str]:
    """Zeros everywhere, then x inside."""
    y = _like(step.node.shape)
    inside = y[tuple(slice(before, n - after) for (before, after), n in zip(step.options.widths, y.shape, strict=True))]
    x = _like(step.sources[0].shape)
    return [f"fill({y.size}, 0.0f, {step.y});", _copy(step.x, x, _at(step.y, y, inside), inside)]


def concatenate(step: Step) -> list[str]:
    """One copy for each input."""
    y, first, calls = _like(step.node.shape), 0, []
    axis = step.options.axis % y.ndim
    for source, place in zip(step.sources, step.places, strict=True):
        x = _like(source.shape)
        part = y[(slice(None),) * axis + (slice(first, first + x.shape[axis]),)]
        calls.append(_copy(place, x, _at(step.y, y, part), part))
        first += x.shape[axis]
    return calls


def whole(shape: Shape, x: str, y: str) -> str:
    """The call that copies all of a value."""
    return _copy(x, _like(shape), y, _like(shape))


def combine(operation: str) -> Rule:
    """A rule for arithmetic on two maps, which broadcast."""

    def rule(step: Step) -> list[str]:
        a, b = _operand(step, 0), _operand(step, 1)
        return [f"combine({operation}, {size(step.node.shape)}, {a}, {b}, {step.y});"]

    return rule


def neg(step: Step) -> list[str]:
    """-1 x."""
    minus_one = step.constant("minus_one", np.full(1, -1, np.float32))
    a, b = _operand(step, 0), f"{minus_one}, (steps){braces(0, 0, 0)}"
    return [f"combine(MULTIPLY, {size(step.node.shape)}, {a}, {b}, {step.y});"]


def _operand(step: Step, i: int) -> str:
    """Where an operand lies, and its steps when it is broadcast to the output."""
    source, place, array = step.sources[i], step.places[i], _like(step.sources[i].shape)
    if source.value is not None:
        array = np.ascontiguousarray(source.value)
        place = step.statics.array(f"{source.name or title(step.node)}.values", array)
    return f"{place}, {_steps(np.broadcast_to(array, (1, *step.node.shape)))}"


def _like(shape: Shape) -> Array:
    """An array that lies in memory as a value of this shape does; its numbers do not matter."""
    return np.empty((1, *shape), np.float32)


def _copy(x_place: str, x: Array, y_place: str, y: Array) -> str:
    return f"copy({size(y.shape[1:])}, {x_place}, {_steps(x)}, {y_place}, {_steps(y)});"


def _steps(array: Array) -> str:
    """Floats between neighbours along each axis of a sample."""
    strides = [stride // array.itemsize for stride in array.strides[1:]]
    return "(steps)" + braces(*(0,) * (3 - len(strides)), *strides)


def _at(place: str, array: Array, part: Array) -> str:
    """Where the first number of a part of a value lies."""
    offset = (part.ctypes.data - array.ctypes.data) // array.itemsize
    return f"{place} + {offset}" if offset else place
