"""Figures and the report page, drawn from plain arrays and records.

Every `draw_*` takes `ax=` and returns what it drew on; nothing here trains, and nothing here knows minidl.
"""

from visual.curves import Recovery, draw_curve_panels, draw_curves, draw_recovery
from visual.landscape import Scale, draw_contour, draw_filled, draw_heat, shared_scale
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
from visual.style import panels, save, style
from visual.trajectory import draw_trajectory
