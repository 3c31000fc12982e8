"""What a metric is called, its unit, and the scale on which several sheets show it first.

Leaves out drawing; a metric without an entry here is shown under its own name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from visual.scale import shared_scale
from visual.style import finite
from visual.viewer.sheet import Sheet


@dataclass(frozen=True)
class Metric:
    """Words for a metric; values are multiplied by `factor` to come in `unit`."""

    label: str
    unit: str = ""
    factor: float = 1.0


METRICS = {
    "loss": Metric("loss", "nats per image"),
    "accuracy": Metric("accuracy", "%", 100.0),
    "std_error": Metric("standard error", "nats"),
    "difference_error": Metric("error against the centre", "nats"),
}
BEYOND = 10.0  # the bar reaches to so many caps: values far above would leave the rest no room on it


def metric_of(key: str) -> Metric:
    """Return the words for a metric.

    >>> metric_of("accuracy").unit, metric_of("sharpness").label
    ('%', 'sharpness')
    """
    return METRICS.get(key, Metric(key))


def in_units(key: str, values: Any) -> np.ndarray:
    """Return values in the metric's unit, with NaN for what is not finite.

    >>> in_units("accuracy", [0.5, float("inf")]).tolist()
    [50.0, nan]
    """
    return finite(values) * metric_of(key).factor


def describe(key: str, sheets: Sequence[Sheet], cap: float | None) -> dict[str, Any] | None:
    """Return what the page must know of a metric, by the values of all sheets; None where no value is finite.

    `cap` bounds the loss that is shown first; the handles of the bar reach further.
    """
    values = np.concatenate([in_units(key, sheet.values[key]).ravel() for sheet in sheets if key in sheet.values])
    if np.isnan(values).all():
        return None
    cap = cap if key == "loss" else None
    whole = shared_scale(values, cap=None if cap is None else BEYOND * cap, log=False)
    scale = shared_scale(values, cap=cap, log=None if key == "loss" else False)
    words = metric_of(key)
    return {
        "key": key, "label": words.label, "unit": words.unit,
        "low": scale.low, "high": scale.high, "log": scale.log,
        "least": whole.low, "most": whole.high, "above": whole.clips(values),
    }  # fmt: skip
