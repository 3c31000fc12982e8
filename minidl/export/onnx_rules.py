"""How each operation is said in ONNX: one rule for each, which adds nodes and returns the name of the output.

One without a rule is refused by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.export.onnx_step import FIRST, Rule, Step, axis_of, is_map, laid_out
from minidl.export.reading import affine, convolution, slices
from minidl.types import Shape


def _conv(step: Step) -> str:
    conv = convolution(step.node, step.sources)
    weight = step.weight("weight", conv.weight.transpose(FIRST))  # (O, KH, KW, I) to (O, I, KH, KW)
    bias = [] if conv.bias is None else [step.weight("bias", conv.bias)]
    pads = [*conv.padding, *conv.padding]
    return step.add("Conv", step.names[0], weight, *bias, strides=conv.stride, pads=pads, group=conv.groups)


def _linear(step: Step) -> str:
    sources = zip(("weight", "bias"), step.sources[1:], strict=False)
    arrays = [step.weight(name, source.value) for name, source in sources if source.value is not None]
    return step.add("Gemm", step.names[0], *arrays, transB=1)


def _norm(step: Step) -> str:
    norm = affine(step.node, step.sources)
    y = step.add("Mul", step.names[0], step.weight("scale", laid_out(norm.scale, step.node.shape)))
    return step.add("Add", y, step.weight("shift", laid_out(norm.shift, step.node.shape)))


def _pool(operation: str, **attributes: Any) -> Rule:
    def rule(step: Step) -> str:
        kernel, strides, padding = step.options.how
        how = {"kernel_shape": kernel, "strides": strides, "pads": [*padding, *padding]}
        return step.add(operation, step.names[0], **how, **attributes)

    return rule


def _global_average(step: Step) -> str:
    return step.add("Flatten", step.add("GlobalAveragePool", step.names[0]), axis=1)  # (N, C, 1, 1) to (N, C)


def _each(operation: str) -> Rule:
    return lambda step: step.add(operation, step.names[0])


def _leaky_relu(step: Step) -> str:
    return step.add("LeakyRelu", step.names[0], alpha=step.options.negative_slope)


def _hard_tanh(step: Step) -> str:
    bounds = (step.weight(name, np.array(value, np.float32)) for name, value in (("low", -1), ("high", 1)))
    return step.add("Clip", step.names[0], *bounds)


def _log_softmax(step: Step) -> str:
    return step.add("LogSoftmax", step.names[0], axis=axis_of(-1, step.node.shape))


def _combine(operation: str) -> Rule:
    def rule(step: Step) -> str:
        operands = [
            name or step.weight("values", laid_out(source.value, step.node.shape))
            for source, name in zip(step.sources, step.names, strict=True)
        ]
        return step.add(operation, *operands)

    return rule


def _reshape(step: Step) -> str:
    return _reshaped(step, step.names[0], step.sources[0].shape)


def _reshaped(step: Step, x: str, shape: Shape) -> str:
    """The numbers of x, in minidl's order, in the shape of the step's output; 0 is: as many as there were."""
    x = step.writer.channels_last(x, shape)
    y = step.add("Reshape", x, step.whole("shape", [0, *step.node.shape]))
    return step.writer.channels_first(y, step.node.shape)


def _transpose(step: Step) -> str:
    x = step.writer.channels_last(step.names[0], step.node.shape)
    return step.writer.channels_first(step.add("Transpose", x, perm=step.options.axes), step.node.shape)


def _slice(step: Step) -> str:
    x = step.sources[0]
    taken = [(axis_of(axis, x.shape), part) for axis, part in slices(step.node, x)][1:]  # all of the batch
    starts, stops, steps = zip(*[(part.start, part.stop, part.step) for _, part in taken], strict=True)
    ends = [stop if stop >= 0 else -(2**31) for stop in stops]  # -1 is before the first, of a slice that runs backwards
    y = step.add(
        "Slice",
        step.names[0],
        step.whole("starts", starts),
        step.whole("ends", ends),
        step.whole("axes", [axis for axis, _ in taken]),
        step.whole("steps", steps),
    )
    shape = tuple(len(range(part.start, part.stop, part.step)) for _, part in slices(step.node, x))[1:]
    return y if shape == step.node.shape else _reshaped(step, y, shape)


def _pad(step: Step) -> str:
    widths = [(0, 0)] * len(step.options.widths)
    for axis, width in enumerate(step.options.widths):
        widths[axis_of(axis, step.node.shape)] = width
    return step.add("Pad", step.names[0], step.whole("pads", [n for side in zip(*widths, strict=True) for n in side]))


def _concatenate(step: Step) -> str:
    return step.add("Concat", *step.names, axis=axis_of(step.options.axis, step.node.shape))


def _broadcast(step: Step) -> str:
    shape = [1, *step.node.shape]  # 1 is broadcast to the batch
    order = FIRST if is_map(step.node.shape) else range(len(shape))
    return step.add("Expand", step.names[0], step.whole("shape", [shape[axis] for axis in order]))


RULES: dict[str, Rule] = {
    "Conv2d": _conv,
    "Linear": _linear,
    "BatchNormInference": _norm,
    "MaxPool2d": _pool("MaxPool"),
    "AvgPool2d": _pool("AveragePool", count_include_pad=1),
    "GlobalAvgPool2d": _global_average,
    "ReLU": _each("Relu"),
    "LeakyReLU": _leaky_relu,
    "HardTanh": _hard_tanh,
    "Sigmoid": _each("Sigmoid"),
    "Tanh": _each("Tanh"),
    "LogSoftmax": _log_softmax,
    "Add": _combine("Add"),
    "Sub": _combine("Sub"),
    "Mul": _combine("Mul"),
    "Div": _combine("Div"),
    "Neg": _each("Neg"),
    "Reshape": _reshape,
    "Transpose": _transpose,
    "GetItem": _slice,
    "Pad": _pad,
    "Concatenate": _concatenate,
    "BroadcastTo": _broadcast,
}
