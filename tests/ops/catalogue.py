"""Every operation once: how to call it, what to call it on, and its definition in NumPy.

`test_every_op.py` holds each entry to the same promises.  A new operation is one entry here; leaving it out is a
failing test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from strategies import (
    LAYOUTS,
    axes_of,
    broadcastable,
    conv_shapes,
    indices_of,
    laid_out,
    seeds,
    shapes,
    values,
    windows,
)

from minidl import Tensor, ops
from ops import definitions as define


@dataclass
class Case:
    """One call: differentiable float64 arrays, and options (whose float arrays follow the dtype of the call)."""

    arrays: list[np.ndarray]
    options: dict[str, Any] = field(default_factory=dict)

    def tensors(self, dtype=np.float64, requires_grad=True, contiguous=False):
        """Return the inputs as Tensors over fresh memory of the drawn layout, or over contiguous memory."""
        return [Tensor(_again(a, dtype, contiguous), requires_grad) for a in self.arrays]

    def options_in(self, dtype):
        return {k: v.astype(dtype) if _is_float_array(v) else v for k, v in self.options.items()}


@dataclass
class Op:
    """An entry: `call(*tensors, **options)` is the operation, `define(*arrays, **options)` its definition."""

    name: str
    call: Callable[..., Tensor]
    cases: st.SearchStrategy[Case]
    define: Callable[..., np.ndarray]

    def __call__(self, case: Case, *tensors: Tensor) -> Tensor:
        return self.call(*tensors, **case.options_in(tensors[0].dtype))


@st.composite
def cases(draw, shapes, kinds, options=None):
    """Draw a Case; `kinds` names the values of each input, or of all; `options(shapes)` is a strategy of options."""
    drawn = draw(shapes)
    kinds = [kinds] * len(drawn) if isinstance(kinds, str) else kinds
    rng = np.random.default_rng(draw(seeds))
    layouts = [draw(st.sampled_from(LAYOUTS)) for _ in drawn]
    arrays = [laid_out(values(k, s, rng), how) for k, s, how in zip(kinds, drawn, layouts, strict=True)]
    return Case(arrays, draw(options(drawn)) if options else {})


def one(**limits):
    """Draw one shape, as a list."""
    return shapes(**limits).map(lambda shape: [shape])


def matmul_shapes():
    """Draw shapes for a matrix product: vectors, matrices, and stacks that broadcast."""
    stacked = st.tuples(broadcastable(min_side=1), *[st.integers(1, 3)] * 3).map(
        lambda d: [(*d[0][0], d[1], d[2]), (*d[0][1], d[2], d[3])]
    )
    left = st.tuples(*[st.integers(1, 3)] * 2).map(lambda d: [d[:1], d])
    right = st.tuples(*[st.integers(1, 3)] * 3).map(lambda d: [d, d[2:]])
    dot = st.integers(1, 4).map(lambda n: [(n,), (n,)])
    return st.one_of(stacked, left, right, dot)


def linear_shapes(with_bias):
    sizes = st.tuples(*[st.integers(1, 4)] * 3)
    return sizes.map(lambda d: [(d[0], d[1]), (d[2], d[1]), (d[2],)][: 2 + with_bias])


def join_shapes():
    """Draw shapes that differ along one axis only, and that axis (of either sign)."""

    def problem(drawn):
        shape, sizes, where = drawn
        axis = where % len(shape)
        return [(*shape[:axis], n, *shape[axis + 1 :]) for n in sizes], axis - len(shape) * (where % 2)

    return st.tuples(shapes(max_dims=3), st.lists(st.integers(0, 3), min_size=1, max_size=3), st.integers(0, 5)).map(
        problem
    )


@st.composite
def concatenations(draw):
    drawn, axis = draw(join_shapes())
    return draw(cases(st.just(drawn), "any", lambda _: st.just({"axis": axis})))


@st.composite
def convolutions(draw, with_bias=False):
    x, weight, options = draw(conv_shapes())
    drawn = [x, weight, weight[:1]][: 2 + with_bias]
    return draw(cases(st.just(drawn), "any", lambda _: st.just(options)))


@st.composite
def poolings(draw, kind):
    (h, w), kernel, stride, padding = draw(windows(half_padding=True))
    x = (draw(st.integers(1, 2)), h, w, draw(st.integers(1, 3)))
    options = {"kernel_size": kernel, "stride": draw(st.sampled_from([stride, None])), "padding": padding}
    if options["stride"] is None and any(
        (n + 2 * p - k) // k + 1 < 1 for n, p, k in zip((h, w), padding, kernel, strict=True)
    ):
        options["stride"] = stride
    return draw(cases(st.just([x]), kind, lambda _: st.just(options)))


@st.composite
def normalizations(draw, training, residual=False, relu=False):
    """Draw x (N, C) or (N, H, W, C) with three or more rows: of two, x̂ is ±1 whatever x, its slope nearly 0/0."""
    rows = draw(
        st.one_of(st.tuples(st.integers(3, 6)), st.tuples(st.integers(3, 4), st.integers(1, 2), st.integers(1, 2)))
    )
    c = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(seeds))
    options = {"training": training, "relu": False, "running_mean": None, "running_var": None}
    if not training:
        options |= {"running_mean": rng.standard_normal(c), "running_var": rng.uniform(0.5, 2, c)}
    drawn, kinds = [(*rows, c), (c,), (c,), (*rows, c)], ["distinct", "nonzero", "any", "any"]
    case = draw(cases(st.just(drawn[: 3 + residual]), kinds[: 3 + residual], lambda _: st.just(options)))
    if relu:
        assume(np.abs(define.batch_norm(*case.arrays, **case.options)).min() > 1e-3)  # away from the kink
        case.options["relu"] = True
    return case


@st.composite
def classifications(draw):
    n, k = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    labels = np.random.default_rng(draw(seeds)).integers(0, k, n)
    options = {
        "labels": labels,
        "label_smoothing": draw(st.sampled_from([0.0, 0.1, 0.5])),
        "reduction": draw(reductions),
    }
    return draw(cases(st.just([(n, k)]), "any", lambda _: st.just(options)))


@st.composite
def hinges(draw):
    """Draw scores in [-0.9, 0.9], so that the margin's kink (target·score = 1) is far, or beyond it at ±1.1 to ±2."""
    shape = draw(shapes(max_dims=2))
    rng = np.random.default_rng(draw(seeds))
    options = {"target": values("signs", shape, rng), "reduction": draw(reductions)}
    return draw(cases(st.just([shape]), "inside and outside", lambda _: st.just(options)))


