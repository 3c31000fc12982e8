"""Does sharpness order networks by their test error?  Spearman's rank correlation, with a bootstrap interval.

Networks are resampled with replacement, both measures of sharpness together, so that their difference has an interval
too.  With a dozen networks all of these are wide, and networks that differ in their seed only are not independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from minidl.types import Array

Interval = dict[str, float]


def rank_correlations(
    error: Sequence[float], sharpness: Mapping[str, Sequence[float]], resamples: int, seed: int
) -> dict[str, Interval]:
    """Correlate each kind of sharpness with `error`; "difference" is the first kind's correlation minus the second's.

    Examples
    --------
    >>> found = rank_correlations([1, 2, 3, 4], {"a": [1, 2, 3, 9], "b": [4, 3, 2, 1]}, resamples=50, seed=0)
    >>> [round(found[name]["mean"], 9) for name in ("a", "b", "difference")]
    [1.0, -1.0, 2.0]
    """
    values = np.array([error, *sharpness.values()], np.float64)  # (K + 1, N)
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, values.shape[1], (resamples, values.shape[1]))
    names = list(sharpness)
    whole, sampled = _spearman(values), _spearman(values[:, draws])  # (K,), (K, B)
    found = {name: _percentiles(float(whole[i]), sampled[i]) for i, name in enumerate(names)}
    difference = found[names[0]]["mean"] - found[names[1]]["mean"]
    return found | {"difference": _percentiles(difference, sampled[0] - sampled[1])}


def _spearman(values: Array) -> Array:
    """Correlate the ranks along the last axis: (K + 1, ..., N) -> (K, ...), row 0 with each other; NaN if constant."""
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    lengths = np.linalg.norm(ranks, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((ranks[1:] * ranks[0]).sum(axis=-1) / (lengths[1:] * lengths[0]))


def _percentiles(mean: float, sampled: Array) -> Interval:
    low, high = np.nanpercentile(sampled, [2.5, 97.5])
    return {"mean": mean, "low": float(low), "high": float(high)}
