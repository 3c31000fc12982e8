"""Networks by name, with the input shape and the options that the name implies; for the command line."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from minidl.nn.models.densenet import densenet121
from minidl.nn.models.lenet import lenet5
from minidl.nn.models.mobile import tiny_mobile
from minidl.nn.models.resnet import resnet, resnet18, resnet34, wide_resnet
from minidl.nn.models.vgg import vgg9, vgg16, vgg_bc
from minidl.nn.module import Module
from minidl.types import Shape


@dataclass(frozen=True)
class Entry:
    """A builder, the options that the name stands for, and the (H, W, C) it is made for unless told otherwise."""

    builder: Callable[..., Module]
    input_shape: Shape = (32, 32, 3)
    options: dict[str, Any] = field(default_factory=dict)


_SHORTCUTS: dict[str, dict[str, Any]] = {"": {}, "-noshort": {"shortcut": None}}

_MODELS: dict[str, Entry] = {
    "lenet5": Entry(lenet5, (28, 28, 1)),
    "vgg9": Entry(vgg9),
    "vgg16": Entry(vgg16),
    "vgg-bc": Entry(vgg_bc),
    **{
        f"resnet{depth}{suffix}": Entry(resnet, options={"depth": depth, **shortcut})
        for depth in (8, 14, 20, 32, 44, 56, 110)
        for suffix, shortcut in _SHORTCUTS.items()
    },
    **{
        f"wrn-{depth}-{width}{suffix}": Entry(wide_resnet, options={"depth": depth, "width": width, **shortcut})
        for depth in (20, 56)
        for width in (2, 4, 8)
        for suffix, shortcut in _SHORTCUTS.items()
    },
    "resnet18": Entry(resnet18, (224, 224, 3)),
    "resnet34": Entry(resnet34, (224, 224, 3)),
    "densenet121": Entry(densenet121),
    "tiny-mobile": Entry(tiny_mobile),
}


def names() -> list[str]:
    """All names that `build` knows.

    Examples
    --------
    >>> names()[:3], "resnet56-noshort" in names()
    (['lenet5', 'vgg9', 'vgg16'], True)
    """
    return list(_MODELS)


def default_input_shape(name: str) -> Shape:
    """Return the (H, W, C) that `build(name)` is made for.

    Examples
    --------
    >>> default_input_shape("resnet34")
    (224, 224, 3)
    """
    return _find(name).input_shape


def build(name: str, input_shape: Shape | None = None, **options: Any) -> Module:
    """Build the network called `name`, with fresh weights.

    Parameters
    ----------
    name : such as "vgg16", "resnet56", "resnet20-noshort", "wrn-56-2", "resnet34"; see `names`
    input_shape : (H, W, C) of the images, by default `default_input_shape(name)`
    options : for the builder: num_classes, rng, shortcut, width, widths, ...

    Raises
    ------
    ValueError
        If the name is unknown, with the closest names.

    Examples
    --------
    >>> import numpy as np
    >>> build("resnet20", input_shape=(28, 28, 1), rng=0)(np.zeros((1, 28, 28, 1), np.float32)).shape
    (1, 10)
    """
    entry = _find(name)
    height, width, channels = entry.input_shape if input_shape is None else input_shape
    implied = {"in_channels": channels, "image_size": (height, width)}
    accepted = inspect.signature(entry.builder).parameters
    implied = {key: value for key, value in implied.items() if key in accepted}
    return entry.builder(**{**implied, **entry.options, **options})


def _find(name: str) -> Entry:
    key = name.lower().replace("_", "-")
    if key not in _MODELS:
        close = difflib.get_close_matches(key, _MODELS, n=3, cutoff=0.5) or list(_MODELS)
        raise ValueError(f"found no model named {name!r}, expected for example {', '.join(close)}")
    return _MODELS[key]
