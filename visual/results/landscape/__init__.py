"""Figures of `minidl reproduce landscape`, drawn from its JSON record alone; one file per study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visual.results.landscape.batches import draw_joined, draw_weights
from visual.results.landscape.directions import draw_directions
from visual.results.landscape.paths import draw_paths
from visual.results.landscape.ranks import draw_ranks
from visual.results.landscape.surfaces import draw_convexity, draw_depths, draw_depths_3d, draw_widths
from visual.style import save

FIGURES = {
    "interpolation": draw_joined,
    "weights": draw_weights,
    "sharpness": draw_ranks,
    "shortcuts": draw_depths,
    "shortcuts_3d": draw_depths_3d,
    "width": draw_widths,
    "convexity": draw_convexity,
    "trajectories": draw_paths,
    "repeatability": draw_directions,
}


def draw(record: dict[str, Any], folder: Path) -> list[Path]:
    """Draw every figure into `folder` and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [save(figure(record), folder / f"{name}.png") for name, figure in FIGURES.items()]
