"""From scores of filters to an order of channels: layers that must agree are heard together, ties go to the first.

Which criterion gave the scores, and how many channels are to leave, is none of this file's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from algorithms.pruning.channels import Channels, Group
from algorithms.pruning.criteria import CRITERIA, gamma
from minidl.types import Array

Criterion = str | Mapping[str, Array]  # a name in CRITERIA, "gamma", or layer -> (O,) scores such as of `image_scores`
COMBINE = ("sum", "mean", "max", "shortcut")


@dataclass
class Ranking:
    """Orders the channels of a group, the first to leave in front.

    Attributes
    ----------
    channels, arrays : the network's structure, and its parameters and buffers by name
    criterion : a name, or the scores themselves
    combine : how the scores of layers that share a channel become one: "sum", "mean", "max", or "shortcut": the first
        layer alone, 1x1 projections before all others (the paper's rule for ResNet-34, section 3.3)
    projections : names of the layers that are 1x1 projection shortcuts
    min_keep : filters that every layer keeps at least
    """

    channels: Channels
    arrays: Mapping[str, Array]
    criterion: Criterion
    combine: str
    projections: frozenset[str]
    min_keep: int
    rng: np.random.Generator
    _known: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.criterion, str) and self.criterion not in (*CRITERIA, "gamma"):
            raise ValueError(
                f"found criterion {self.criterion!r}, expected one of {', '.join(CRITERIA)}, gamma, or scores by layer "
                "such as image_scores gives"
            )
        if self.combine not in COMBINE:
            raise ValueError(f"found combine={self.combine!r}, expected one of {', '.join(COMBINE)}")
        if self.min_keep < 1:
            raise ValueError(f"found min_keep={self.min_keep}, expected at least 1: a layer needs a filter")
        if self.criterion == "gamma":
            self.criterion = gamma(self.channels, self.arrays)

    @property
    def is_of_weights(self) -> bool:
        """Whether the criterion can leave out kernels that read removed channels, as "greedy" must."""
        return isinstance(self.criterion, str)

    def order(self, group: Group) -> Array:
        """Positions of the channels that may leave, in the order in which they do."""
        if group.name not in self._known:
            self._known[group.name] = self._ordered(group, self.scores(group))
        return self._known[group.name]

    def greedy_order(self, group: Group, gone: Array) -> Array:
        """Return the same, scored without the kernels that read channels which are gone."""
        return self._ordered(group, self.scores(group, gone))

    def scores(self, group: Group, gone: Array | None = None) -> Array:
        """(n,) one score per channel of the group."""
        position = {int(channel): i for i, channel in enumerate(group.channels)}
        layers = sorted(group.layers, key=lambda layer: layer not in self.projections)  # stable: projections first
        scores = np.full((len(layers), len(group)), np.nan)  # NaN where a layer does not make the channel
        for row, layer in zip(scores, layers, strict=True):
            where = [position[int(channel)] for channel in self.channels.of_filters(layer)]
            row[where] = 0
            np.add.at(row, where, self._layer(layer, gone))
        return _COMBINERS[self.combine](scores)

    def _layer(self, layer: str, gone: Array | None) -> Array:
        """(O,) scores of one layer's filters."""
        name = self.channels.weights[layer]
        if isinstance(self.criterion, str):
            weight = self.arrays[name]
            inputs = self.channels.axes.get((name, weight.ndim - 1))
            if gone is not None and inputs is not None:
                weight = np.compress(~gone[inputs], weight, axis=-1)
            scores = CRITERIA[self.criterion](weight, self.rng)
        elif layer not in self.criterion:
            raise ValueError(
                f"the criterion has no scores for {layer}, expected one number for each of its filters: gamma has them "
                "where a batch norm follows"
            )
        else:
            scores = np.asarray(self.criterion[layer], np.float64)
        if scores.shape != self.arrays[name].shape[:1]:
            raise ValueError(
                f"the scores of {layer} are {scores.shape}, expected {len(self.arrays[name])} numbers, one for each "
                "filter: were they made for another network?"
            )
        if not np.isfinite(scores).all():
            raise ValueError(
                f"{np.sum(~np.isfinite(scores))} of the scores of {layer} are not finite numbers, expected all to be: "
                "has the training diverged?"
            )
        return scores

    def _ordered(self, group: Group, scores: Array) -> Array:
        """Ascending scores, ties by position, passing over what would leave some layer with too few filters."""
        makes = np.array([np.isin(group.channels, self.channels.of_filters(layer)) for layer in group.layers])  # (L, n)
        spare = makes.sum(axis=1) - self.min_keep
        order = []
        for position in np.argsort(scores, kind="stable"):
            if (spare[makes[:, position]] > 0).all():
                spare -= makes[:, position]
                order.append(position)
        return np.array(order, np.int64)


def _first(scores: Array) -> Array:
    """Of each column, the first that is not NaN."""
    return scores[(~np.isnan(scores)).argmax(axis=0), np.arange(scores.shape[1])]  # type: ignore[no-any-return]


_COMBINERS: dict[str, Callable[[Array], Array]] = {
    "sum": lambda scores: np.nansum(scores, axis=0),
    "mean": lambda scores: np.nanmean(scores, axis=0),
    "max": lambda scores: np.nanmax(scores, axis=0),
    "shortcut": _first,
}
