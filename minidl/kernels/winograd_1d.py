"""Winograd's small matrices for F(4×4, 3×3) in one dimension, on vectors of channels.

Bᵀ takes inputs, G takes taps and A takes outputs' gradients to the 6 points where convolution is a product; Aᵀ and Gᵀ
take the products back. Each function is its matrix with the common sums written once.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from .jit import jit


@jit
def input_1d(d):
    """Apply Bᵀ: 6 inputs → 6 points."""
    even, odd = d[4] - 4.0 * d[2], d[3] - 4.0 * d[1]
    even2, odd2 = d[4] - d[2], 2.0 * (d[3] - d[1])
    first, last = d[4] + 4.0 * d[0] - 5.0 * d[2], d[5] + 4.0 * d[1] - 5.0 * d[3]
    return first, even + odd, even - odd, even2 + odd2, even2 - odd2, last


@jit
def filter_1d(g):
    """Apply G: 3 taps → 6 points."""
    ends, ends2 = (1 / 6) * (g[0] + g[2]), (1 / 24) * g[0] + (1 / 6) * g[2]
    middle, middle2 = (1 / 6) * g[1], (1 / 12) * g[1]
    return 0.25 * g[0], (-1.0) * ends - middle, middle - ends, ends2 + middle2, ends2 - middle2, g[2]


@jit
def output_1d(m):
    """Apply Aᵀ: 6 points → 4 outputs."""
    even, odd, even2, odd2 = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return m[0] + even + even2, odd + 2.0 * odd2, even + 4.0 * even2, odd + 8.0 * odd2 + m[5]


@jit
def grad_1d(g):
    """Apply A: 4 outputs' gradients → 6 points."""
    even, odd, even2, odd2 = g[0] + g[2], g[1] + g[3], g[0] + 4.0 * g[2], 2.0 * g[1] + 8.0 * g[3]
    return g[0], even + odd, even - odd, even2 + odd2, even2 - odd2, g[3]


@jit
def taps_1d(u):
    """Apply Gᵀ: 6 points → 3 taps."""
    sum1, sum2 = (1 / 6) * (u[1] + u[2]), u[3] + u[4]
    first = 0.25 * u[0] - sum1 + (1 / 24) * sum2
    middle = (1 / 6) * (u[2] - u[1]) + (1 / 12) * (u[3] - u[4])
    return first, middle, (1 / 6) * sum2 - sum1 + u[5]
