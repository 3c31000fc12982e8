"""A convolution whose weight does not change: prepared once for each kernel that runs it, bound to its arrays ahead.

What remains at the time of a call is the loop alone, with a residual and a ReLU done in registers. 32-bit floats only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import lanewise
from .choice import choose, choose_lanewise
from .direct import Call
from .engines import FORWARD, LANEWISE
from .finish import finish

Array = NDArray[Any]
Pair = tuple[int, int]


class PreparedConv:
    """A convolution with weight (O, KH, KW, C/groups) and bias (O,) or None, which must not change any more."""

    def __init__(self, weight: Array, bias: Array | None, stride: Pair, padding: Pair, groups: int) -> None:
        self.weight = np.require(weight, np.float32, ["C", "A", "W"])
        self.bias = np.zeros(len(weight), np.float32) if bias is None else np.require(bias, np.float32, ["C", "A", "W"])
        self.how = stride, padding, groups
        self.kernel = (self.weight.shape[1], self.weight.shape[2])
        self.prepared: dict[Callable[..., Array], Array] = {}

    def bind(
        self, x: Array, y: Array, residual: Array | None = None, relu: bool = False, blocks: bool = False
    ) -> list[Call]:
        """Return the calls that set y to the convolution of x, plus the residual, cut at 0 for a ReLU.

        All arrays are contiguous, or all lanewise, if `blocks` of one image; what they hold is read when the calls are
        made.
        """
        if blocks or lanewise.differs(x, y):
            return self._bind_lanewise(x, y, residual, relu, blocks)
        stride, padding, groups = self.how
        prepare, bind = FORWARD[choose(x.shape, self.weight.shape, stride, padding, groups, prepared=True)]
        packed = self._once(prepare, groups)
        return bind(x, packed, self.bias, self.kernel, stride, padding, groups, y, finish(residual, relu))

    def _bind_lanewise(self, x: Array, y: Array, residual: Array | None, relu: bool, blocks: bool) -> list[Call]:
        stride, padding, groups = self.how
        if groups > 1 or max(padding) > 1 or not (lanewise.holds(x) and lanewise.holds(y)):
            raise ValueError(
                f"a lanewise convolution got padding {padding}, {groups} groups and x of strides {x.strides}, "
                "expected padding 0 or 1, 1 group and lanewise images"
            )
        if residual is not None and not (
            residual.shape == y.shape and lanewise.holds(residual) and lanewise.order(residual) == lanewise.order(y)
        ):
            raise ValueError(
                f"a lanewise convolution got a residual of shape {residual.shape} and strides {residual.strides}, "
                f"expected y's, {y.shape} and {y.strides}"
            )
        size = (y.shape[1], y.shape[2])
        prepare, bind = LANEWISE[choose_lanewise(size, self.weight.shape, stride, padding, blocks)]
        packed = self._once(prepare)
        end = finish(None if residual is None else lanewise.flat(residual), relu)
        return bind(x, packed, self.bias, self.kernel, stride, padding, y, end, blocks)

    def _once(self, prepare: Callable[..., Array], *how: int) -> Array:
        if prepare not in self.prepared:
            self.prepared[prepare] = prepare(self.weight, *how)
        return self.prepared[prepare]
