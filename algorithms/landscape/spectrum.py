"""The whole spectrum of the Hessian as a density, by stochastic Lanczos quadrature, with an error bar at every point.

For a random vector v of length 1, the spectrum seen from v, Σ_i (v · u_i)² δ(λ - λ_i), has the true spectrum as its
mean.  Lanczos from v gives a few nodes θ_k and weights τ_k that have the same moments Σ_k τ_k θ_kʲ = vᵀ Hʲ v, up to
j = 2 K - 1 (Gauss quadrature).  The density is their mean over several v, with a Gaussian at every node.  This leaves
out single eigenvalues; the ends are `hessian_extremes`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from algorithms.landscape.curvature import hessian_operator
from algorithms.landscape.lanczos import tridiagonal
from minidl.data import Dataset
from minidl.nn import Module
from minidl.types import Array


@dataclass(frozen=True)
class Density:
    """Share of the eigenvalues per unit of curvature, over a grid of curvatures.

    Attributes
    ----------
    at : (G,) curvatures
    density, std_error : (G,) mean over the probes, and its standard error
    bandwidth : standard deviation of the Gaussians: what is narrower cannot be told apart
    nodes, weights : (V, K) of the quadrature of each of V probes; weights of a probe sum to 1
    dimensions : how many eigenvalues there are in all
    products : Hessian-vector products spent

    Examples
    --------
    Two probes that saw the eigenvalues -1 and 3, with other weights:

    >>> nodes, weights = np.array([[-1.0, 3.0], [-1.0, 3.0]]), np.array([[0.25, 0.75], [0.5, 0.5]])
    >>> at = np.linspace(-2, 4, 7)
    >>> found = Density(at, 0 * at, 0 * at, 0.1, nodes, weights, dimensions=4, products=4)
    >>> found.share_below(0), found.moment(1)
    ((0.375, 0.125), (1.5, 0.5))
    """

    at: Array
    density: Array
    std_error: Array
    bandwidth: float
    nodes: Array
    weights: Array
    dimensions: int
    products: int

    def share_below(self, curvature: float) -> tuple[float, float]:
        """Share of the eigenvalues below, and its standard error: `share_below(0)` is the share that is negative."""
        return _mean_and_error((self.weights * (self.nodes < curvature)).sum(axis=1))

    def moment(self, order: int) -> tuple[float, float]:
        """Mean of λ to the power of `order` over all eigenvalues, and its standard error."""
        return _mean_and_error((self.weights * self.nodes**order).sum(axis=1))


def spectral_density(
    model: Module,
    dataset: Dataset,
    probes: int = 5,
    products: int = 40,
    seed: int = 0,
    bandwidth: float | None = None,
    points: int = 401,
    batch_size: int = 250,
    ignore_1d: bool = True,
    only: Collection[str] | None = None,
) -> Density:
    """Estimate the density of the Hessian's eigenvalues, of the mean loss over `dataset` in evaluation mode.

    Parameters
    ----------
    probes : random vectors; the error bars come from their spread
    products : Hessian-vector products for each; more resolve finer
    bandwidth : of the Gaussians, by default a hundredth of the range of the nodes
    points : of the grid, from the smallest node to the largest with a margin of three bandwidths
    batch_size, ignore_1d, only : see `hessian_extremes`

    Examples
    --------
    >>> import minidl
    >>> images = minidl.data.load("fashion-mnist-mini", "test").subset(50)
    >>> net = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(784, 10, rng=0))
    >>> found = spectral_density(net, images, probes=3, products=10)
    >>> width = found.at[1] - found.at[0]
    >>> round(float(found.density.sum() * width), 2), found.products
    (1.0, 30)
    """
    if probes < 2:
        raise ValueError(f"spectral_density got probes={probes}, expected at least 2: one alone has no error bar")
    times, size, dtype = hessian_operator(model, dataset, batch_size, ignore_1d, only)
    rng = np.random.default_rng(seed)
    nodes, weights = np.zeros((2, probes, min(products, size)))
    spent = 0
    for i in range(probes):
        *_, known = tridiagonal(times, rng.standard_normal(size).astype(dtype), products)
        if not known.finite:
            raise ValueError("the Hessian is not finite here, expected a point with a finite loss: it has no spectrum")
        values, small = known.eigenpairs()
        nodes[i, : len(values)], weights[i, : len(values)] = values, small[0] ** 2
        spent += known.products
    return _smooth(nodes, weights, bandwidth, points, size, spent)


def _smooth(nodes: Array, weights: Array, bandwidth: float | None, points: int, size: int, spent: int) -> Density:
    used = nodes[weights > 0]
    low, high = float(used.min()), float(used.max())
    sigma = bandwidth or (high - low) / 100 or abs(high) / 100 or 1.0
    at = np.linspace(low - 3 * sigma, high + 3 * sigma, points)
    bells = np.exp(-(((at - nodes[..., None]) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))  # (V, K, G)
    each = np.einsum("vk,vkg->vg", weights, bells)
    error = each.std(axis=0, ddof=1) / np.sqrt(len(each))
    return Density(at, each.mean(axis=0), error, sigma, nodes, weights, size, spent)


def _mean_and_error(draws: Array) -> tuple[float, float]:
    return float(draws.mean()), float(draws.std(ddof=1) / np.sqrt(len(draws)))
