"""The paper's claims, each held against what was measured: confirmed, contradicted, or not decided by so few networks.

Where a claim has an interval it is decided if that leaves out zero.  Claims on architectures rest on one training each;
they are only seen or not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from algorithms.experiments.landscape.nets import Net, residual_nets
from algorithms.experiments.landscape.settings import Settings
from algorithms.experiments.landscape.workshop import Record


@dataclass(frozen=True)
class Claim:
    """What is claimed, what became of it, and the numbers."""

    claim: str
    verdict: str
    found: str


def claims(s: Settings, record: Record, found: Record, seed: int) -> list[Claim]:
    """Hold all of them against the verdicts `found`."""
    nets = residual_nets(s, seed)
    return [
        *_of_batches(s, found["batches"]),
        _of_decay(found["effect_of_decay"]["joined_rise_ratio"]),
        *_of_ranks(s, found["ranks"]["vgg9"]),
        *_of_shortcuts(s, nets, found["architectures"]),
        _of_width(s, nets, found["architectures"]),
        *_of_convexity(s, nets, record["maps"]),
        *_of_paths(found["paths"]),
        _of_repeats(found["repeatability"]),
    ]


def _decide(estimate: Record, positive: bool = True) -> str:
    """Say what an interval says of a claim that its mean is positive (or negative)."""
    low, high = (estimate["low"], estimate["high"]) if positive else (-estimate["high"], -estimate["low"])
    return "confirmed" if low > 0 else "contradicted" if high < 0 else "undecided"


def _seen(truth: bool) -> str:
    return "seen" if truth else "not seen"


def _factor(estimate: Record) -> str:
    mean, low, high = (10 ** estimate[key] for key in ("mean", "low", "high"))
    return f"large/small {mean:.2g} [{low:.2g}, {high:.2g}]"


def _of_batches(s: Settings, batches: Record) -> list[Claim]:
    found = []
    for decay, positive in ((0.0, True), (s.decay, False)):
        told, at = batches[f"{decay:g}"], f"decay {decay:g}"
        worse = told["test_error_difference"]
        points = "{:+.1f} points [{:.1f}, {:.1f}]".format(*(100 * worse[key] for key in ("mean", "low", "high")))
        joined, norm = told["joined_rise_ratio"], told["norm_ratio"]
        more = "large" if positive else "small"
        found += [
            Claim(f"{at}: the large batch has the higher test error", _decide(worse), points),
            Claim(
                f"{at}: the line between them shows the {more} batch sharper", _decide(joined, positive),
                _factor(joined),
            ),
            Claim(f"{at}: the {more} batch ends with smaller weights", _decide(norm, not positive), _factor(norm)),
            Claim(
                f"{at}: in filter norms the large batch is sharper", _decide(told["sharpness_ratio"]),
                _factor(told["sharpness_ratio"]),
            ),
        ]  # fmt: skip
    return found


def _of_decay(effect: Record) -> Claim:
    numbers = "large/small changes by the factor {:.2g} [{:.2g}, {:.2g}]".format(
        *(10 ** effect[key] for key in ("mean", "low", "high"))
    )
    return Claim("decay makes the small batch look sharper on the line", _decide(effect, positive=False), numbers)


def _of_ranks(s: Settings, ranks: Record) -> list[Claim]:
    told = ranks[f"{s.radii[-1]:g}"]

    def text(key: str) -> str:
        return "{mean:.2f} [{low:.2f}, {high:.2f}]".format(**told[key])

    orders = f"filter-normalized sharpness orders test error, rank correlation over {ranks['nets']} nets"
    return [
        Claim(orders, _decide(told["sharpness"]), text("sharpness")),
        Claim(
            "filter-normalized sharpness orders test error better than unnormalized", _decide(told["difference"]),
            f"unnormalized {text('raw_sharpness')}, difference {text('difference')}",
        ),
    ]  # fmt: skip


def _of_shortcuts(s: Settings, nets: list[Net], told: Record) -> list[Claim]:
    """Convex is what half of the plane's nodes are, by their second differences."""
    found = []
    for depth in s.depths:
        names = {net.shortcuts: net.name for net in nets if (net.depth, net.width) == (depth, s.width)}
        convex = {key: told[name]["convex_share"] for key, name in names.items()}
        deep = depth == s.depths[-1]
        claim = "with shortcuts only" if deep else "with and without shortcuts"
        seen = convex[True] > 0.5 and (convex[False] < 0.5 if deep else convex[False] > 0.5)
        numbers = "; ".join(f"{'with' if key else 'without'}: {_told(told[name])}" for key, name in names.items())
        found.append(Claim(f"{depth} layers: most of the plane is convex {claim}", _seen(seen), numbers))
    return found


def _told(net: Record) -> str:
    return (
        f"convex share {net['convex_share']:.0%}, sharpness {net['sharpness']:.2g} nats, training loss "
        f"{net['train_loss']:.2f}, test error {net['test_error']:.1%}"
    )


def _of_width(s: Settings, nets: list[Net], told: Record) -> Claim:
    chosen = sorted((net for net in nets if net.depth == s.depths[-1] and not net.shortcuts), key=lambda net: net.width)
    numbers = "; ".join(f"width {net.width:g}: {_told(told[net.name])}" for net in chosen)
    rises = [told[net.name]["sharpness"] for net in chosen]
    falls = all(a > b for a, b in pairwise(rises))
    return Claim(f"{s.depths[-1]} layers without shortcuts: the wider, the flatter", _seen(falls), numbers)


def _of_convexity(s: Settings, nets: list[Net], maps: Record) -> list[Claim]:
    medians = {net.shortcuts: maps[net.name]["median_ratio"] for net in nets if net.name in maps}
    numbers = f"median |λmin/λmax| {medians[True]:.2g} with, {medians[False]:.2g} without"
    claim = f"{s.depths[-1]} layers: negative curvature is relatively larger without shortcuts"
    return [Claim(claim, _seen(medians[False] > medians[True]), numbers)]


def _of_paths(told: Record) -> list[Claim]:
    share = told["share"]
    numbers = f"{told['least']:.0%} to {told['most']:.0%}, mean {share['mean']:.0%}"
    inside = told["least"] >= 0.4 and told["most"] <= 0.9
    walk = told["random_walk"]
    excess = {key: share[key] - walk for key in ("mean", "low", "high")}
    return [
        Claim("40 to 90 % of every path's variance lies in two dimensions", _seen(inside), numbers),
        Claim(
            "two dimensions hold more of a path's variance than of a random walk's", _decide(excess),
            f"mean {share['mean']:.0%} [{share['low']:.0%}, {share['high']:.0%}], a random walk {walk:.0%}",
        ),
    ]  # fmt: skip


def _of_repeats(told: Record) -> Claim:
    vgg, residual, overlaps = told["vgg9"], told["residual"], told["bands_overlap"].values()
    numbers = (
        f"bands over directions overlap at their ends in {sum(overlaps)} of {len(overlaps)} pairs; log losses of any "
        f"two directions correlate at least {vgg['least_correlation']:.2f} (residual networks "
        f"{residual['least_correlation']:.2f}); at the ends they deviate by "
        f"{vgg['relative_deviation_at_ends']['median']:.0%}"
    )
    return Claim("the draw of directions does not change which batch is sharper", _seen(not any(overlaps)), numbers)
