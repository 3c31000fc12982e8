"""`Module`: a network is its attributes.

A `Parameter` is learned, an ndarray is a buffer (state without a gradient, like running statistics), a Module is a
part, and lists, tuples and dicts of these are looked into; everything else must be a plain value (number, string,
None).  Names follow from assignment order, so they are the same in every run; and because a module is nothing but
its attributes, `saving.py` can write it to a file and build it again without running foreign code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

from minidl.tensor import Tensor
from minidl.types import Array, Shape

M = TypeVar("M", bound="Module")


class Store(Protocol):
    """Keeps the numbers of a Parameter in another form, such as codes of few bits."""

    @property
    def shape(self) -> Shape: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def nbytes(self) -> int: ...

    def read(self) -> Array:
        """Return the numbers as a read-only array, which the store itself does not keep."""


class Parameter(Tensor):
    """A leaf Tensor that training changes.

    Attributes
    ----------
    held : ndarray or Store
        What is kept in memory.  Setting a Store lets `data` be decoded whenever it is read; setting `data` replaces
        the Store by that array.

    Examples
    --------
    >>> Parameter([1.0]).requires_grad
    True
    """

    __slots__ = ("held",)

    held: Array | Store

    def __init__(self, array: Any, requires_grad: bool = True) -> None:
        super().__init__(array, requires_grad)

    @property
    def data(self) -> Array:
        """The numbers: the array that is held, or one that is decoded for whoever asks."""
        return self.held if isinstance(self.held, np.ndarray) else self.held.read()

    @data.setter
    def data(self, array: Array) -> None:
        self.held = array

    @property
    def shape(self) -> Shape:
        return self.held.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.held.dtype

    def assign(self, array: Array) -> None:
        """Copy numbers in: into the array that is held, or in place of a Store."""
        if isinstance(self.held, np.ndarray):
            self.held[...] = array
        else:
            self.held = np.array(array)


class Module:
    """Base of every layer and network: define attributes in `__init__` and the computation in `forward`.

    Examples
    --------
    >>> from minidl import nn
    >>> class TwoLayers(nn.Module):
    ...     def __init__(self):
    ...         self.layers = [nn.Linear(4, 3), nn.Linear(3, 2)]
    ...     def forward(self, x):
    ...         return self.layers[1](nn.ops.relu(self.layers[0](x)))
    >>> [name for name, _ in TwoLayers().named_parameters()]
    ['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias']
    """

    training = True

    def forward(self, *args: Any, **options: Any) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def __call__(self, *args: Any, **options: Any) -> Tensor:
        return self.forward(*args, **options)

    # -- what is inside ----------------------------------------------------------------------------------------

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its dotted name, in assignment order; a shared one comes once, by its first name."""
        for name, value in _walk(self):
            if isinstance(value, Parameter):
                yield name, value

    def parameters(self) -> Iterator[Parameter]:
        return (p for _, p in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Array]]:
        """Every array that is state but not learned."""
        for name, value in _walk(self):
            if isinstance(value, np.ndarray):
                yield name, value

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """The module itself (named "") and every module inside it."""
        yield "", self
        for name, value in _walk(self):
            if isinstance(value, Module):
                yield name, value

    def modules(self) -> Iterator[Module]:
        return (m for _, m in self.named_modules())

    def num_parameters(self) -> int:
        """How many numbers are learned."""
        return sum(p.size for p in self.parameters())

    # -- modes and gradients -----------------------------------------------------------------------------------

    def train(self: M, mode: bool = True) -> M:
        """Put this module and all inside it into training mode (batch statistics, dropout)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Put this module and all inside it into evaluation mode."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget all gradients; without it they would add up over steps."""
        for p in self.parameters():
            p.grad = None

    # -- state -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """All parameters and buffers by name, as copies."""
        return {name: np.array(_array(value)) for name, value in _walk(self) if not isinstance(value, Module)}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy a `state_dict` into this network; names, shapes and dtypes must match exactly.

        Raises
        ------
        ValueError
            Naming what is missing, unexpected or of another shape; nothing is changed then.
        """
        own = {name: value for name, value in _walk(self) if not isinstance(value, Module)}
        check_state(own, state)
        for name, value in own.items():
            if isinstance(value, Parameter):
                value.assign(state[name])
            else:
                value[...] = state[name]

    def __repr__(self) -> str:
        parts = [f"{name}={value}" for name, value in vars(self).items() if isinstance(value, (int, float, str, tuple))]
        return f"{type(self).__name__}({', '.join(part for part in parts if not part.startswith('training='))})"


def check_state(own: Mapping[str, Parameter | Array], state: Mapping[str, Array]) -> None:
    """Raise a ValueError of one clear sentence unless `state` fits `own` in names, shapes and dtypes.

    Examples
    --------
    >>> check_state({"weight": Parameter([1.0])}, {"weight": np.zeros(2, np.float32)})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: the state does not fit this network: weight is (2,) float32, expected (1,) float32; ...
    """
    missing, unexpected = [n for n in own if n not in state], [n for n in state if n not in own]
    if missing or unexpected:
        found = f"{len(missing)} names missing ({_some(missing)}), {len(unexpected)} unexpected ({_some(unexpected)})"
        raise ValueError(f"the state does not fit this network: {found}; was it saved from another architecture?")
    for name, array in own.items():
        if state[name].shape != array.shape or state[name].dtype != array.dtype:
            raise ValueError(
                f"the state does not fit this network: {name} is {state[name].shape} {state[name].dtype}, expected "
                f"{array.shape} {array.dtype}; was it saved from a pruned or wider one?"
            )


def _walk(module: Module) -> Iterator[tuple[str, Any]]:
    """Parameters, buffers and modules inside, depth first in assignment order, each object once."""
    seen = {id(module)}
    waiting = children(module)[::-1]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, (Parameter, np.ndarray, Module)):
            if id(value) in seen:
                continue
            seen.add(id(value))
            yield name, value
        if isinstance(value, (Module, dict, list, tuple)):
            waiting += [(f"{name}.{key}", item) for key, item in reversed(children(value))]


def children(value: Any) -> list[tuple[str, Any]]:
    """What a module or a container holds directly, by name."""
    if isinstance(value, Module):
        return list(vars(value).items())
    if isinstance(value, dict):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [(str(i), item) for i, item in enumerate(value)]
    return []


def _array(value: Parameter | Array) -> Array:
    return value.data if isinstance(value, Parameter) else value


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "") if names else "none"
