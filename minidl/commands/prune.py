"""`minidl prune RUN`: remove filters from a trained network, and write a smaller one that any minidl command reads."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.commands import Output
from minidl.commands.trained import Trained, add_options, open_trained

if TYPE_CHECKING:
    from algorithms.pruning import Plan
    from minidl.nn import Module

CRITERIA = "l1, l2, geometric-median, gamma, random, largest"
ON_IMAGES = "mean-mean, mean-std, mean-l1, mean-l2, var-l2, apoz, taylor"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_options(parser)
    how_much = parser.add_argument_group("how much leaves (one of)").add_mutually_exclusive_group()
    how_much.add_argument("--ratio", type=float, help="this share of the filters of every layer that may be pruned")
    how_much.add_argument(
        "--ratios", metavar="LAYER=R,...", help="a share for each layer; see `minidl sensitivity --macs`"
    )
    how_much.add_argument("--preset", help="as in the paper, such as resnet56-B; see `minidl cost --pruned`")
    how_much.add_argument("--to", type=float, metavar="SHARE", help="so much that this share of --target is left")
    how_much.add_argument(
        "--milliseconds", type=float, metavar="T", help="so much that 32 images take T milliseconds here"
    )
    how_much.add_argument("--lossless", action="store_true", help="only filters that provably never matter")
    how_much.add_argument("--plan", type=Path, metavar="FILE", help="what an earlier plan.json says")
    parser.add_argument(
        "--target", default="macs", help="macs, weights, parameters, bytes, channels (default: %(default)s)"
    )
    parser.add_argument("--scope", default="local", help="for --to: local, one ratio; global, smallest scores first")
    parser.add_argument(
        "--criterion",
        default="l1",
        help=f"which filters leave first: {CRITERIA}; by answers to images: {ON_IMAGES} (default: l1)",
    )
    parser.add_argument("--strategy", default="independent", help="independent or greedy (default: %(default)s)")
    parser.add_argument(
        "--combine", default="sum", help="scores of layers that leave together: sum, mean, max, shortcut"
    )
    parser.add_argument("--skip", default="", metavar="LAYERS", help="names of layers that stay whole, by commas")
    parser.add_argument("--multiple", type=int, default=1, metavar="K", help="keep multiples of K filters (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and write nothing")
    parser.add_argument("--recalibrate", action="store_true", help="measure batch-norm statistics anew")
    parser.add_argument(
        "--retrain", type=int, default=0, metavar="EPOCHS", help="train the smaller network (default: 0)"
    )
    parser.add_argument(
        "--lr", type=float, default=0.001, help="constant rate of retraining (default: the paper's 0.001)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="for network, plan and figures (default: RUN/pruned)")
    parser.epilog = "Accuracies are those of images held out of training; the original network is left as it is."


def run(args: argparse.Namespace) -> Output:
    """Plan, and unless it is a dry run remove, retrain, evaluate, write, draw."""
    trained = open_trained(args)
    folder: Path = args.out or trained.folder / "pruned"
    if (folder / "checkpoint.npz").resolve() == trained.checkpoint.resolve():
        raise ValueError(f"--out {folder} holds the network itself, expected another folder: the original is to stay")
    plan = _plan(trained, args)
    if args.dry_run:
        return Output(str(plan), plan.record())
    small = plan.apply(trained.model)
    accuracy = _accuracies(trained, small, args)
    data = {**plan.record(), "accuracy": accuracy, "milliseconds": _milliseconds(trained, small)}
    files = _write(trained, plan, small, data, folder)
    now, then = data["milliseconds"]
    lines = [
        str(plan),
        "accuracy " + ", ".join(f"{name} {value:.2%}" for name, value in accuracy.items()),
        f"{now:.2f} to {then:.2f} ms for 32 images, {1 - then / now:.1%} saved ({_verdict(plan, now, then)})",
        f"written: {', '.join(map(str, files))}",
    ]
    return Output("\n".join(lines), {**data, "files": [str(file) for file in files]})


def _plan(trained: Trained, args: argparse.Namespace) -> Plan:
    from algorithms.pruning import IMAGE_CRITERIA, Plan, image_scores, lossless, plan, plan_to, preset

    model, shape = trained.model, trained.held_out.images.shape[1:]
    if args.lossless:
        return lossless(model, shape).plan
    if args.plan is not None:
        return Plan.from_record(_read_json(args.plan), model, shape)
    skip = [name for name in args.skip.split(",") if name]
    criterion: Any = args.criterion
    if criterion in IMAGE_CRITERIA:
        criterion = image_scores(model, trained.training.subset(min(1000, len(trained.training))), criterion)
    if args.preset is not None:
        return preset(args.preset).plan(model, shape, criterion, args.strategy, args.seed)
    common: dict[str, Any] = {
        "criterion": criterion, "strategy": args.strategy, "skip": skip, "combine": args.combine,
        "multiple": args.multiple, "rng": args.seed,
    }  # fmt: skip
    if args.milliseconds is not None:
        share = _share_of_time(trained, args.milliseconds)
        return plan_to(model, shape, share, "milliseconds", scope=args.scope, **common)
    if args.to is not None:
        return plan_to(model, shape, args.to, args.target, scope=args.scope, **common)
    ratios = parse_named(args.ratios) if args.ratios is not None else args.ratio
    if ratios is None:
        raise ValueError(
            "prune was not told how much, expected --ratio, --ratios, --preset, --to, --milliseconds or --lossless"
        )
    return plan(model, shape, ratios, **common)


def parse_named(text: str) -> dict[str, float]:
    """'conv1=0.5,conv2=0.25' as a dict.

    Examples
    --------
    >>> parse_named("conv1=0.5,conv2=0.25")
    {'conv1': 0.5, 'conv2': 0.25}
    """
    try:
        return {name: float(ratio) for name, ratio in (part.split("=") for part in text.split(","))}
    except ValueError:
        raise ValueError(f"--ratios is {text!r}, expected LAYER=RATIO,... such as conv1=0.5,conv2=0.25") from None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError:
        raise ValueError(f"{path} is no JSON, expected a plan.json that minidl prune wrote") from None


def _share_of_time(trained: Trained, milliseconds: float) -> float:
    now, _ = _milliseconds(trained, trained.model)
    if not 0 < milliseconds < now:
        raise ValueError(
            f"the network takes {now:.2f} ms for 32 images now, expected --milliseconds between 0 and that"
        )
    return milliseconds / now


def _milliseconds(trained: Trained, small: Module) -> tuple[float, float]:
    """Medians for 32 images, of the network and of the smaller one, in turn."""
    from algorithms.pruning.timing import time_both

    whole, pruned = time_both(trained.model, small, trained.held_out.images.shape[1:])
    return 1e3 * whole.median, 1e3 * pruned.median


def _verdict(plan: Plan, now: float, then: float) -> str:
    """Say where time and arithmetic part: the promise of pruning is time."""
    macs = 1 - plan.after.macs / plan.before.macs
    if macs > 0 and 1 - then / now < macs / 2:
        return f"less than half of the {macs:.1%} of the MACs: time goes elsewhere, or the widths are odd"
    return f"and {macs:.1%} of the MACs"


def _accuracies(trained: Trained, small: Module, args: argparse.Namespace) -> dict[str, float]:
    """Accuracy of the whole network, of the pruned one, and after each repair that was asked for."""
    from algorithms.pruning import recalibrate
    from minidl.training import evaluate, train

    found = {"whole": evaluate(trained.model, trained.held_out).accuracy}
    found["pruned"] = evaluate(small, trained.held_out).accuracy
    if args.recalibrate:
        recalibrate(small, trained.training)
        found["recalibrated"] = evaluate(small, trained.held_out).accuracy
    if args.retrain:
        for _ in train(small, trained.training, epochs=args.retrain, lr=args.lr, seed=args.seed):
            pass
        found["retrained"] = evaluate(small, trained.held_out).accuracy
    return found


def _write(trained: Trained, plan: Plan, small: Module, data: dict[str, Any], folder: Path) -> list[Path]:
    from minidl.checkpoint import replacing, save

    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "checkpoint.npz", small)
    config = trained.folder / "config.json"
    if config.exists() and folder != trained.folder:  # so that the smaller network's images can be found too
        with replacing(folder / "config.json") as file:
            file.write(config.read_bytes())
    with replacing(folder / "plan.json") as file:
        file.write(json.dumps({**data, "layers": _costs(plan)}, indent=1).encode() + b"\n")
    return [folder / "checkpoint.npz", folder / "plan.json", *_draw(plan, trained.model, folder)]


def _costs(plan: Plan) -> list[dict[str, Any]]:
    return [dataclasses.asdict(row) for row in plan.after.rows]


def _draw(plan: Plan, model: Module, folder: Path) -> list[Path]:
    from algorithms.pruning.criteria import l1
    from visual.pruning import LayerWidth, draw_filter_norms, draw_kept_filters, draw_width_bars
    from visual.style import save

    weights = {name: p.data for name, p in model.named_parameters()}
    layers = [layer for group in plan.channels.groups if not group.fixed for layer in group.layers]
    kept = {layer: plan.kept(layer) for layer in layers}
    norms = {layer: l1(weights[plan.channels.weights[layer]]) for layer in layers}
    widths = [LayerWidth(layer, int(mask.sum()), len(mask)) for layer, mask in kept.items()]
    figures = {"norms": draw_filter_norms(norms), "widths": draw_width_bars(widths), "kept": draw_kept_filters(kept)}
    return [save(ax.figure, folder / f"{name}.png") for name, ax in figures.items()]
