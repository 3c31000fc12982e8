"""`two_pixels`: the smallest problem that has a landscape, so that every number of it can be checked by hand.

The examples of this chapter look at it.
"""

from __future__ import annotations

import numpy as np

from algorithms.landscape.directions import Direction
from minidl import nn
from minidl.data import Dataset


def two_pixels() -> tuple[nn.Module, Dataset, Direction, Direction]:
    """Return a network, its two images, and two directions: one moves its two answers apart, one moves them alike.

    The images are a black and a white pixel, of classes 0 and 1; normalized they are -1 and 1.  The network is a linear
    layer of two weights, both 0.  At x · apart + y · alike the loss is ln(1 + e^(-2x)) nats, whatever y is.

    Examples
    --------
    >>> from algorithms.landscape import line
    >>> net, images, apart, alike = two_pixels()
    >>> line(net, images, apart, np.array([-1, 0, 1])).loss.round(2).tolist()
    [2.13, 0.69, 0.13]
    """
    images = Dataset(np.array([[[[0]]], [[[255]]]], np.uint8), np.array([0, 1]))
    linear = nn.Linear(1, 2, bias=False)
    linear.weight.data[...] = 0
    apart, alike = ({"layers.1.weight": np.array([[w], [1.0]], np.float32)} for w in (-1.0, 1.0))
    return nn.Sequential(nn.Flatten(), linear), images, apart, alike
