"""From measurements to the claims: every comparison paired by seed with its interval, and the rank correlations."""

from __future__ import annotations

import numpy as np

from algorithms.experiments.landscape.nets import residual_nets, vgg_nets, vgg_pairs
from algorithms.experiments.landscape.ranks import rank_correlations
from algorithms.experiments.landscape.settings import Settings
from algorithms.experiments.landscape.workshop import Record
from algorithms.landscape import interval

RATIOS = ("norm_ratio", "joined_rise_ratio", "raw_sharpness_ratio", "sharpness_ratio")


def verdicts(s: Settings, record: Record, seed: int) -> Record:
    """Compute all of them."""
    batches = {f"{decay:g}": _compare_batches(s, record, decay, seed) for decay in (0.0, s.decay)}
    return {
        "batches": batches,
        "effect_of_decay": {kind: _effect_of_decay(list(batches.values()), kind) for kind in RATIOS},
        "ranks": {
            "vgg9": _ranks(s, record, [net.name for net in vgg_nets(s, seed)], seed),
            "all": _ranks(s, record, list(record["lines"]), seed),
        },
        "paths": _paths(record),
        "repeatability": _repeatability(s, record, seed),
        "architectures": {net.name: _architecture(record, net.name) for net in residual_nets(s, seed)},
    }


def _mean(values: list[float]) -> Record:
    """Mean with its 95 % interval, and the values."""
    found = interval(values)
    return {"mean": found.mean, "low": found.low, "high": found.high, "values": [float(value) for value in values]}


def _compare_batches(s: Settings, record: Record, decay: float, seed: int) -> Record:
    """Large batch against small at one decay; ratios as base-10 logarithms, above 0 where the large batch's is more."""
    pairs = {name: (a.name, b.name) for name, (a, b) in vgg_pairs(s, seed).items() if a.decay == decay}
    lines, weights = record["lines"], record["weights"]

    def ratio(small: float, large: float) -> float:
        return float(np.log10(large / small)) if small > 0 and large > 0 else float("nan")

    def sharpness(kind: str) -> list[float]:
        return [ratio(*(lines[name][kind][-1]["mean"] for name in pair)) for pair in pairs.values()]

    rises = [record["joins"][name]["rise"][0] for name in pairs]
    joined = [ratio(rise["small"], rise["large"]) for rise in rises]
    return {
        "test_error_difference": _mean([lines[b]["test_error"] - lines[a]["test_error"] for a, b in pairs.values()]),
        "norm_ratio": _mean([ratio(*(weights[name]["norm"][-1] for name in pair)) for pair in pairs.values()]),
        "joined_rise_ratio": _mean(joined),
        "raw_sharpness_ratio": _mean(sharpness("raw_sharpness")),
        "sharpness_ratio": _mean(sharpness("sharpness")),
    }


def _effect_of_decay(batches: list[Record], kind: str) -> Record:
    """By how much decay changes the large batch's ratio to the small one's, paired by seed."""
    without, with_decay = (told[kind]["values"] for told in batches)
    return _mean([b - a for a, b in zip(without, with_decay, strict=True)])


def _ranks(s: Settings, record: Record, names: list[str], seed: int) -> Record:
    """Correlate at every step; the claim is about the last."""
    lines = record["lines"]
    errors = [lines[name]["test_error"] for name in names]
    found: Record = {"nets": len(names)}
    for i, (radius, step) in enumerate(zip(s.radii, s.raw_steps, strict=True)):
        sharpness = {kind: [lines[name][kind][i]["mean"] for name in names] for kind in ("sharpness", "raw_sharpness")}
        found[f"{radius:g}"] = {"raw_step": step} | rank_correlations(errors, sharpness, s.resamples, seed)
    return found


def _paths(record: Record) -> Record:
    """Share of the path's variance in its plane, over all paths, and that of a random walk."""
    shares = [sum(path["explained"]) for path in record["paths"].values()]
    baseline = sum(next(iter(record["paths"].values()))["baseline"])
    return {"share": _mean(shares), "least": min(shares), "most": max(shares), "random_walk": baseline}


def _repeatability(s: Settings, record: Record, seed: int) -> Record:
    families = {"vgg9": vgg_nets(s, seed), "residual": residual_nets(s, seed)}
    found: Record = {"bands_overlap": _overlap(s, record, seed)}
    for family, nets in families.items():
        spreads = [record["lines"][net.name]["spread"] for net in nets]
        deviations = [spread["relative_deviation_at_ends"] for spread in spreads]
        found[family] = {
            "relative_deviation_at_ends": {"median": float(np.median(deviations)), "most": max(deviations)},
            "least_correlation": min(spread["least_correlation"] for spread in spreads),
        }
    return found


def _overlap(s: Settings, record: Record, seed: int) -> dict[str, bool]:
    """Whether the bands of small and large batch touch at the ends of the lines, by pair."""
    touching = {}
    for name, pair in vgg_pairs(s, seed).items():
        small, large = (np.array(record["lines"][net.name]["loss"])[:, [0, -1]] for net in pair)
        touching[name] = bool((small.max(axis=0) >= large.min(axis=0)).any())
    return touching


def _architecture(record: Record, name: str) -> Record:
    lines, plane = record["lines"][name], record["planes"][name]
    kept = {key: lines[key] for key in ("train_loss", "train_error", "test_error")}
    rises = {"sharpness": lines["sharpness"][-1]["mean"], "raw_sharpness": lines["raw_sharpness"][-1]["mean"]}
    return kept | rises | {"convex_share": plane["convex_share"], "share_below": plane["share_below"]}
