"""Chapter 3, loss landscapes: what the surface around a trained network looks like, and what its sharpness says.

Facts and notation follow Li, Xu, Taylor, Studer and Goldstein, "Visualizing the Loss Landscape of Neural Nets", 2018.
"""

from algorithms.landscape.check import Finding, self_check
from algorithms.landscape.convexity import CurvatureMap, curvature_map
from algorithms.landscape.curvature import (
    Estimate,
    Extremes,
    hessian_extremes,
    hessian_trace,
    layer_traces,
    slice_curvature,
)
from algorithms.landscape.derivatives import gradient, hessian_times
from algorithms.landscape.directions import Direction, between, cosine, normalize, random_direction
from algorithms.landscape.numbers import (
    Interval,
    barrier,
    convex_share,
    expected_sharpness,
    half_width,
    interval,
    reach,
)
from algorithms.landscape.path import PathLosses, path_losses
from algorithms.landscape.penalty import decay_term, with_decay
from algorithms.landscape.refine import refined_plane
from algorithms.landscape.scan import scan
from algorithms.landscape.slice import moved
from algorithms.landscape.spans import Span, through
from algorithms.landscape.spectrum import Density, spectral_density
from algorithms.landscape.surface import Surface, interpolate, line, lines, plane
from algorithms.landscape.tally import Scan
from algorithms.landscape.trajectory import Trajectory, project, random_walk_explained, trajectories, trajectory
from algorithms.landscape.two_pixels import two_pixels
from algorithms.landscape.workers import workers

__all__ = [
    "CurvatureMap", "Density", "Direction", "Estimate", "Extremes", "Finding", "Interval", "PathLosses", "Scan",
    "Span", "Surface", "Trajectory", "barrier", "between", "convex_share", "cosine", "curvature_map", "decay_term",
    "expected_sharpness", "gradient", "half_width", "hessian_extremes", "hessian_times", "hessian_trace",
    "interpolate", "interval", "layer_traces", "line", "lines", "moved", "normalize", "path_losses", "plane",
    "project", "random_direction", "random_walk_explained", "reach", "refined_plane", "scan", "self_check",
    "slice_curvature", "spectral_density", "through", "trajectories", "trajectory", "two_pixels", "with_decay",
    "workers",
]  # fmt: skip
