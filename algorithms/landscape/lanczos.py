"""Both ends of the spectrum of a symmetric matrix that is known by its products with vectors alone.

Lanczos builds an orthonormal basis in which the matrix is tridiagonal; the ends of that small matrix's spectrum soon
agree with those of the large one, and how well is known: ‖H v - θ v‖ costs nothing.  The basis is kept and every new
vector made orthogonal to all of it, so no eigenvalue is found twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    for known in tridiagonal(times, start, max_products):
        if not known.finite:
            nan = np.full(2, np.nan)
            return Ends(nan, nan, np.full((2, len(start)), np.nan, start.dtype), known.products, converged=False)
        values, small = known.eigenpairs()
        ends = [0, -1]
        residuals = known.beside[-1] * np.abs(small[-1, ends])
        converged = bool((relative(values[ends], residuals) <= tolerance).all())
        if converged and known.products > 1:
            break
    vectors = small[:, ends].T @ known.basis  # (2, P)
    return Ends(values[ends], residuals, _fix_signs(vectors), known.products, converged)


@dataclass
class Tridiagonal:
    """What K products have told: the matrix seen from inside an orthonormal basis.

    Attributes
    ----------
    basis : (K, P) orthonormal rows
    diagonal, beside : K entries each; the last of `beside` leads out of the basis
    """

    basis: Array
    diagonal: list[float]
    beside: list[float]

    @property
    def products(self) -> int:
        return len(self.diagonal)

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.diagonal[-1] + self.beside[-1]))

    @property
    def exhausted(self) -> bool:
        """Whether nothing new can be reached, since what the basis spans is invariant."""
        scale = max(map(abs, [*self.diagonal, *self.beside[:-1]]))
        return bool(self.beside[-1] <= 10 * np.finfo(self.basis.dtype).eps * scale)

    def eigenpairs(self) -> tuple[Array, Array]:
        """Eigenvalues (K,), rising, and eigenvectors (K, K), in columns, of the small matrix."""
        beside = self.beside[:-1]
        values, vectors = np.linalg.eigh(np.diag(self.diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        return values, vectors


def tridiagonal(times: Callable[[Array], Array], start: Array, max_products: int) -> Iterator[Tridiagonal]:
    """Yield what is known after every product with the matrix, until it is exhausted, or no longer finite."""
    limit = min(max_products, len(start))
    basis = np.empty((limit, len(start)), start.dtype)
    basis[0] = start / np.linalg.norm(start)
    diagonal: list[float] = []
    beside: list[float] = []
    for k in range(limit):
        w = times(basis[k])
        diagonal.append(float(w @ basis[k]))
        for _ in range(2):  # twice is enough
            w = w - (basis[: k + 1] @ w) @ basis[: k + 1]
        beside.append(float(np.linalg.norm(w)))
        known = Tridiagonal(basis[: k + 1], diagonal, beside)
        yield known
        if not known.finite or known.exhausted:
            return
        if k + 1 < limit:
            basis[k + 1] = w / beside[-1]


def relative(values: Array, residuals: Array) -> Array:
    """Divide residuals by the size of their eigenvalues, or by a hundredth of the larger size where that is more."""
    sizes = np.abs(values)
    sizes = np.maximum(sizes, sizes.max() / 100)
    return np.asarray(np.divide(residuals, sizes, out=np.where(residuals > 0, np.inf, 0.0), where=sizes > 0))


def _fix_signs(vectors: Array) -> Array:
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    fixed: Array = vectors * np.where(largest < 0, -1, 1).astype(vectors.dtype)
    return fixed
