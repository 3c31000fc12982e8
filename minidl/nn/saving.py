"""A network as data: a JSON tree of classes and plain attributes, and arrays by dotted name; and back again.

A module is nothing but its attributes, so `rebuild` needs no constructor arguments and fits pruned networks as well.
It leaves out files (`minidl.checkpoint`), and runs no code that the tree names: a class must be defined already, or be
minidl's own.
"""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from minidl.nn.module import Module, Parameter
from minidl.types import Array

Tree: TypeAlias = Any  # what JSON can hold: a plain value, or a dict that tells by its keys what it stands for

_PLAIN = (bool, int, float, str, type(None))


def describe(module: Module) -> tuple[Tree, dict[str, Array]]:
    """Everything a network is, as a JSON tree and the arrays themselves (not copies) under the names of `state_dict`.

    Raises
    ------
    TypeError
        Naming the first attribute that is neither a number, string, None, array, Parameter, Module, nor a list, tuple
        or dict of these.

    Examples
    --------
    >>> from minidl import nn
    >>> tree, arrays = describe(nn.Sequential(nn.Linear(2, 1, rng=0), nn.ReLU()))
    >>> tree["class"], list(arrays)
    ('minidl.nn.layers:Sequential', ['layers.0.weight', 'layers.0.bias'])
    """
    describer = _Describer()
    return describer.tree("", module), describer.arrays


def rebuild(tree: Tree, arrays: Mapping[str, Array]) -> Module:
    """Build the network that `describe` described, with copies of `arrays`; what was shared is shared again.

    Raises
    ------
    ValueError
        If the tree is malformed or names a class that is not defined here, or an array is missing, unexpected, or of
        another shape or dtype than the tree says.

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Linear(2, 1, rng=0)
    >>> bool((rebuild(*describe(net)).weight.numpy() == net.weight.numpy()).all())
    True
    """
    rebuilder = _Rebuilder(arrays)
    module = rebuilder.value("", tree)
    if not isinstance(module, Module):
        raise ValueError(f"the tree describes a {type(module).__name__}, expected a network: was it made by describe?")
    if unexpected := [name for name in arrays if name not in rebuilder.seen]:
        raise ValueError(
            f"found array {unexpected[0]!r}, which the tree does not mention: do tree and arrays belong together?"
        )
    return module


def difference(tree: Tree, other: Tree) -> str | None:
    """Where two trees differ first, in words, or None.

    Examples
    --------
    >>> from minidl import nn
    >>> difference(describe(nn.LeakyReLU(0.1))[0], describe(nn.LeakyReLU(0.2))[0])
    'negative_slope is 0.1 and 0.2'
    """
    return _difference("", json.loads(json.dumps(tree)), other)


def _difference(name: str, a: Tree, b: Tree) -> str | None:
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        parts = [(key if key not in ("attributes", "list", "tuple", "dict") else "", a[key], b[key]) for key in a]
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        parts = [(str(i), *pair) for i, pair in enumerate(zip(a, b, strict=True))]
    else:
        return None if a == b else f"{name} is {_short(a)} and {_short(b)}"
    found = (_difference(".".join(filter(None, (name, key))), *pair) for key, *pair in parts)
    return next(filter(None, found), None)


def _short(tree: Tree) -> str:
    return str(tree["class"]) if isinstance(tree, dict) and "class" in tree else repr(tree)


