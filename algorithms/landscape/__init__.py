"""Chapter 3, loss landscapes: what the surface around a trained network looks like, and what its sharpness says.

Facts and notation follow Li, Xu, Taylor, Studer and Goldstein, "Visualizing the Loss Landscape of Neural Nets", 2018.
"""

from algorithms.landscape.curvature import Extremes, hessian_extremes
from algorithms.landscape.directions import Direction, between, cosine, normalize, random_direction
from algorithms.landscape.scan import scan
from algorithms.landscape.slice import moved
from algorithms.landscape.surface import Surface, interpolate, line, plane
from algorithms.landscape.tally import Scan
from algorithms.landscape.trajectory import Trajectory, trajectory
from algorithms.landscape.workers import workers

__all__ = [
    "Direction", "Extremes", "Scan", "Surface", "Trajectory", "between", "cosine", "hessian_extremes", "interpolate",
    "line", "moved", "normalize", "plane", "random_direction", "scan", "trajectory", "workers",
]  # fmt: skip
