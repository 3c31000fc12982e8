"""The term of weight decay over a slice, in closed form: no network has to be evaluated for it.

λ/2 · ‖θ* + Σ_i c_i d_i‖²  =  λ/2 · (θ*·θ* + 2 Σ_i c_i θ*·d_i + Σ_ij c_i c_j d_i·d_j), so that over a plane six inner
products say all.  Training with weight decay went down loss + term, and the pictures are of the loss alone: add this
one to see what the optimizer saw.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from algorithms.landscape.directions import Direction, check_fit, dot
from algorithms.landscape.surface import Surface, grid
from minidl.nn import Module
from minidl.types import Array


def decay_term(
    model: Module,
    directions: Sequence[Mapping[str, Array]],
    points: Array,
    weight_decay: float,
    only: Collection[str] | None = None,
) -> Array:
    """weight_decay/2 · ‖θ‖² at the points (K, D) of a slice through `model`: (K,), in nats.

    Parameters
    ----------
    only : names of the parameters that decay; by default all, as in `minidl.optim.SGD`

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Linear(1, 1, bias=False)
    >>> net.weight.data[...] = 3
    >>> decay_term(net, [{"weight": np.ones((1, 1))}], np.array([[0.0], [1.0]]), weight_decay=2.0).tolist()
    [9.0, 16.0]
    """
    weights = {name: p.data for name, p in model.named_parameters() if only is None or name in only}
    for direction in directions:
        check_fit(model.state_dict(), direction)
    c = np.asarray(points, np.float64)  # (K, D)
    slope = np.array([dot(weights, d) for d in directions])
    decaying = [{name: d[name] for name in d if name in weights} for d in directions]
    gram = np.array([[dot(a, b) for b in decaying] for a in decaying])
    square = dot(weights, weights) + 2 * c @ slope + np.einsum("ki,ij,kj->k", c, gram, c)
    return np.asarray(weight_decay / 2 * square)


def with_decay(
    surface: Surface,
    model: Module,
    directions: Sequence[Direction],
    weight_decay: float,
    only: Collection[str] | None = None,
) -> Surface:
    """Return the surface of loss + term: of a line with one direction, of a plane with two.

    In nats; the standard errors stay, since the term has none.  ValueError if a direction does not fit the network.

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Linear(1, 1, bias=False)
    >>> net.weight.data[...] = 0
    >>> xs = np.array([-1.0, 0.0, 1.0])
    >>> falling = Surface(xs, None, -xs, xs, xs, xs, xs, xs)
    >>> with_decay(falling, net, [{"weight": np.ones((1, 1))}], weight_decay=4.0).loss.tolist()  # 2 w² more
    [3.0, 0.0, 1.0]
    """
    points = surface.xs[:, None] if surface.ys is None else grid(surface.xs, surface.ys)
    term = decay_term(model, directions, points, weight_decay, only).reshape(surface.loss.shape)
    return replace(surface, loss=surface.loss + term, about={**surface.about, "weight_decay": weight_decay})
