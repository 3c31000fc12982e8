"""The range of losses that a picture shows, and its colours: shared between pictures, honest about what it cuts off.

Leaves out drawing (see landscape.py); a logarithm is taken of the loss itself, never of the loss plus an offset.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.ticker import MaxNLocator

from visual.style import finite


@dataclass(frozen=True)
class Scale:
    """The range of loss a picture shows: values above `high` are drawn as clipped, `log` spaces colours by ratio."""

    low: float
    high: float
    log: bool = False

    @property
    def norm(self) -> Normalize:
        return LogNorm(self.low, self.high) if self.log else Normalize(self.low, self.high)

    def clips(self, loss: np.ndarray) -> bool:
        """Say whether some value lies above the range."""
        return bool((np.nan_to_num(loss, nan=self.low) > self.high).any())


def shared_scale(*surfaces: Any, cap: float | None = None, log: bool | None = None) -> Scale:
    """Return one `Scale` for several surfaces (arrays of any shape), so that equal colours mean equal losses.

    `cap` bounds the range from above; `log` defaults to true for positive values that span a factor of 20 or more.

    >>> shared_scale([[0.1, 2.0]], [[8.0, 50.0]], cap=10)
    Scale(low=0.1, high=10.0, log=True)
    """
    values = np.concatenate([finite(surface).ravel() for surface in surfaces])
    values = values[~np.isnan(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    high = high if cap is None else min(high, float(cap))
    if high <= low:  # a constant surface still needs a range with two ends
        high = low + (abs(low) or 1.0) * 0.05
    if log and low <= 0:
        raise ValueError(f"a log scale needs positive values, the smallest is {low:g}; draw with log=False")
    return Scale(low, high, low > 0 and high / low >= 20 if log is None else log)


def contour_levels(scale: Scale, count: int = 6) -> np.ndarray:
    """Return about `count` round levels inside `scale`: even steps, or on a log scale 1-2-5 steps (finer if too few).

    >>> contour_levels(Scale(0.1, 10, log=True), 5).tolist()
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
    """
    if not scale.log:
        return _within(scale, MaxNLocator(count + 2, steps=[1, 2, 5, 10]).tick_values(scale.low, scale.high))
    decades = range(int(np.floor(np.log10(scale.low))), int(np.ceil(np.log10(scale.high))) + 1)
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        levels = _within(scale, [float(f"{step}e{decade}") for decade in decades for step in steps])
        if len(levels) >= count:
            break
    return levels


def surface_map() -> Colormap:
    """Return viridis with a near-white of its own for values that are clipped.

    >>> surface_map().name
    'viridis'
    """
    viridis = colormaps["viridis"]
    return viridis.with_extremes(over="#fdf9e0", under=viridis(0.0), bad=(0, 0, 0, 0))


def line_map() -> Colormap:
    """Return viridis without its yellow end, which vanishes on white paper.

    >>> line_map().N
    256
    """
    return ListedColormap(colormaps["viridis"](np.linspace(0, 0.82, 256)))


def _within(scale: Scale, values: Any) -> np.ndarray:
    levels = np.asarray(values, dtype=np.float64)
    return levels[(levels >= scale.low) & (levels <= scale.high)]