def conditions(drawn):
    """A boolean array that broadcasts with both inputs, and may have one more axis than the result of the two."""
    shape = np.broadcast_shapes(*drawn)
    options = st.sampled_from([shape, (2, *shape), shape[1:] if shape else shape])
    return st.tuples(options, seeds).map(
        lambda d: {"condition": np.asarray(np.random.default_rng(d[1]).random(d[0]) < 0.5)}
    )


def reductions_over_axes(drawn):
    return st.fixed_dictionaries({"axis": axes_of(len(drawn[0])), "keepdims": st.booleans()})


def reshapes(drawn):
    shape = drawn[0]
    size = int(np.prod(shape))
    targets = [(-1,), (size,), (1, *shape), (shape[0], -1), shape[::-1], (*shape, 1)]
    return st.sampled_from(targets).map(lambda target: {"shape": target})


def permutations(drawn):
    n = len(drawn[0])
    with_signs = st.permutations(range(n)).map(lambda p: {"axes": tuple(i - n * (i % 2) for i in p)})
    return st.one_of(st.just({"axes": None}), with_signs)


def paddings(drawn):
    pair = st.tuples(st.integers(0, 2), st.integers(0, 2))
    return st.tuples(*[pair] * len(drawn[0])).map(lambda widths: {"widths": widths})


@st.composite
def broadcasts(draw):
    small, large = draw(broadcastable(min_side=1))
    return draw(cases(st.just([small]), "any", lambda _: st.just({"shape": np.broadcast_shapes(small, large)})))


@st.composite
def unbroadcasts(draw):
    small, large = draw(broadcastable(min_side=1))
    return draw(cases(st.just([np.broadcast_shapes(small, large)]), "any", lambda _: st.just({"shape": small})))


def option(name, *choices):
    """A strategy of options: one of the choices by name, whatever the shapes."""
    return lambda _: st.sampled_from(choices).map(lambda value: {name: value})


masks = st.fixed_dictionaries({"p": st.sampled_from([0.0, 0.3, 0.9]), "rng": seeds})
reductions = st.sampled_from(["mean", "sum", "none"])
pairs = broadcastable().map(list)
anything = one(min_dims=0, min_side=0)


def batch_norm(x, weight, bias, residual=None, *, running_mean, running_var, training, relu):
    return ops.batch_norm(x, running_mean, running_var, weight, bias, training, residual=residual, relu=relu)


def where(a, b, condition):
    return ops.where(condition, a, b)


def concatenate(*xs, axis):
    return ops.concatenate(xs, axis)


