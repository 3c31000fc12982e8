"""What the viewer and the animations are given: plain records of a surface and of a path over it.

Leaves out where they come from: a `Sheet` is arrays and texts, whatever measured them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from visual.landscape import check_grid
from visual.style import finite


@dataclass(frozen=True)
class Walk:
    """A path in the plane, one row per epoch.

    Attributes
    ----------
    path : (T, 2) coordinates, in the units of the sheet's axes.
    loss, in_plane : (T,) nats per image, of the networks themselves and of the points below them; or None.
    off_plane : (T,) distances from the plane; or None.
    drops : rows after which the learning rate falls.
    first : number of the first epoch.
    """

    path: Any
    loss: Any = None
    in_plane: Any = None
    off_plane: Any = None
    drops: Sequence[int] = ()
    first: int = 0


@dataclass(frozen=True)
class Sheet:
    """A surface over a plane.

    Attributes
    ----------
    name : what is seen, such as a network's.
    xs, ys : (X,), (Y,) coordinates along the two directions, rising.
    values : metric → (Y, X); the metrics that the viewer has words for are in `metrics.METRICS`.
    measured : (Y, X) of bool, False where a value was interpolated; None: all were measured.
    walk : a path over it.
    axes : names of the two directions.
    about : how it was made, name → text.
    """

    name: str
    xs: Any
    ys: Any
    values: Mapping[str, Any]
    measured: Any = None
    walk: Walk | None = None
    axes: tuple[str, str] = ("first direction", "second direction")
    about: Mapping[str, str] = field(default_factory=dict)


def check_sheet(sheet: Sheet) -> None:
    """Raise ValueError unless it is a grid of at least 2 x 2 nodes with values of its shape.

    >>> check_sheet(Sheet("a", [0, 1], [0, 1], {"loss": [[1, 2], [3, 4]]}))
    """
    xs, ys = finite(sheet.xs), finite(sheet.ys)
    if min(len(xs), len(ys)) < 2 or not (np.diff(xs) > 0).all() or not (np.diff(ys) > 0).all():
        raise ValueError(
            f"surface {sheet.name!r} has {len(xs)} x {len(ys)} nodes, expected at least 2 x 2 at rising coordinates"
        )
    if not sheet.values:
        raise ValueError(f"surface {sheet.name!r} has no values, expected at least its loss")
    for values in sheet.values.values():
        check_grid(xs, ys, finite(values))
