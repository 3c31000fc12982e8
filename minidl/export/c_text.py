"""How names, numbers, shapes and constants are spelled in C."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from minidl.export.reading import checked
from minidl.types import Array, Shape

T = TypeVar("T")

IN_A_LINE = 8  # numbers


class Statics:
    """The constants of a program, each under a name of its own; equal ones of the same name are one.

    Attributes
    ----------
    arrays : name in C -> 32-bit floats
    records : name in C -> (type, initializer)
    """

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self.records: dict[str, tuple[str, str]] = {}

    def array(self, name: str, array: Array) -> str:
        """Keep an array, and return what it is called in C."""
        return _keep(self.arrays, identifier(name), np.ascontiguousarray(checked(name, array)), np.array_equal)

    def record(self, kind: str, name: str, **fields: Any) -> str:
        """Keep a record of the type `kind`, and return the expression of its address."""
        lines = "".join(f"    .{key} = {_field(value)},\n" for key, value in fields.items())
        return "&" + _keep(self.records, identifier(name), (kind, f"{{\n{lines}}}"), operator.eq)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())


def _keep(table: dict[str, T], name: str, value: T, same: Callable[[T, T], bool]) -> str:
    """Find `value` under this name, or put it there; with a number behind where another value has the name."""
    unique, count = name, 1
    while unique in table and not same(table[unique], value):
        count += 1
        unique = f"{name}_{count}"
    table.setdefault(unique, value)
    return unique


def identifier(name: str) -> str:
    """Write a dotted name as one of C, where no name of a file may begin with an underscore or a digit.

    Examples
    --------
    >>> identifier("stages.0.conv1.weight")
    'stages_0_conv1_weight'
    """
    return re.sub(r"[^A-Za-z0-9]", "_", name).lstrip("_0123456789") or "it"


def braces(*values: Any, **fields: Any) -> str:
    """Write a record: tuples are records too, fields have names.

    Examples
    --------
    >>> braces(how=braces(stride=(2, 2)), relu=True)
    '{.how = {.stride = {2, 2}}, .relu = 1}'
    """
    named = (f".{name} = {_field(value)}" for name, value in fields.items())
    return "{" + ", ".join([*map(_field, values), *named]) + "}"


def _field(value: Any) -> str:
    return braces(*value) if isinstance(value, tuple) else value if isinstance(value, str) else str(int(value))


def map_of(shape: Shape) -> Shape:
    """(height, width, channels) of any value: what is missing in front is 1."""
    return (*(1,) * (3 - len(shape)), *shape)


def size(shape: Shape) -> str:
    """Write the shape of a value as an argument of type `size`.

    Examples
    --------
    >>> size((10,))
    '(size){1, 1, 10}'
    """
    return "(size)" + braces(*map_of(shape))


def number(value: float) -> str:
    """Write a number as a constant of type float; 9 digits tell any two of these apart.

    Examples
    --------
    >>> [number(x) for x in (1.0, 0.1, 1e-30)]
    ['1.0f', '0.1f', '1e-30f']
    """
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def array_lines(name: str, array: Array) -> Iterator[str]:
    """Write the definition of a constant array."""
    flat = array.ravel()
    yield f"static const float {name}[{flat.size}] = {{\n"
    for first in range(0, flat.size, IN_A_LINE):
        yield "    " + ", ".join(map(number, flat[first : first + IN_A_LINE].tolist())) + ",\n"
    yield "};\n"
