"""Networks that hypothesis draws to be pruned, each with a gate behind every activation: the definition of removal.

A gate multiplies a feature map by 0 or 1 where it is finished, behind batch norm and activation; which gate belongs to
which filter is said here by hand, layer by layer, without the channel labels that are to be tested.
"""

import numpy as np
from hypothesis import strategies as st

from minidl import nn, ops

KINDS = (
    "conv", "A", "B", "plain", "concat", "twice", "depthwise", "multiplied", "grouped", "excite", "scale", "maxpool",
    "avgpool",
)  # fmt: skip
ACTS = {"relu": ops.relu, "hardtanh": ops.hardtanh, "leaky": ops.leaky_relu, "none": lambda x: x}


class Unit(nn.Module):
    """A convolution, batch norm or not, an activation, a gate."""

    def __init__(self, conv, norm, act):
        self.conv, self.act = conv, act
        self.norm = nn.BatchNorm2d(len(conv.weight.numpy())) if norm else None

    def forward(self, x):
        x = self.conv(x)
        return ACTS[self.act](x if self.norm is None else self.norm(x))


class Block(nn.Module):
    """A residual block: zero-padded ("A"), projected ("B") or, where the shape stays, identical shortcut."""

    def __init__(self, channels, out, stride, shortcut, act, rng):
        self.inner = Unit(nn.Conv2d(channels, out + 1, 3, stride, 1, bias=False, rng=rng), True, act)
        self.outer = Unit(nn.Conv2d(out + 1, out, 3, 1, 1, bias=False, rng=rng), True, "none")
        self.projection = None
        if shortcut == "B":
            self.projection = Unit(nn.Conv2d(channels, out, 1, stride, bias=False, rng=rng), True, "none")
        self.stride, self.act = stride, act

    def forward(self, x, gate):
        y = self.outer(gate(self.inner(x), "inner.conv"))
        if self.projection is not None:
            shortcut = self.projection(x)
        else:
            x = x[:, :: self.stride, :: self.stride]
            shortcut = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, y.shape[-1] - x.shape[-1])))
        return gate(ACTS[self.act](y + shortcut), "outer.conv")


