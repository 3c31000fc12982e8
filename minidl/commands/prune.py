"""`minidl prune RUN`: remove filters from a trained network, and write a smaller one that any minidl command reads."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.commands import Output
from minidl.commands.prune_options import add_how_much, fill_in
from minidl.commands.trained import Trained, add_options, criterion_of, open_trained

if TYPE_CHECKING:
    from algorithms.pruning import Plan
    from minidl.nn import Module


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_options(parser)
    add_how_much(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the plan and its times, write nothing")
    parser.add_argument("--recalibrate", action="store_true", help="measure batch-norm statistics anew")
    parser.add_argument(
        "--retrain", type=int, default=0, metavar="EPOCHS", help="train on, and take the best epoch (default: 0)"
    )
    parser.add_argument("--lr", type=float, default=0.001, help="rate of retraining (default: the paper's 0.001)")
    parser.add_argument("--decay", action="store_true", help="let it fall to 0, instead of a constant rate")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for network, plan and figures (default: RUN/pruned)")
    parser.epilog = """Accuracies are those of images held out of training, by which retraining also chooses its
epoch: one to report is that of the test images. The original network is left as it is."""


def run(args: argparse.Namespace) -> Output:
    """Plan, time both networks, and unless it is a dry run retrain, evaluate, write, draw."""
    from algorithms.pruning.timing import time_layers

    fill_in(args)
    trained = open_trained(args)
    folder = _free_folder(trained, args.out)
    plan, remarks = _plan(trained, args)
    if not plan.removed:
        return Output("\n".join([*remarks, "no filter leaves, nothing is written"]), plan.record())
    small = plan.apply(trained.model)
    times = time_layers(trained.model, small, trained.held_out.images.shape[1:])
    data = {**plan.record(), "milliseconds": [times.total.whole.median, times.total.small.median]}
    data["time"] = times.record()
    if args.milliseconds is not None:
        remarks.append(_target_and_reached(trained, small, args.milliseconds))
    if args.dry_run:
        return Output("\n".join([*remarks, f"{plan}\n\n{times}"]), data)
    data["accuracy"] = accuracy = _accuracies(trained, small, args)
    files = _write(trained, plan, small, data, folder)
    lines = [
        *remarks,
        str(plan),
        "accuracy " + ", ".join(f"{name} {value:.2%}" for name, value in accuracy.items()),
        times.verdict(),
        f"written: {', '.join(map(str, files))}",
    ]
    return Output("\n".join(lines), {**data, "files": [str(file) for file in files]})


def _free_folder(trained: Trained, out: Path | None) -> Path:
    """The folder for the smaller network, in which no other network lies but one that this command wrote."""
    folder = out or trained.folder / "pruned"
    if (folder / "checkpoint.npz").resolve() == trained.checkpoint.resolve():
        raise ValueError(f"--out {folder} holds the network itself, expected another folder: the original is to stay")
    if (folder / "checkpoint.npz").exists() and not (folder / "plan.json").exists():
        raise ValueError(f"--out {folder} holds another network, expected an empty folder or one that prune wrote")
    return folder


def _target_and_reached(trained: Trained, small: Module, asked: float) -> str:
    """What was asked for and what the smaller network takes, measured once more."""
    from algorithms.pruning.timing import time_both

    reached = 1e3 * time_both(trained.model, small, trained.held_out.images.shape[1:])[1].median
    missed = ", missed: times vary, so ask for a little less" * (reached > asked)
    return f"asked for {asked:.2f} ms for 32 images, measured {reached:.2f} ms{missed}"


def _plan(trained: Trained, args: argparse.Namespace) -> tuple[Plan, list[str]]:
    """The plan, and remarks on it."""
    from algorithms.pruning import Plan, lossless, plan, plan_to, preset

    model, shape = trained.model, trained.held_out.images.shape[1:]
    if args.lossless:
        found = lossless(model, shape)
        return found.plan, [*_reasons("leave", found.reasons), *_reasons("stay", found.refused)]
    if args.plan is not None:
        return Plan.from_record(_read_json(args.plan), model, shape), []
    criterion = criterion_of(trained, args.criterion)
    if args.preset is not None:
        return preset(args.preset).plan(model, shape, criterion, args.strategy, args.seed), []
    common: dict[str, Any] = {
        "criterion": criterion, "strategy": args.strategy, "combine": args.combine, "multiple": args.multiple,
        "rounding": args.rounding, "min_keep": args.min_keep, "rng": args.seed,
        "skip": [name for name in args.skip.split(",") if name],
    }  # fmt: skip
    if args.ratio is not None or args.ratios is not None:
        return plan(model, shape, parse_named(args.ratios) if args.ratios else args.ratio, **common), []
    share, target = args.to, args.target_cost
    if args.milliseconds is not None:
        share, target = _share_of_time(trained, args.milliseconds), "milliseconds"
    return plan_to(model, shape, share, target, scope=args.scope, max_ratio=args.max_ratio, **common), []


def _reasons(what: str, reasons: dict[str, dict[int, str]]) -> list[str]:
    """A line for each group and reason: which filters leave or stay for it."""
    lines = []
    for group, by_filter in reasons.items():
        for reason in dict.fromkeys(by_filter.values()):
            filters = [str(i) for i, why in by_filter.items() if why == reason]
            lines.append(f"{group}: filters {', '.join(filters)} {what}, as {reason}")
    return lines


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
    from algorithms.pruning.timing import time_both

    shape = trained.held_out.images.shape[1:]
    now = 1e3 * time_both(trained.model, trained.model, shape)[0].median
    if not 0 < milliseconds < now:
        raise ValueError(
            f"the network takes {now:.2f} ms for 32 images now, expected --milliseconds between 0 and that"
        )
    return milliseconds / now


def _accuracies(trained: Trained, small: Module, args: argparse.Namespace) -> dict[str, float]:
    """Accuracy of the whole network, of the pruned one, and after each repair that was asked for."""
    from algorithms.pruning import recalibrate, retrain
    from minidl.training import evaluate

    found = {"whole": evaluate(trained.model, trained.held_out).accuracy}
    found["pruned"] = evaluate(small, trained.held_out).accuracy
    if args.recalibrate:
        recalibrate(small, trained.training)
        found["recalibrated"] = evaluate(small, trained.held_out).accuracy
    if args.retrain:
        retrain(small, trained.training, trained.held_out, args.retrain, args.lr, args.decay, seed=args.seed)
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
