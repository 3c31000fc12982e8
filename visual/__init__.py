"""Figures and the report page, drawn from plain arrays and records.

Every `draw_*` takes `ax=` and returns what it drew on; nothing here trains, and nothing here knows minidl.
"""

from visual.animation import animate_path, animate_surfaces
from visual.curves import Recovery, draw_curve_panels, draw_curves, draw_recovery
from visual.engine import draw_broadcast, draw_convolution
from visual.graph import Node, draw_graph
from visual.landscape import draw_contour, draw_filled, draw_heat
from visual.landscape_line import draw_line
from visual.landscape_surface import draw_surface
from visual.pruning import (
    LayerWidth,
    draw_filter_norms,
    draw_kept_filters,
    draw_sensitivity,
    draw_tradeoff,
    draw_width_bars,
)
from visual.quantization import (
    draw_batch_effect,
    draw_changed_share,
    draw_toy_histograms,
    draw_weight_histogram,
    draw_weight_path,
)
from visual.scale import Scale, shared_scale
from visual.style import colours_for, panels, save, style
from visual.trajectory import draw_trajectory
from visual.viewer import Sheet, Walk, write_viewer

__all__ = [
    "LayerWidth",
    "Node",
    "Recovery",
    "Scale",
    "Sheet",
    "Walk",
    "animate_path",
    "animate_surfaces",
    "colours_for",
    "draw_batch_effect",
    "draw_broadcast",
    "draw_changed_share",
    "draw_contour",
    "draw_convolution",
    "draw_curve_panels",
    "draw_curves",
    "draw_filled",
    "draw_filter_norms",
    "draw_graph",
    "draw_heat",
    "draw_kept_filters",
    "draw_line",
    "draw_recovery",
    "draw_sensitivity",
    "draw_surface",
    "draw_toy_histograms",
    "draw_tradeoff",
    "draw_trajectory",
    "draw_weight_histogram",
    "draw_weight_path",
    "draw_width_bars",
    "panels",
    "save",
    "shared_scale",
    "style",
    "write_viewer",
]
