"""The cells of the comparison of batches: which networks belong to one batch and decay, and how they are drawn."""

from __future__ import annotations

from typing import Any

from visual.style import BLUE, VERMILLION

Record = dict[str, Any]
DEPTH = 9  # of VGG-9, whose batch and decay vary


def decays(record: Record) -> list[float]:
    """Return the weight decays, smallest first."""
    return sorted({net["decay"] for net in record["nets"].values() if net["depth"] == DEPTH})


def batches(record: Record) -> list[int]:
    """Return the small and the large batch."""
    return sorted({net["batch"] for net in record["nets"].values() if net["depth"] == DEPTH})


def cell(record: Record, batch: int, decay: float) -> list[str]:
    """Return the names of the networks of one batch and decay, a seed each."""
    nets = record["nets"].values()
    return [net["name"] for net in nets if (net["depth"], net["batch"], net["decay"]) == (DEPTH, batch, decay)]


def colour(record: Record, batch: int) -> str:
    """Return blue for the small batch, vermillion for the large one, in every figure."""
    return BLUE if batch == batches(record)[0] else VERMILLION


def residual(record: Record, **wanted: Any) -> list[Record]:
    """Return the residual layouts with these settings, in the order of training."""
    nets = [net for net in record["nets"].values() if net["depth"] != DEPTH]
    return [net for net in nets if all(net[key] == value for key, value in wanted.items())]
