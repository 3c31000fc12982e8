"""Taking channels out of arrays: of a copy of a network, and of the state of its optimizer.

What is to leave is decided elsewhere; here indices become smaller, contiguous arrays.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from algorithms.pruning.channels import Channels
from minidl.nn import Conv2d, Module, Parameter
from minidl.optim import Optimizer
from minidl.types import Array

M = TypeVar("M", bound=Module)
O = TypeVar("O", bound=Optimizer)


def arrays_of(model: Module) -> dict[str, Array]:
    """Every parameter and buffer by name: the live arrays."""
    return {name: p.data for name, p in model.named_parameters()} | dict(model.named_buffers())


def check_fit(channels: Channels, arrays: Mapping[str, Array]) -> None:
    """Raise one clear sentence unless `arrays` are those of the network whose channels these are."""
    for (name, axis), ids in channels.axes.items():
        if name not in arrays:
            raise ValueError(f"the network has no {name}, expected it: the plan was made for another network")
        shape = arrays[name].shape
        if axis >= len(shape) or shape[axis] != len(ids):
            raise ValueError(
                f"{name} is {shape}, expected {len(ids)} channels along axis {axis}: the plan was made for another "
                "network, or has been applied already"
            )


def take(channels: Channels, gone: Array, name: str, array: Array) -> Array:
    """`array`, which has the shape of the parameter or buffer `name`, without the channels that are gone."""
    kept = array
    for axis in range(array.ndim):
        if (ids := channels.axes.get((name, axis))) is not None and gone[ids].any():
            kept = np.compress(~gone[ids], kept, axis=axis)
    return kept if kept is array else np.ascontiguousarray(kept)


def shrink(model: M, channels: Channels, gone: Array) -> M:
    """Copy a network without the channels c for which `gone[c]`."""
    arrays = arrays_of(model)
    check_fit(channels, arrays)
    smaller = copy.deepcopy(model)
    for name, array in arrays.items():
        if (kept := take(channels, gone, name, array)) is not array:
            _replace(smaller, name.split("."), kept)
    for layer in channels.depthwise:
        name = channels.weights[layer]
        conv = _find(smaller, name.split(".")[:-1])
        if isinstance(conv, Conv2d):  # others read their number of groups off the weights
            conv.groups = conv.groups * conv.weight.shape[0] // len(arrays[name])
    return smaller


def shrink_optimizer(optimizer: O, smaller: Module, channels: Channels, gone: Array) -> O:
    """Copy an optimizer so that it moves `smaller`, with what it remembers of the channels that stay."""
    parameters = dict(smaller.named_parameters())
    if unknown := [name for name in optimizer.parameters if name not in parameters]:
        raise ValueError(f"the optimizer moves {unknown[0]}, which the network does not have: is it another network's?")
    new = copy.copy(optimizer)
    new.parameters = {name: parameters[name] for name in optimizer.parameters}
    new.state = {}
    for key, state in optimizer.state.items():  # "slot/NAME", of the parameter's shape or a single number
        name = key.partition("/")[2]
        new.state[key] = array = take(channels, gone, name, state).copy()
        if array.ndim and array.shape != parameters[name].shape:
            raise ValueError(
                f"{key} is {array.shape} now, expected {parameters[name].shape}: was another plan applied?"
            )
    return new


def _find(value: Any, path: Sequence[str]) -> Any:
    """Find the object at a dotted path through attributes, lists and dicts."""
    for key in path:
        if isinstance(value, (list, tuple)):
            value = value[int(key)]
        else:
            value = value[key] if isinstance(value, dict) else vars(value)[key]
    return value


def _replace(module: Module, path: Sequence[str], array: Array) -> None:
    """Put `array` where the parameter or buffer at `path` was."""
    holder, key = _find(module, path[:-1]), path[-1]
    if isinstance(old := _find(holder, [key]), Parameter):
        old.data = array
        old.grad = None
    elif isinstance(holder, Module):
        setattr(holder, key, array)
    else:
        holder[int(key) if isinstance(holder, list) else key] = array