CATALOGUE = [
    Op("add", ops.add, cases(pairs, "any"), np.add),
    Op("sub", ops.sub, cases(pairs, "any"), np.subtract),
    Op("mul", ops.mul, cases(pairs, "any"), np.multiply),
    Op("div", ops.div, cases(pairs, ["any", "nonzero"]), np.divide),
    Op("neg", ops.neg, cases(anything, "any"), np.negative),
    Op("power", ops.power, cases(anything, "nonzero", option("exponent", 0, 1, 2, 3, -1, -2)), define.power),
    Op("power of positive", ops.power, cases(anything, "positive", option("exponent", 0.5, -0.5, 2.5, 1.0)),
       define.power),
    Op("exp", ops.exp, cases(anything, "any"), np.exp),
    Op("log", ops.log, cases(anything, "positive"), np.log),
    Op("abs", ops.abs, cases(anything, "nonzero"), np.abs),
    Op("where", where, cases(broadcastable(min_side=1).map(list), "any", conditions), define.where),
    Op("matmul", ops.matmul, cases(matmul_shapes(), "any"), np.matmul),
    Op("linear", ops.linear, cases(linear_shapes(with_bias=False), "any"), define.linear),
    Op("linear with bias", ops.linear, cases(linear_shapes(with_bias=True), "any"), define.linear),
    Op("sum", ops.sum, cases(one(max_dims=3), "any", reductions_over_axes), np.sum),
    Op("mean", ops.mean, cases(one(max_dims=3), "any", reductions_over_axes), np.mean),
    Op("max", ops.max, cases(one(max_dims=3), "distinct", reductions_over_axes), np.max),
    Op("broadcast_to", ops.broadcast_to, broadcasts(), np.broadcast_to),
    Op("sum_to", ops.sum_to, unbroadcasts(), define.sum_to),
    Op("reshape", lambda x, shape: ops.reshape(x, shape), cases(one(), "any", reshapes), np.reshape),
    Op("flatten", ops.flatten, cases(one(), "any"), lambda x: x.reshape(len(x), -1)),
    Op("transpose", ops.transpose, cases(one(), "any", permutations), np.transpose),
    Op("getitem", ops.getitem, cases(one(max_dims=3), "any", lambda s: indices_of(s[0]).map(lambda i: {"index": i})),
       lambda x, index: x[index]),
    Op("concatenate", concatenate, concatenations(), lambda *xs, axis: np.concatenate(xs, axis)),
    Op("pad", ops.pad, cases(one(max_dims=3), "any", paddings), lambda x, widths: np.pad(x, widths)),
    Op("relu", ops.relu, cases(anything, "nonzero"), lambda x: np.maximum(x, 0)),
    Op("leaky_relu", ops.leaky_relu, cases(anything, "nonzero", option("negative_slope", 0.01, 0.3)),
       define.leaky_relu),
    Op("hardtanh", ops.hardtanh, cases(anything, "inside and outside"), lambda x: np.clip(x, -1, 1)),
    Op("sigmoid", ops.sigmoid, cases(anything, "any"), lambda x: 1 / (1 + np.exp(-x))),
    Op("tanh", ops.tanh, cases(anything, "any"), np.tanh),
    Op("log_softmax", ops.log_softmax, cases(one(max_dims=3), "any"), define.log_softmax),
    Op("softmax", ops.softmax, cases(one(max_dims=3), "any"), lambda x: np.exp(define.log_softmax(x))),
    Op("conv2d", ops.conv2d, convolutions(), define.conv2d),
    Op("conv2d with bias", ops.conv2d, convolutions(with_bias=True), define.conv2d),
    Op("max_pool2d", ops.max_pool2d, poolings("distinct"), define.max_pool2d),
    Op("avg_pool2d", ops.avg_pool2d, poolings("any"), define.avg_pool2d),
    Op("global_avg_pool2d", ops.global_avg_pool2d, cases(one(min_dims=4), "any"), lambda x: x.mean(axis=(1, 2))),
    Op("batch_norm of a batch", batch_norm, normalizations(training=True), define.batch_norm),
    Op("batch_norm by statistics", batch_norm, normalizations(training=False), define.batch_norm),
    *[Op(f"batch_norm {riders}, {how}", batch_norm, normalizations(how == "of a batch", **chosen), define.batch_norm)
      for how in ("of a batch", "by statistics")
      for riders, chosen in {"and relu": {"relu": True}, "and residual": {"residual": True},
                             "and both": {"residual": True, "relu": True}}.items()],
    Op("dropout", ops.dropout, cases(one(), "any", lambda _: masks), define.dropout),
    Op("cross_entropy", ops.cross_entropy, classifications(), define.cross_entropy),
    Op("mse", ops.mse, cases(one(max_dims=2).map(lambda s: s * 2), "any", lambda _: st.fixed_dictionaries({"reduction":
       reductions})), define.mse),
    Op("squared_hinge", ops.squared_hinge, hinges(), define.squared_hinge),
    Op("astype", lambda x: ops.astype(ops.astype(x, np.float64), x.dtype), cases(anything, "any"), lambda x: x),
]  # fmt: skip


def _again(array, dtype, contiguous):
    """A copy of `array` in `dtype` that keeps its layout (strides that skip, reverse or repeat) unless told."""
    if contiguous:
        return np.array(array, dtype, order="C")
    for layout in LAYOUTS[1:]:
        copy = laid_out(array.astype(dtype), layout)
        if copy.strides == tuple(s // array.itemsize * copy.itemsize for s in array.strides):
            return copy
    return array.astype(dtype)


def _is_float_array(value):
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"