class Net(nn.Module):
    """A list of steps; `makers[i]` are the layers that make the channels behind step i, side by side."""

    def __init__(self, steps, size, channels, flat, heads, rng):
        self.parts, self.makers, self.flat, self.gates = {}, {}, flat, None
        self.size, self.channels = size, channels
        makers = []
        for i, (kind, act, norm, width) in enumerate(steps):
            name = f"{kind}{i}"
            part, makers = self.make(name, kind, act, norm, width, makers, rng)
            self.parts[name], self.makers[name] = part, tuple(makers)
        features = self.channels * (self.size**2 if flat else 1)
        self.hidden = nn.Linear(features, 3, rng=rng)
        self.heads = [nn.Linear(3, 2, rng=rng) for _ in range(heads)]

    def make(self, name, kind, act, norm, width, makers, rng):
        size, channels = self.size, self.channels
        conv = f"parts.{name}.conv"
        match kind:
            case "conv" | "concat":
                part = Unit(nn.Conv2d(channels, width, 3, padding=1, bias=not norm, rng=rng), norm, act)
                self.channels = width + (channels if kind == "concat" else 0)
                makers = (makers or [f"input {channels}"]) * (kind == "concat") + [conv]
            case "A" | "B" | "plain":
                stride = 2 if size > 1 and width > 2 else 1
                width += channels if kind == "A" else 0
                part = Block(channels, width, stride, "B" if kind == "B" else "A", act, rng)
                if kind == "plain":  # the shape stays
                    part = Block(channels, channels, 1, "A", act, rng)
                    stride, width = 1, channels
                self.channels, self.size = width, -(-size // stride)
                makers = [f"parts.{name}.outer.conv"]
            case "depthwise":
                part = Unit(nn.DepthwiseConv2d(channels, 3, padding=1, bias=not norm, rng=rng), norm, act)
            case "multiplied":  # depthwise with two filters for each channel
                part = Unit(nn.Conv2d(channels, 2 * channels, 3, padding=1, groups=channels, rng=rng), norm, act)
                self.channels *= 2
                makers = [conv]
            case "grouped":
                groups = next(g for g in (2, 3, 1) if channels % g == 0)
                part = Unit(nn.Conv2d(channels, groups * width, 3, padding=1, groups=groups, rng=rng), norm, act)
                self.channels = groups * width
                makers = [conv]
            case "excite":
                part = nn.Linear(channels, channels, rng=rng)
            case "scale":
                part = nn.Parameter(rng.standard_normal(channels).astype(np.float32))
            case "twice":
                part, self.channels, makers = None, 2 * channels, 2 * (makers or [f"input {channels}"])
            case "maxpool" | "avgpool":
                part = (nn.MaxPool2d if kind == "maxpool" else nn.AvgPool2d)(2) if size > 1 else None
                self.size = max(1, size // 2)
        return part, makers

    def gate(self, x, name, layers):
        """Multiply by the gates of the layers that make x, if they are set; the input has no filters and no gate."""
        if self.gates is None or not layers:
            return x
        known = [np.ones(int(m.split()[1]), x.dtype) if m.startswith("input") else self.gates[m] for m in layers]
        return x * np.concatenate(known).astype(x.dtype)

    def forward(self, x):
        for name, part in self.parts.items():
            kind, makers = name.rstrip("0123456789"), self.makers[name]
            match kind:
                case "A" | "B" | "plain":
                    x = part(x, lambda y, layer, name=name: self.gate(y, name, [f"parts.{name}.{layer}"]))
                case "concat":
                    y = part(x)
                    x = ops.concatenate([x, self.gate(y, name, makers[-1:])])
                case "twice":
                    x = ops.concatenate([x, x])
                case "excite":  # a factor for each channel of each sample, from the sample itself
                    x = x * ops.hardtanh(part(ops.global_avg_pool2d(x))).reshape(x.shape[0], 1, 1, -1)
                case "scale":
                    x = x * part
                case "maxpool" | "avgpool":
                    x = x if part is None else part(x)
                case _:
                    x = self.gate(part(x), name, makers)
        x = ops.relu(self.hidden(ops.flatten(x) if self.flat else ops.global_avg_pool2d(x)))
        x = self.gate(x, "hidden", ["hidden"])
        return ops.concatenate([head(x) for head in self.heads])


def randomize(net, rng, integers=False):
    """Give every parameter and statistic a value of its own: normal numbers, or integers and powers of two.

    With integers every sum is exact in float32, so that its order does not matter.
    """
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            n = len(module.running_var)
            if integers:
                module.eps = 0.0
                module.weight.data[:] = rng.choice([-1, -0.5, 0.5, 1], n)
                module.running_var[:] = rng.choice([0.25, 1, 4], n)
                module.running_mean[:], module.bias.data[:] = rng.integers(-1, 2, n), rng.integers(-1, 2, n)
            else:
                module.weight.data[:], module.bias.data[:] = rng.standard_normal(n), rng.standard_normal(n)
                module.running_mean[:], module.running_var[:] = rng.standard_normal(n), rng.uniform(0.5, 2, n)
        elif integers:
            for value in vars(module).values():
                if isinstance(value, nn.Parameter):
                    value.data[...] = rng.integers(-1, 2, value.shape)
    if integers and isinstance(net, Net):
        for part in net.parts.values():
            if isinstance(part, nn.Parameter):
                part.data[...] = rng.choice([-1, 1, 2], part.shape)
    return net.eval()


@st.composite
def nets(draw, integers=False, acts=tuple(ACTS), max_steps=5):
    """Draw (network in evaluation mode, input shape, generator)."""
    size, channels = draw(st.sampled_from([1, 2, 4])), draw(st.integers(1, 3))
    step = st.tuples(st.sampled_from(KINDS), st.sampled_from(acts), st.booleans(), st.integers(1, 4))
    first = st.tuples(st.just("conv"), st.sampled_from(acts), st.booleans(), st.integers(2, 6))
    steps = [draw(first), *draw(st.lists(step, max_size=max_steps))]
    if draw(st.integers(0, 5)) == 0:
        steps = steps[1:] + steps[:1]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    net = Net(steps, size, channels, draw(st.booleans()), draw(st.integers(1, 2)), rng)
    return randomize(net, rng, integers), (size, size, channels), rng


def gates_of(net, plan):
    """Set the gates of a network to a plan: 1 for a filter that stays, 0 for one that leaves."""
    layers = {layer for makers in net.makers.values() for layer in makers} | {"hidden"}
    layers |= {f"parts.{name}.inner.conv" for name in net.parts if name.rstrip("0123456789") in ("A", "B", "plain")}
    return {layer: plan.kept(layer).astype(np.float32) for layer in layers if layer in plan.channels.weights}


def doubled(net):
    """Make every parameter and statistic float64, in place."""
    for module in net.modules():
        for holder in (vars(module), getattr(module, "parts", {})):
            for key, value in holder.items():
                if isinstance(value, nn.Parameter):
                    value.data = value.data.astype(np.float64)
                elif isinstance(value, np.ndarray):
                    holder[key] = value.astype(np.float64)
    return net
