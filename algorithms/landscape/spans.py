"""The plane through three trained networks, in coordinates in which lengths and angles are true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from algorithms.landscape.directions import Direction, between, dot
from minidl.nn import Module
from minidl.types import Array


@dataclass(frozen=True)
class Span:
    """Two directions of length 1 at right angles, and where the three networks lie: (3, 2), the first at (0, 0).

    Buffers move along, so that with bn="interpolated" each of the three points is exactly its network.
    See `through` for an example.
    """

    dx: Direction
    dy: Direction
    corners: Array


def through(model: Module, a: Mapping[str, Array], b: Mapping[str, Array], c: Mapping[str, Array]) -> Span:
    """Span the plane through three states of one architecture, which `model` lends.

    Lengths and angles are of the parameters alone; the running statistics have other units.

    Raises
    ------
    ValueError
        If the states are of different networks, or lie on one line.

    Examples
    --------
    >>> from minidl import nn
    >>> a, b, c = ({"weight": np.array([w])} for w in ([0.0, 0.0], [2.0, 0.0], [1.0, 3.0]))
    >>> through(nn.Linear(2, 1, bias=False), a, b, c).corners.tolist()
    [[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]]
    """
    names = {name for name, _ in model.named_parameters()}
    u, v = between(a, b), between(a, c)
    uu, uv, vv = (dot(*({n: s[n] for n in names} for s in pair)) for pair in ((u, u), (u, v), (v, v)))
    across = vv - uv**2 / uu if uu > 0 else 0.0  # squared distance of c from the line through a and b
    if across <= 1e-10 * vv:
        raise ValueError("the three states lie on one line, expected three that span a plane: use `line`, or others")
    length, height = np.sqrt(uu), np.sqrt(across)
    dx = {n: (u[n] / length).astype(u[n].dtype) for n in u}
    dy = {n: ((v[n] - uv / uu * u[n]) / height).astype(u[n].dtype) for n in u}
    return Span(dx, dy, np.array([[0, 0], [length, 0], [uv / length, height]]))
