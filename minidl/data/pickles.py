"""A reader of the few pickle opcodes that dicts of numbers, strings and byte arrays are made of; it runs nothing.
A call in the pickle becomes an inert `Call` record; a name outside the allowed ones, or another opcode, is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from minidl.data.files import DataError


@dataclass
class Call:
    """What the pickle wanted called, with which arguments, and the state it wanted set: recorded, never done."""

    name: str
    args: tuple[Any, ...]
    state: Any = None


@dataclass(frozen=True)
class Name:
    """A global that the pickle refers to, already found among the allowed ones."""

    name: str


MARK = object()


def read_pickle(content: bytes, allowed: Collection[str], source: str) -> Any:
    """Decode a pickle of plain values; byte strings of Python 2 come out as bytes.

    Parameters
    ----------
    content : the bytes of the pickle
    allowed : the globals, as "module name", that may appear
    source : the file's name, for messages

    Examples
    --------
    >>> import pickle
    >>> read_pickle(pickle.dumps({"a": [1, 2]}, protocol=2), (), "example")
    {'a': [1, 2]}
    """
    machine = _Machine(allowed, source)
    try:
        for opcode, argument, _ in pickletools.genops(content):
            machine.step(opcode.name, argument)
        return machine.result()
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{source} is not a readable pickle ({error}), expected an official file: delete it and fetch it again"
        ) from None


class _Machine:
    """The pickle machine's stack and memo, for the opcodes of the table below."""

    def __init__(self, allowed: Collection[str], source: str) -> None:
        self.allowed, self.source = allowed, source
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in LITERALS:
            self.stack.append(LITERALS[opcode](argument))
        elif opcode in ACTIONS:
            ACTIONS[opcode](self, argument)
        elif opcode not in SILENT:
            raise DataError(
                f"{self.source} uses the pickle opcode {opcode}, expected only plain values and byte arrays: "
                "use the official file"
            )

    def result(self) -> Any:
        (value,) = self.stack
        return value

    def global_name(self, argument: str) -> None:
        if argument not in self.allowed:
            raise DataError(
                f"{self.source} asks for {argument.replace(' ', '.')}, which no official file needs: do not trust it"
            )
        self.stack.append(Name(argument))

    def call(self, _: None) -> None:
        args, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Name):
            raise TypeError("a call of something without a name")
        self.stack.append(Call(name.name, args))

    def set_state(self, _: None) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Call):
            raise TypeError("a state without an object")
        self.stack[-1].state = state

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def pop_mark(self) -> list[Any]:
        start = len(self.stack) - 1
        while self.stack[start] is not MARK:
            start -= 1
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def extend(self, items: list[Any]) -> None:
        self.stack[-1].extend(items)

    def set_items(self, pairs: list[Any]) -> None:
        if not all(isinstance(key, (str, bytes, int)) for key in pairs[::2]):
            raise TypeError("a key that is neither text nor number")
        self.stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))

    def pack(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]


SILENT = {"PROTO", "FRAME", "STOP"}

LITERALS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "BINUNICODE", "SHORT_BINUNICODE"), lambda value: value),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES"), lambda value: value),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING"), lambda text: text.encode("latin-1")),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "MARK": lambda _: MARK,
}

ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "GLOBAL": _Machine.global_name,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.set_state,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_mark())),
    "TUPLE1": lambda machine, _: machine.pack(1),
    "TUPLE2": lambda machine, _: machine.pack(2),
    "TUPLE3": lambda machine, _: machine.pack(3),
    "APPEND": lambda machine, _: machine.stack[-2].append(machine.stack.pop()),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
}
