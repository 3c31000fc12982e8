"""Curvature at a point: the ends of the Hessian's spectrum, its trace, and the exact curvature of a slice.

Products with the Hessian are exact (`minidl.hvp`).  The ratio |λ_min / λ_max| near 0 says that the loss is convex there
for practical purposes; the curvatures of a random slice are averages of the spectrum, so a slice that looks convex only
says that positive curvature dominates (section 6 of the landscape paper).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from algorithms.landscape.derivatives import hessian_times, weights_of
from algorithms.landscape.directions import Direction, check_fit, dot, flatten, unflatten
from algorithms.landscape.lanczos import lanczos, relative
from minidl.data import Dataset
from minidl.nn import Module
from minidl.types import Array


@dataclass(frozen=True)
class Extremes:
    """The two ends of the Hessian's spectrum, how well they are known, and how many products they took.

    Attributes
    ----------
    largest, smallest : λ_max and λ_min
    largest_residual, smallest_residual : an eigenvalue lies within this distance of each
    largest_direction, smallest_direction : the eigenvectors, of length 1, to hand to `line` or `plane`
    products : Hessian-vector products spent
    converged : whether both residuals are within the tolerance; if not, the ends may lie further out

    See `hessian_extremes` for an example.
    """

    largest: float
    smallest: float
    largest_residual: float
    smallest_residual: float
    largest_direction: Direction
    smallest_direction: Direction
    products: int
    converged: bool

    @property
    def relative_residual(self) -> float:
        """Return the larger of the two residuals, relative as in `lanczos`."""
        residuals = np.array([self.smallest_residual, self.largest_residual])
        return float(relative(np.array([self.smallest, self.largest]), residuals).max())

    @property
    def ratio(self) -> float:
        """Return |λ_min / λ_max|."""
        return abs(self.smallest / self.largest) if self.largest else float("nan")


def hessian_extremes(
    model: Module,
    dataset: Dataset,
    batch_size: int = 250,
    tolerance: float = 1e-2,
    ignore_1d: bool = True,
    seed: int = 0,
    max_products: int = 100,
    only: Collection[str] | None = None,
    guess: Direction | None = None,
) -> Extremes:
    """Find λ_max and λ_min of the Hessian of the mean loss over `dataset`, in evaluation mode.

    Parameters
    ----------
    tolerance : of each residual, relative to its eigenvalue, or to a hundredth of the other where that is more
    ignore_1d : over the weights with two or more dimensions only, as the paper's code does
    max_products : when to give up; `converged` says whether that was too early.  The basis takes as many times the
        memory of the weights
    only : names of layers or parameters, for the curvature of these alone
    guess : where to begin, such as the sum of the eigenvectors found nearby

    Examples
    --------
    >>> import minidl
    >>> images = minidl.data.load("fashion-mnist-mini", "test").subset(50)
    >>> net = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(784, 10, rng=0))
    >>> ends = hessian_extremes(net, images)  # convex in the weights of one layer
    >>> ends.converged, ends.largest > 0, ends.ratio < 0.01
    (True, True, True)
    """
    weights = {name: p.data for name, p in weights_of(model, only, ignore_1d).items()}
    names = list(weights)
    times, size, dtype = hessian_operator(model, dataset, batch_size, ignore_1d, only)
    start = np.random.default_rng(seed).standard_normal(size)
    if guess is not None:  # with something random, to find also what the guess does not hold
        start = flatten(guess, names) / np.sqrt(dot(guess, guess)) + 0.1 * start / np.linalg.norm(start)
    ends = lanczos(times, start.astype(dtype), tolerance, max_products)
    smallest, largest = (unflatten(vector, weights, names) for vector in ends.vectors)
    return Extremes(
        largest=float(ends.values[1]),
        smallest=float(ends.values[0]),
        largest_residual=float(ends.residuals[1]),
        smallest_residual=float(ends.residuals[0]),
        largest_direction=largest,
        smallest_direction=smallest,
        products=ends.products,
        converged=ends.converged,
    )


def hessian_operator(
    model: Module, dataset: Dataset, batch_size: int = 250, ignore_1d: bool = True, only: Collection[str] | None = None
) -> tuple[Callable[[Array], Array], int, np.dtype]:
    """Return the Hessian as what multiplies flat vectors (P,), its size P, and what it computes in."""
    weights = {name: p.data for name, p in weights_of(model, only, ignore_1d).items()}
    names = list(weights)
    dtype = np.result_type(*weights.values())

    def times(vector: Array) -> Array:
        along = hessian_times(model, dataset, unflatten(vector, weights, names), batch_size)
        return flatten(along, names).astype(dtype)

    return times, sum(w.size for w in weights.values()), dtype


@dataclass(frozen=True)
class Estimate:
    """A mean over random draws, its standard error and the draws themselves."""

    mean: float
    std_error: float
    draws: Array


def hessian_trace(
    model: Module,
    dataset: Dataset,
    probes: int = 10,
    seed: int = 0,
    batch_size: int = 250,
    ignore_1d: bool = True,
    only: Collection[str] | None = None,
) -> Estimate:
    """Estimate the trace of the Hessian by E[zᵀ H z] over random signs z (Hutchinson); one product a probe.

    Raises
    ------
    ValueError
        With fewer than 2 probes, or if no parameter is left.

    Examples
    --------
    >>> from algorithms.landscape import two_pixels
    >>> net, images, *_ = two_pixels()
    >>> found = hessian_trace(net, images, probes=50)  # of [[1/4, -1/4], [-1/4, 1/4]]: every draw is 0 or 1
    >>> round(found.mean, 2), round(found.std_error, 2)
    (0.44, 0.07)
    """
    parts = layer_traces(model, dataset, probes, seed, batch_size, ignore_1d, only)
    return _estimate(np.sum([part.draws for part in parts.values()], axis=0))


def layer_traces(
    model: Module,
    dataset: Dataset,
    probes: int = 10,
    seed: int = 0,
    batch_size: int = 250,
    ignore_1d: bool = True,
    only: Collection[str] | None = None,
) -> dict[str, Estimate]:
    """Estimate the trace of each parameter's own block, all from the same products: E[z_lᵀ (H z)_l] is that of block l.

    They add up to `hessian_trace`, draw by draw; mean curvature is a trace divided by the weight's size.

    Raises
    ------
    ValueError
        With fewer than 2 probes, or if no parameter is left.

    Examples
    --------
    >>> from minidl import nn
    >>> images = Dataset(np.array([[[[0]]], [[[255]]]], np.uint8), [0, 1])  # a black and a white pixel
    >>> layers = nn.Linear(1, 4, bias=False, rng=0), nn.ReLU(), nn.Linear(4, 2, bias=False, rng=1)
    >>> net = nn.Sequential(nn.Flatten(), *layers)
    >>> traces = layer_traces(net, images, probes=5)
    >>> list(traces)
    ['layers.1.weight', 'layers.3.weight']
    >>> bool(np.isclose(sum(part.mean for part in traces.values()), hessian_trace(net, images, probes=5).mean))
    True
    """
    if probes < 2:
        raise ValueError(f"the trace got probes={probes}, expected at least 2: one alone has no error bar")
    rng = np.random.default_rng(seed)
    weights = {name: p.data for name, p in weights_of(model, only, ignore_1d).items()}
    draws = {name: np.empty(probes) for name in weights}
    for i in range(probes):
        z = {name: rng.choice([-1.0, 1.0], w.shape).astype(w.dtype) for name, w in weights.items()}
        h_z = hessian_times(model, dataset, z, batch_size)
        for name, signs in z.items():
            draws[name][i] = np.vdot(signs, h_z[name])
    return {name: _estimate(values) for name, values in draws.items()}


def _estimate(draws: Array) -> Estimate:
    return Estimate(float(draws.mean()), float(draws.std(ddof=1) / np.sqrt(len(draws))), draws)


def slice_curvature(
    model: Module, dataset: Dataset, dx: Mapping[str, Array], dy: Mapping[str, Array], batch_size: int = 250
) -> Array:
    """Exact second derivatives of the loss in the plane: [[dxᵀ H dx, dxᵀ H dy], [dyᵀ H dx, dyᵀ H dy]], two products.

    (2, 2), in nats per step squared; raises ValueError if a direction does not fit the network.

    Examples
    --------
    >>> from algorithms.landscape import two_pixels
    >>> net, images, apart, alike = two_pixels()
    >>> (slice_curvature(net, images, apart, alike).round(3) + 0.0).tolist()  # a valley: curved one way, flat the other
    [[1.0, 0.0], [0.0, 0.0]]
    """
    for direction in (dx, dy):
        check_fit(model.state_dict(), direction)
    names = [name for name, _ in model.named_parameters() if name in dx or name in dy]
    values = dict(model.named_parameters())
    both = [{n: d.get(n, np.zeros(values[n].shape, values[n].dtype)) for n in names} for d in (dx, dy)]
    h_dx, h_dy = (hessian_times(model, dataset, d, batch_size) for d in both)
    mixed = (dot(both[1], h_dx) + dot(both[0], h_dy)) / 2  # equal but for rounding
    return np.array([[dot(both[0], h_dx), mixed], [mixed, dot(both[1], h_dy)]])
