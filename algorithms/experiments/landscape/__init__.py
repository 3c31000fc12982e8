"""Chapter 3 on real images: what landscapes say of batch size, weight decay, shortcuts, width and training's path.

All networks are trained first, then everything is measured on them; the record holds every single value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeVar

from algorithms.experiments.landscape.batches import join, weigh
from algorithms.experiments.landscape.claims import claims
from algorithms.experiments.landscape.lines import measure_lines
from algorithms.experiments.landscape.nets import Net, deep_pair, residual_nets, vgg_nets, vgg_pairs
from algorithms.experiments.landscape.paths import measure_ground, measure_path
from algorithms.experiments.landscape.settings import SETTINGS, Settings
from algorithms.experiments.landscape.surfaces import measure_map, measure_plane
from algorithms.experiments.landscape.verdicts import verdicts
from algorithms.experiments.landscape.words import summary
from algorithms.experiments.landscape.workshop import Record, Workshop

T = TypeVar("T")
__all__ = ["SETTINGS", "Settings", "milestones", "reproduce", "summary"]


def milestones(settings: Settings) -> int:
    """How often `reproduce` calls `advance`: after every training, and after every measurement."""
    vgg, residual = vgg_nets(settings, 0), residual_nets(settings, 0)
    pairs = vgg_pairs(settings, 0)
    drawn = [net for net in vgg if net.seed == 0]
    trainings = len(vgg) + len(residual)
    return trainings + trainings + len(pairs) + 2 * len(vgg) + len(drawn) + len(residual) + len(deep_pair(settings, 0))


def reproduce(settings: Settings, folder: Path, seed: int, advance: Callable[[str], object]) -> Record:
    """Train what is not trained yet, measure what is not measured yet, and put it all into one record."""
    shop = Workshop(settings, folder, advance)
    vgg, residual = vgg_nets(settings, seed), residual_nets(settings, seed)
    for net in [*vgg, *residual]:
        shop.train(net)
    record: Record = _measured(shop, vgg, residual, seed)
    record["nets"] = {net.name: asdict(net) | {"seconds": shop.training_seconds(net)} for net in [*vgg, *residual]}
    record["seconds"] = {
        "training": sum(net["seconds"] for net in record["nets"].values()),
        "measuring": sum(part["seconds"] for kind in DECIDED_BY for part in record[kind].values()),
    }
    found = verdicts(settings, record, seed)
    return {"claims": claims(settings, record, found, seed), "verdicts": found} | record


# The settings that decide each kind of measurement, beside those of the trainings, which a run's folder holds.
DECIDED_BY = {
    "lines": ("line_images", "line_points", "test_images", "directions", "radii", "raw_steps"),
    "joins": ("line_images", "join_points"),
    "weights": (),
    "paths": (),
    "grounds": ("plane_images", "ground_points"),
    "planes": ("plane_images", "plane_points", "span"),
    "maps": ("map_images", "map_points", "map_products", "span"),
}


def _measured(shop: Workshop, vgg: list[Net], residual: list[Net], seed: int) -> dict[str, Record]:
    """Make every measurement of every kind, each under the name of its network or pair."""
    s = shop.settings

    def each(kind: str, subjects: Mapping[str, T], measure: Callable[[T], Record]) -> Record:
        asked = {name: getattr(s, name) for name in DECIDED_BY[kind]}
        return {name: shop.keep(f"{kind}-{name}", asked, partial(measure, what)) for name, what in subjects.items()}

    vggs, residuals, pair = _named(vgg), _named(residual), _named(deep_pair(s, seed))
    first = _named([net for net in vgg if net.seed == seed])
    return {
        "lines": each("lines", vggs | residuals, lambda net: measure_lines(shop, net, seed)),
        "joins": each("joins", vgg_pairs(s, seed), lambda nets: join(shop, *nets)),
        "weights": each("weights", vggs, lambda net: weigh(shop, net)),
        "paths": each("paths", vggs, lambda net: measure_path(shop, net)),
        "grounds": each("grounds", first, lambda net: measure_ground(shop, net)),
        "planes": each("planes", residuals, lambda net: measure_plane(shop, net, seed)),
        "maps": each("maps", pair, lambda net: measure_map(shop, net, seed)),
    }


def _named(nets: list[Net]) -> dict[str, Net]:
    return {net.name: net for net in nets}
