"""One line for several repetitions of a measurement: their mean, inside a band from the lowest to the highest.

Leaves out error models: with few seeds the extremes are the honest interval.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from visual.style import finite


def draw_band(ax: Axes, xs: Any, values: Any, colour: str, scale: float = 1.0, **line: Any) -> np.ndarray:
    """Draw `scale`·`values` of shape (T,) or (S, T) over `xs` (T,) and return the mean (T,) as drawn.

    Values that are not finite leave a gap; a single point gets a dot. `line` goes to `Axes.plot`.

    >>> from visual.style import axes_or_new
    >>> draw_band(axes_or_new(None), [1, 2], [[0.5, 1.0], [0.7, 1.0]], "k").tolist()
    [0.6, 1.0]
    """
    xs, values = finite(xs), scale * np.atleast_2d(finite(values))  # (T,), (S, T)
    if len(values) > 1:
        ax.fill_between(xs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0)
    mean: np.ndarray = values.mean(axis=0)
    ax.update_datalim([(x, 0) for x in xs if not np.isnan(x)], updatey=False)  # an unknown value still takes its place
    ax.plot(xs, mean, color=colour, **({"marker": "o"} if len(xs) == 1 else {}) | line)
    return mean
