"""Both ends of the spectrum of a symmetric matrix that is known by its products with vectors alone.

Lanczos builds an orthonormal basis in which the matrix is tridiagonal; the ends of that small matrix's spectrum soon
agree with those of the large one, and how well is known: ‖H v - θ v‖ costs nothing.  The basis is kept and every new
vector made orthogonal to all of it, so no eigenvalue is found twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minidl.types import Array


@dataclass(frozen=True)
class Ends:
    """What is known of the two ends.

    Attributes
    ----------
    values : (2,) smallest and largest
    residuals : (2,) ‖H v - θ v‖; an eigenvalue lies within this distance of each value
    vectors : (2, P) of length 1, largest entry positive
    products : how many were spent
    converged : whether both residuals are below the tolerance; False, and all else NaN, if the matrix is not finite
    """

    values: Array
    residuals: Array
    vectors: Array
    products: int
    converged: bool


def lanczos(times: Callable[[Array], Array], start: Array, tolerance: float = 1e-2, max_products: int = 100) -> Ends:
    """Find the smallest and the largest eigenvalue.

    Parameters
    ----------
    times : (P,) -> (P,), the product with the matrix
    start : (P,), not orthogonal to what is sought: a random vector, or a good guess and something random
    tolerance : of each residual, relative to its eigenvalue, or to a hundredth of the other where that is more.  Not to
        the other itself: near 0 there always is an eigenvalue, which says nothing of the smallest
    max_products : when to give up; the best that is known then is returned, and said not to have converged

    Examples
    --------
    >>> ends = lanczos(lambda v: np.array([-1.0, 2.0, 5.0]) * v, np.ones(3), tolerance=1e-9)
    >>> ends.values.round(6).tolist(), ends.converged
    ([-1.0, 5.0], True)
    """
    limit = min(max_products, len(start))
    basis = np.empty((limit, len(start)), start.dtype)  # (K, P) orthonormal rows
    basis[0] = start / np.linalg.norm(start)
    diagonal: list[float] = []
    beside: list[float] = []
    for k in range(limit):
        w = times(basis[k])
        diagonal.append(float(w @ basis[k]))
        for _ in range(2):  # twice is enough
            w = w - (basis[: k + 1] @ w) @ basis[: k + 1]
        beside.append(float(np.linalg.norm(w)))
        if not np.isfinite(diagonal[-1] + beside[-1]):
            nan = np.full(2, np.nan)
            return Ends(nan, nan, np.full((2, len(start)), np.nan, start.dtype), k + 1, converged=False)
        values, small = np.linalg.eigh(np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1))
        ends, scale = [0, -1], float(np.abs(values).max())
        residuals = beside[-1] * np.abs(small[-1, ends])
        converged = bool((relative(values[ends], residuals) <= tolerance).all())
        invariant = beside[-1] <= 10 * np.finfo(start.dtype).eps * scale  # nothing new can be reached
        if (converged and k > 0) or invariant or k + 1 == limit:
            break
        basis[k + 1] = w / beside[-1]
    vectors = small[:, ends].T @ basis[: k + 1]  # (2, P)
    return Ends(values[ends], residuals, _fix_signs(vectors), k + 1, converged)


def relative(values: Array, residuals: Array) -> Array:
    """Divide residuals by the size of their eigenvalues, or by a hundredth of the larger size where that is more."""
    sizes = np.abs(values)
    sizes = np.maximum(sizes, sizes.max() / 100)
    return np.asarray(np.divide(residuals, sizes, out=np.where(residuals > 0, np.inf, 0.0), where=sizes > 0))


def _fix_signs(vectors: Array) -> Array:
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    fixed: Array = vectors * np.where(largest < 0, -1, 1).astype(vectors.dtype)
    return fixed
