"""What the exporters are tested on: networks of random steps, and one with every operation that has a rule."""

import math

import numpy as np
from hypothesis import strategies as st

from minidl import nn, ops
from minidl.nn.models.resnet import BasicBlock

MOVES = ["pad", "slice", "single", "turn", "concat", "twice", "broadcast"]
ARITHMETIC = ["relu", "hardtanh", "residual", "scale", "constant", "minus", "half"]
WINDOWS = ["conv", "grouped", "depthwise", "maxpool", "avgpool"]
EXACT = MOVES + ARITHMETIC + WINDOWS  # sums and products of small whole numbers, with halves now and then
ROUNDED = [*EXACT, "bn", "bn-relu", "A", "B", "leaky", "sigmoid", "tanh", "softmax", "divide"]


class Drawn(nn.Module):
    """A network from a list of steps on (H, W, C); a step that does not fit is left out."""

    def __init__(self, kinds, shape, end, whole, rng):
        self.end, self.steps = end, []
        for kind in kinds:
            made = _layer(kind, shape, rng)
            if made is not None:
                layer, shape = made
                self.steps.append((kind, layer))
        features = math.prod(shape) if end == "flat" else shape[-1]
        self.linear = nn.Linear(features, int(rng.integers(1, 11)), bias=bool(rng.integers(2)), rng=rng)
        for p in self.parameters():
            p.data[...] = rng.integers(-1, 2, p.shape) if whole else rng.standard_normal(p.shape) / 3
        for name, buffer in self.named_buffers():
            buffer[...] = rng.uniform(0.5, 2, buffer.shape) if "var" in name else rng.standard_normal(buffer.shape)

    def forward(self, x):
        for kind, layer in self.steps:
            x = _apply(kind, layer, x)
        match self.end:
            case "map":
                return x
            case "flat":
                return self.linear(ops.flatten(x))
            case "mean":
                return self.linear(ops.global_avg_pool2d(x))
            case "first":
                return self.linear(x[:, 0, -1])


def _layer(kind, shape, rng):
    """The layer of a step, if it needs one, and the shape that it makes of (H, W, C); None where it does not fit."""
    h, w, c = shape
    match kind:
        case "conv" | "grouped" | "depthwise":
            groups = {"conv": 1, "grouped": 2, "depthwise": c}[kind]
            kernel, stride, padding = (tuple(map(int, rng.integers(*limits, 2))) for limits in ((1, 4), (1, 3), (0, 4)))
            filters = c if kind == "depthwise" else groups * int(rng.integers(1, 10))
            size = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip((h, w), kernel, stride, padding, strict=True)]
            if c % groups or min(size) < 1 or max(size) > 16:
                return None
            layer = nn.Conv2d(c, filters, kernel, stride, padding, groups, bias=bool(rng.integers(2)), rng=rng)
            return layer, (*size, filters)
        case "maxpool" | "avgpool":
            if min(h, w) < 2:
                return None
            layer = (nn.MaxPool2d if kind == "maxpool" else nn.AvgPool2d)((2, 2), 2, (1, 0))
            return layer, (h // 2 + 1, w // 2, c)
        case "A" | "B":
            return BasicBlock(c, c + 3, 2, kind, rng), ((h + 1) // 2, (w + 1) // 2, c + 3)
        case "bn" | "bn-relu":
            return nn.BatchNorm2d(c, relu=kind == "bn-relu"), shape
        case "residual":
            return nn.Conv2d(c, c, 3, padding=1, rng=rng), shape
        case "scale":
            return nn.Linear(c, c, rng=rng), shape
        case "constant" | "minus" | "divide":
            sizes = [(), (c,), (w, 1), (1, h, 1, c)]
            return rng.integers(1, 4, sizes[rng.integers(4)]).astype(np.float32), shape
        case "pad":
            return None if c > 12 else (None, (h + 1, w, c + 2))
        case "slice":
            return None, ((h + 1) // 2, w, (c + 1) // 2)
        case "single":
            return None, (h, 1, c)
        case "turn":
            return None, (w, c, h)
        case "concat":
            return (nn.Conv2d(c, 3, 1, rng=rng), (h, w, c + 3)) if c < 12 else None
        case "twice":
            return (None, (2 * h, w, c)) if h < 6 else None
        case "broadcast":
            return (None, (h, w + 1, c)) if w < 6 else None
    return None, shape


def _apply(kind, layer, x):
    match kind:
        case "relu":
            return ops.relu(x)
        case "hardtanh":
            return ops.hardtanh(x)
        case "leaky":
            return ops.leaky_relu(x, 0.3)
        case "sigmoid":
            return ops.sigmoid(x)
        case "tanh":
            return ops.tanh(x)
        case "softmax":
            return ops.log_softmax(x)
        case "residual":
            return ops.relu(layer(x) + x)
        case "scale":  # a factor for each channel of each sample
            return x * layer(ops.hardtanh(x[:, 0, 0])).reshape(x.shape[0], 1, 1, -1)
        case "constant":
            return layer + x * layer
        case "minus":
            return layer - (-x)
        case "divide":
            return x / layer
        case "half":
            return x * 0.5
        case "pad":
            return ops.pad(x, ((0, 0), (1, 0), (0, 0), (0, 2)))
        case "slice":
            return x[:, ::2, :, : (x.shape[-1] + 1) // 2]
        case "single":
            return x[..., -1, :].reshape(x.shape[0], x.shape[1], 1, -1)
        case "turn":
            return x.transpose(0, 2, 3, 1)
        case "concat":
            return ops.concatenate([layer(x), x])
        case "twice":
            return ops.concatenate([x, x[:, ::-1]], axis=1)
        case "broadcast":
            n, h, w, c = x.shape
            return ops.broadcast_to(x[:, :, :1], (n, h, w + 1, c))
    return layer(x)


@st.composite
def drawn(draw, kinds):
    """Draw a network of these steps, whether its numbers are whole, and its input shape."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(st.integers(1, 5)))
    end = draw(st.sampled_from(["map", "flat", "mean", "first"]))
    steps = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=6))
    return Drawn(steps, shape, end, kinds is EXACT, rng).eval(), shape, rng


def every_rule():
    """A network with every operation that has a rule, and its input shape."""
    kinds = (
        "grouped depthwise pad turn maxpool bn bn-relu scale avgpool twice broadcast concat residual leaky constant "
        "minus hardtanh half B relu A single slice tanh divide sigmoid conv softmax"
    )
    return Drawn(kinds.split(), (5, 9, 6), "mean", False, np.random.default_rng(5)).eval(), (5, 9, 6)