class _Describer:
    """One pass over a network, depth first; remembers by identity what it has met."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self.names: dict[int, str] = {}

    def tree(self, name: str, value: Any) -> Tree:
        if isinstance(value, (Parameter, np.ndarray, Module)):
            if id(value) in self.names:
                return {"shared": self.names[id(value)]}
            self.names[id(value)] = name
        match value:
            case Module():
                return {"class": _key(type(value)), "attributes": self._items(name, vars(value))}
            case Parameter():
                return {"parameter": self._array(name, value.data), "requires_grad": value.requires_grad}
            case np.ndarray():
                return {"buffer": self._array(name, value)}
            case list() | tuple():
                kind = "list" if isinstance(value, list) else "tuple"
                return {kind: [self.tree(_join(name, i), item) for i, item in enumerate(value)]}
            case dict():
                return {"dict": self._items(name, value)}
            case _ if isinstance(value, _PLAIN):
                return value
        raise TypeError(
            f"{name} is a {type(value).__name__}, expected a number, string, None, array, Parameter, Module or a list, "
            "tuple or dict of these: only those can be saved"
        )

    def _items(self, name: str, items: Mapping[Any, Any]) -> dict[str, Tree]:
        for key in items:
            if not isinstance(key, str) or "." in key:
                raise TypeError(f"{name} has the key {key!r}, expected strings without a dot: they become dotted names")
        return {key: self.tree(_join(name, key), item) for key, item in items.items()}

    def _array(self, name: str, array: Array) -> dict[str, Any]:
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} is an array of {array.dtype}, expected numbers or bools: only those can be saved")
        self.arrays[name] = array
        return {"shape": list(array.shape), "dtype": array.dtype.name}


class _Rebuilder:
    """One pass over a tree; remembers by name what it has built."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays
        self.seen: dict[str, Any] = {}

    def value(self, name: str, tree: Tree) -> Any:
        match tree:
            case {"class": str(key), "attributes": dict(attributes)}:
                cls = _find_class(key)
                module = self.seen[name] = cls.__new__(cls)
                vars(module).update(self._items(name, attributes))
                return module
            case {"parameter": spec, "requires_grad": bool(requires_grad)}:
                self.seen[name] = Parameter(self._array(name, spec), requires_grad)
                return self.seen[name]
            case {"buffer": spec}:
                self.seen[name] = self._array(name, spec)
                return self.seen[name]
            case {"shared": str(other)} if other in self.seen:
                return self.seen[other]
            case {"list": list(items)}:
                return [self.value(_join(name, i), item) for i, item in enumerate(items)]
            case {"tuple": list(items)}:
                return tuple(self.value(_join(name, i), item) for i, item in enumerate(items))
            case {"dict": dict(items)}:
                return dict(self._items(name, items))
            case _ if isinstance(tree, _PLAIN):
                return tree
        raise ValueError(
            f"the tree is malformed at {name or 'its root'}: found {str(tree)[:60]}; was it made by describe?"
        )

    def _items(self, name: str, items: Mapping[str, Tree]) -> Iterator[tuple[str, Any]]:
        return ((key, self.value(_join(name, key), item)) for key, item in items.items())

    def _array(self, name: str, spec: Any) -> Array:
        if name not in self.arrays:
            raise ValueError(f"array {name!r} is missing, expected it for the network that the tree describes")
        array = np.array(self.arrays[name])
        found = {"shape": list(array.shape), "dtype": array.dtype.name}
        if found != spec:
            raise ValueError(f"array {name!r} is {found}, expected {spec}: do tree and arrays belong together?")
        return array


def _key(cls: type[Module]) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _find_class(key: str) -> type[Module]:
    """Find the class called `key` among those defined so far; modules of minidl itself are imported for it."""
    path = key.partition(":")[0]
    if path.startswith("minidl.") and all(part.isidentifier() and part[0] != "_" for part in path.split(".")):
        with contextlib.suppress(ModuleNotFoundError):  # answered below, like any other unknown class
            importlib.import_module(path)
    known = {_key(cls): cls for cls in _subclasses(Module)}
    if key not in known:
        raise ValueError(
            f"the network needs the class {key!r}, which is not defined here: import the module that defines it first"
        )
    return known[key]


def _subclasses(cls: type[Module]) -> Iterator[type[Module]]:
    """Every class derived from `cls`, itself included; of two with one name the later definition comes last."""
    yield cls
    for sub in cls.__subclasses__():
        yield from _subclasses(sub)


def _join(name: str, key: str | int) -> str:
    return f"{name}.{key}" if name else str(key)
