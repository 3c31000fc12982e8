"""The largest and smallest curvature at a point: extreme eigenvalues of the loss's Hessian.

Products with the Hessian are exact (`minidl.hvp`); SciPy's Lanczos solver needs nothing else.  The ratio
|λ_min / λ_max| near 0 says that the loss is convex there for practical purposes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl import hvp
from minidl.data import Dataset, batches
from minidl.nn import Module, Parameter
from minidl.ops import cross_entropy
from minidl.training import evaluating
from minidl.types import Array


@dataclass(frozen=True)
class Extremes:
    """The two ends of the Hessian's spectrum, and how many products with it they took."""

    largest: float
    smallest: float
    products: int


def hessian_extremes(
    model: Module, dataset: Dataset, batch_size: int = 250, tolerance: float = 1e-2, ignore_1d: bool = True, seed: int = 0
) -> Extremes:
    """λ_max and λ_min of the Hessian of the mean loss over `dataset`, in evaluation mode.

    Parameters
    ----------
    ignore_1d : over the weights with two or more dimensions only, as the paper's code does
    tolerance : relative accuracy asked of Lanczos

    Raises
    ------
    ValueError
        If Lanczos does not converge, with the number of products spent.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    params = [p for p in model.parameters() if p.ndim > 1 or not ignore_1d]
    size = sum(p.size for p in params)
    products = 0

    def times(vector: Array) -> Array:
        nonlocal products
        products += 1
        return hessian_times(model, dataset, params, vector.ravel(), batch_size)

    operator = LinearOperator((size, size), matvec=times, dtype=np.float64)
    start = np.random.default_rng(seed).standard_normal(size)
    try:
        ends = eigsh(operator, k=2, which="BE", tol=tolerance, v0=start, return_eigenvectors=False)
    except ArpackNoConvergence:
        raise ValueError(f"Lanczos did not converge in {products} products: raise `tolerance`, or use more images") from None
    return Extremes(float(ends.max()), float(ends.min()), products)


def hessian_times(model: Module, dataset: Dataset, params: list[Parameter], vector: Array, batch_size: int) -> Array:
    """The Hessian of the mean loss times a flat vector, batch by batch, summed in float64."""
    ends = np.cumsum([p.size for p in params])[:-1]
    parts = [part.reshape(p.shape) for part, p in zip(np.split(vector, ends), params, strict=True)]
    total = np.zeros(len(vector))
    with evaluating(model):
        for x, labels in batches(dataset, batch_size, seed=0, epoch=0, shuffle=False):
            along = hvp(lambda x=x, y=labels: cross_entropy(model(x), y, reduction="sum"), params, parts)
            total += np.concatenate([h.numpy().ravel() for h in along])
    return total / len(dataset)
