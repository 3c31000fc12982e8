"""Masks, for contrast: a pruned network in the clothes of the whole one, zeros where filters would leave.

A masked network gives the answers of the smaller one and trains as the smaller one does, which the tests prove; but it
is as large and as slow as before.  `silenced` is the half of it that suffices to measure: what nobody reads is gone.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import numpy as np

from algorithms.pruning.channels import Channels
from algorithms.pruning.plan import Plan
from algorithms.pruning.surgery import arrays_of, check_fit
from minidl.nn import Module
from minidl.optim import Optimizer
from minidl.types import Array

M = TypeVar("M", bound=Module)


def masked(model: M, plan: Plan) -> M:
    """Copy a network with zeros in place of all weights, biases and batch-norm entries that the plan removes.

    Examples
    --------
    >>> from minidl import nn
    >>> from algorithms.pruning import plan
    >>> net = nn.Sequential(nn.Linear(2, 4, rng=0), nn.ReLU(), nn.Linear(4, 1, rng=0))
    >>> p = plan(net, (2,), 0.5)
    >>> x = np.ones((1, 2), np.float32)
    >>> bool((masked(net, p)(x).numpy() == p.apply(net)(x).numpy()).all())
    True
    >>> masked(net, p).num_parameters(), p.apply(net).num_parameters()
    (17, 9)
    """
    check_fit(plan.channels, arrays_of(model))
    copied = copy.deepcopy(model)
    hold(copied, masks(copied, plan))
    return copied


def masks(model: Module, plan: Plan) -> dict[str, Array]:
    """For every parameter of which something leaves: 1 where an entry stays, 0 where it leaves, in its shape."""
    found, gone = {}, plan.gone
    for name, p in model.named_parameters():
        mask = np.ones(p.shape, p.dtype)
        for axis in range(p.ndim):
            if (ids := plan.channels.axes.get((name, axis))) is not None:
                mask *= np.expand_dims(~gone[ids], tuple(range(1, p.ndim - axis)))  # aligned with `axis`
        if not mask.all():
            found[name] = mask
    return found


def hold(model: Module, masks: dict[str, Array], optimizer: Optimizer | None = None) -> None:
    """Set what is masked to zero again, in place, also in what an optimizer remembers; call it after every step."""
    for name, p in model.named_parameters():
        if name in masks:
            p.data *= masks[name]
    for key, array in optimizer.state.items() if optimizer is not None else ():
        if array.ndim and (name := key.partition("/")[2]) in masks:
            array *= masks[name]


def silenced(channels: Channels, gone: Array, name: str, array: Array) -> Array:
    """`array`, that of the parameter `name`, with zeros where a layer would read a channel that is gone."""
    for axis in range(array.ndim):
        if (name, axis) in channels.readers and (here := gone[channels.axes[name, axis]]).any():
            array = array * np.expand_dims(~here, tuple(range(1, array.ndim - axis))).astype(array.dtype)
    return array
