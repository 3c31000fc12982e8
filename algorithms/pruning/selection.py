"""How many filters of which group leave, from ratios; and which, from their order.

The arithmetic of the paper is here: removed = ceil(ratio · n), layer after layer, independent or greedy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from algorithms.pruning.channels import Channels, Group
from algorithms.pruning.scores import Ranking
from minidl.types import Array

STRATEGIES = ("independent", "greedy")
ROUNDINGS = ("up", "down", "nearest")


def select(ranking: Ranking, counts: Mapping[str, int], strategy: str = "independent") -> dict[str, Array]:
    """Positions to remove, `counts` of every group, in forward order; groups of which nothing leaves are left out."""
    if strategy not in STRATEGIES:
        raise ValueError(f'found strategy {strategy!r}, expected "independent" or "greedy"')
    if strategy == "greedy" and not ranking.is_of_weights:
        raise ValueError("the greedy strategy leaves out kernels, expected a criterion of weights such as l1 for it")
    gone = np.zeros(ranking.channels.count, bool)
    removed: dict[str, Array] = {}
    for group in ranking.channels.groups:
        if counts.get(group.name, 0) > 0:
            order = ranking.greedy_order(group, gone) if strategy == "greedy" else ranking.order(group)
            if len(leaving := np.sort(order[: counts[group.name]])):
                removed[group.name] = leaving
                gone[group.channels[leaving]] = True
    return removed


def gone_channels(channels: Channels, removed: Mapping[str, Array]) -> Array:
    """(channels.count,) which channels leave."""
    gone = np.zeros(channels.count, bool)
    for name, positions in removed.items():
        gone[channels.group_of(name).channels[positions]] = True
    return gone


def removed_count(ratio: float, n: int) -> int:
    """ceil(ratio · n), immune to floating-point noise, also of 32 bits: 0.3 · 10 is 3, not 4.

    Examples
    --------
    >>> [removed_count(p, n) for p, n in ((0.3, 10), (0.1, 16), (0.6, 16), (0.9, 100))]
    [3, 2, 10, 90]
    """
    return math.ceil(round(float(ratio) * n, 4))


def rounded(removed: int, n: int, multiple: int, rounding: str, most: int | None = None) -> int:
    """How many of n filters leave if those that stay are to be a multiple; at least one multiple stays, or all n.

    No more than `most` leave, if given, whatever the rule: then the next larger multiple stays.

    Examples
    --------
    >>> [rounded(10, 32, 8, rule) for rule in ("up", "down", "nearest")]  # 22 would stay: 24, 16, 24
    [8, 16, 8]
    >>> rounded(10, 32, 8, "down", most=12)
    8
    """
    if multiple < 1 or rounding not in ROUNDINGS:
        raise ValueError(
            f"found multiple={multiple}, rounding={rounding!r}, expected at least 1 and one of {', '.join(ROUNDINGS)}"
        )
    if not removed:
        return 0
    most = n if most is None else most
    kept = n - min(removed, most)
    steps = {"up": math.ceil(kept / multiple), "down": kept // multiple, "nearest": math.floor(kept / multiple + 0.5)}
    return n - min(max(steps[rounding], math.ceil((n - most) / multiple), 1) * multiple, n)


def ratios_by_group(
    channels: Channels, ratios: float | Mapping[str, float], skip: Sequence[str]
) -> list[tuple[Group, float]]:
    """Which groups are to lose which share of their filters, in forward order; raises ValueError in one clear line."""
    skipped = {channels.group_of(layer).name for layer in skip}
    if isinstance(ratios, Mapping):
        by_group = _named_ratios(channels, ratios)
    else:
        by_group = {group.name: ratios for group in channels.groups if not group.fixed}
    for name, ratio in by_group.items():
        if not 0 <= ratio < 1:
            raise ValueError(f"the ratio for {name} is {ratio}, expected 0 <= ratio < 1, the share to remove")
    return [(g, by_group[g.name]) for g in channels.groups if g.name in by_group and g.name not in skipped]


def _named_ratios(channels: Channels, ratios: Mapping[str, float]) -> dict[str, float]:
    by_group: dict[str, float] = {}
    for layer, ratio in ratios.items():
        group = channels.group_of(layer)
        if group.fixed:
            raise ValueError(f"the filters of {layer} may not leave: {group.fixed}")
        if by_group.setdefault(group.name, ratio) != ratio:
            raise ValueError(
                f"{layer} got the ratio {ratio} and {group.name} {by_group[group.name]}, expected one for both: their "
                "filters leave together"
            )
    return by_group
