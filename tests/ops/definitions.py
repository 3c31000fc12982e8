"""The operations' definitions as slow loops or one line of NumPy: what the tests believe.

Arguments and names are those of `minidl.ops`; nothing here is fast, and nothing is shared with what it checks.
"""

from __future__ import annotations

import numpy as np


def power(x, exponent):
    return x ** float(exponent)


def where(a, b, condition):
    return np.where(condition, a, b)


def leaky_relu(x, negative_slope):
    return np.maximum(x, 0) + negative_slope * np.minimum(x, 0)


def linear(x, weight, bias=0.0):
    return np.einsum("nc,oc->no", x, weight) + bias


def sum_to(x, shape):
    """Each element of x goes to the place that broadcasting would have copied it from."""
    y = np.zeros(shape)
    for index, value in np.ndenumerate(x):
        kept = index[x.ndim - len(shape) :]
        y[tuple(0 if n == 1 else i for i, n in zip(kept, shape, strict=True))] += value
    return y


def log_softmax(x):
    p = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
    return np.log(p)


def _window_reads(x_shape, kernel, stride, padding):
    """For every output pixel: (i, j) and the list of (k, l, row, column) of the window's pixels inside the image."""
    _, height, width, _ = x_shape
    rows, columns = (
        (n + 2 * p - k) // s + 1 for n, p, k, s in zip((height, width), padding, kernel, stride, strict=True)
    )
    for i in range(rows):
        for j in range(columns):
            reads = [
                (k, l, i * stride[0] + k - padding[0], j * stride[1] + l - padding[1])
                for k in range(kernel[0])
                for l in range(kernel[1])
            ]
            yield (i, j), [(k, l, r, c) for k, l, r, c in reads if 0 <= r < height and 0 <= c < width]


def _empty_output(x, channels, kernel, stride, padding):
    last = max(pixel for pixel, _ in _window_reads(x.shape, kernel, stride, padding))
    return np.zeros((len(x), last[0] + 1, last[1] + 1, channels))


def conv2d(x, weight, bias=None, stride=(1, 1), padding=(0, 0), groups=1):
    """Filter o reads the channels of its own group only."""
    filters, *kernel, depth = weight.shape
    y = _empty_output(x, filters, kernel, stride, padding)
    for (i, j), reads in _window_reads(x.shape, kernel, stride, padding):
        for o in range(filters):
            first = o // (filters // groups) * depth
            for k, l, r, c in reads:
                y[:, i, j, o] += x[:, r, c, first : first + depth] @ weight[o, k, l]
    return y if bias is None else y + bias


def max_pool2d(x, kernel_size, stride, padding):
    stride = kernel_size if stride is None else stride
    y = _empty_output(x, x.shape[3], kernel_size, stride, padding)
    for (i, j), reads in _window_reads(x.shape, kernel_size, stride, padding):
        y[:, i, j] = np.max([x[:, r, c] for _, _, r, c in reads], axis=0)
    return y


def avg_pool2d(x, kernel_size, stride, padding):
    stride = kernel_size if stride is None else stride
    y = _empty_output(x, x.shape[3], kernel_size, stride, padding)
    for (i, j), reads in _window_reads(x.shape, kernel_size, stride, padding):
        y[:, i, j] = np.sum([x[:, r, c] for _, _, r, c in reads], axis=0) / (kernel_size[0] * kernel_size[1])
    return y


def batch_norm(x, weight, bias, residual=0.0, *, running_mean, running_var, training, relu, eps=1e-5):
    axes = tuple(range(x.ndim - 1))
    mean, var = (x.mean(axes), x.var(axes)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias + residual
    return np.maximum(y, 0) if relu else y


def dropout(x, p, rng):
    """The contract of the seed: keep where the generator's next float32 draw is p or more."""
    if p == 0:
        return x
    kept = np.random.default_rng(rng).random(x.shape, dtype=np.float32) >= p
    return np.where(kept, x / (1 - p), 0)


def _reduce(losses, reduction):
    return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](losses)


def cross_entropy(logits, labels, label_smoothing, reduction):
    n, k = logits.shape
    target = np.full((n, k), label_smoothing / k)
    target[np.arange(n), labels] += 1 - label_smoothing
    return _reduce(-(target * log_softmax(logits)).sum(axis=1), reduction)


def mse(y, target, reduction):
    return _reduce((y - target) ** 2, reduction)


def squared_hinge(scores, target, reduction):
    return _reduce(np.maximum(0, 1 - target * scores) ** 2, reduction)
