"""How `minidl prune` is told how much leaves and by which rule, and which of these options go together."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

# Options that not every way to say how much looks at, with their defaults.
CHOICES: dict[str, Any] = {
    "strategy": "independent", "combine": "sum", "skip": "", "multiple": 1, "rounding": "up", "min_keep": 1,
    "target_cost": "macs", "scope": "local", "max_ratio": 0.9,
}  # fmt: skip
BY_RATIO = {"strategy", "combine", "skip", "multiple", "rounding", "min_keep"}
LOOKS_AT = {
    "ratio": BY_RATIO,
    "ratios": BY_RATIO,
    "preset": {"strategy"},
    "to": set(CHOICES),
    "milliseconds": set(CHOICES) - {"target_cost"},
    "lossless": set[str](),
    "plan": set[str](),
}


def add_how_much(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    how_much = parser.add_argument_group("how much leaves (one of)").add_mutually_exclusive_group()
    how_much.add_argument("--ratio", type=float, help="this share of the filters of every layer that may be pruned")
    how_much.add_argument(
        "--ratios",
        metavar="LAYER=R,...",
        help="a share for each layer, or of the channels that layers share; see `minidl sensitivity --macs`",
    )
    how_much.add_argument("--preset", help="as in the paper, such as resnet56-B; see `minidl cost --pruned`")
    how_much.add_argument("--to", type=float, metavar="SHARE", help="so much that this share of --target is left")
    how_much.add_argument(
        "--milliseconds", type=float, metavar="T", help="so much that 32 images take T milliseconds here"
    )
    how_much.add_argument("--lossless", action="store_true", help="only filters that provably never matter")
    how_much.add_argument("--plan", type=Path, metavar="FILE", help="what an earlier plan.json says")
    which = parser.add_argument_group("which filters leave (not every way to say how much looks at all of these)")
    which.add_argument(
        "--target", dest="target_cost", metavar="COST",
        help="for --to: macs, weights, parameters, bytes, channels, milliseconds (default: macs)",
    )  # fmt: skip
    which.add_argument("--scope", help="for --to: local, one ratio (default); global, smallest scores first")
    which.add_argument("--max-ratio", type=float, help="for --to: no layer loses a larger share (default: 0.9)")
    which.add_argument("--min-keep", type=int, metavar="N", help="every layer keeps N filters at least (default: 1)")
    which.add_argument("--strategy", help="independent or greedy (default: independent)")
    which.add_argument("--combine", help="scores of layers that leave together: sum (default), mean, max, shortcut")
    which.add_argument("--skip", metavar="LAYERS", help="names of layers that stay whole, by commas")
    which.add_argument("--multiple", type=int, metavar="K", help="keep multiples of K filters (default: 1)")
    which.add_argument("--rounding", help="to such a multiple: up (default), down, nearest")


def fill_in(args: argparse.Namespace) -> None:
    """Set what was not said to its default; refuse what was said in vain."""
    said = (way for way in LOOKS_AT if getattr(args, way) is not None and getattr(args, way) is not False)
    way = next(said, None)
    if way is None:
        raise ValueError(
            "prune was not told how much, expected --ratio, --ratios, --preset, --to, --milliseconds, --lossless or "
            "--plan"
        )
    for name, default in CHOICES.items():
        if getattr(args, name) is None:
            setattr(args, name, default)
        elif name not in LOOKS_AT[way]:
            option = "target" if name == "target_cost" else name.replace("_", "-")
            raise ValueError(f"prune got --{option}, which --{way} does not look at: leave one of them out")
