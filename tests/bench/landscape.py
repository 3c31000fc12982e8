"""What a loss surface costs: ours beside the straightforward loop in PyTorch, and what each saving brings.

A 51 x 51 surface of a trained resnet20 on 1,000 images of CIFAR-10, as many threads for both.  The loop sets the
weights and evaluates all images, node after node; it is timed on some nodes, right after ours, and multiplied.  The
error of ours is that at nodes which it interpolated; all others are evaluations.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import peers
import torch
from torch.nn import functional as F  # PyTorch's custom

import minidl
from algorithms.landscape import Surface, line, plane, random_direction, refined_plane, scan
from algorithms.landscape.directions import Direction
from algorithms.landscape.slice import Slice
from algorithms.landscape.surface import grid
from minidl.data import Dataset, batches
from minidl.nn import Module
from minidl.nn.models import resnet
from minidl.optim import SGD, Cosine
from minidl.runtime import interleaved
from minidl.training import train

FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
CAP = 10.0  # nats: what the pictures of the paper are cut at
TOLERANCE = 0.05
CHUNK = 125
BATCHES = (32, 128, 500)  # of the loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--run", type=Path, default=Path("runs/landscape-bench"), help="folder of the trained network")
    parser.add_argument("--nodes", type=int, default=51, help="of the surface, each way")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--loop", type=int, default=24, help="nodes that PyTorch's loop is timed on")
    parser.add_argument("--check", type=int, default=200, help="interpolated nodes that are measured after all")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), help="what to measure")
    parser.add_argument("--out", type=Path, default=Path("docs/results/landscape-cost.json"))
    args = parser.parse_args()
    minidl.set_num_threads(args.threads)
    torch.set_num_threads(args.threads)
    results = json.loads(args.out.read_text()) if args.out.exists() else {}
    model, data = trained(args.run), minidl.data.load("cifar10").subset(args.images)
    for part in args.parts:
        results[part] = PARTS[part](model, data, args) | {"threads": args.threads}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(results, indent=1))


def trained(run: Path) -> Module:
    """Train a resnet20 on 10,000 images for 10 epochs, or go on with it, or load it."""
    model, epochs = resnet(20, rng=0), 10
    optimizer = SGD(model.named_parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    data = minidl.data.load("cifar10").subset(10_000)
    for record in train(
        model, data, epochs=epochs, optimizer=optimizer, schedule=Cosine(0.1, epochs), run=run, progress=False
    ):
        print(f"epoch {record.epoch}: loss {record.loss:.3f}", flush=True)
    return minidl.load(run / "checkpoint.npz")


# -- the surface -------------------------------------------------------------------------------------------------------


def surface(model: Module, data: Dataset, args: argparse.Namespace) -> dict:
    """Time ours and the loop; ours is kept, for `error`."""
    dx, dy = directions(model)
    axis = np.linspace(-1, 1, args.nodes)
    warm_up(model, data, dx, dy)
    ours, seconds = timed(
        partial(refined_plane, model, data, dx, dy, axis, axis, TOLERANCE, fast=True, cap=CAP, chunk=CHUNK)
    )
    ours.save(args.run / "surface.npz")
    loop = time_loop(model, data, dx, dy, args)
    theirs = {clock: s * args.nodes**2 for clock, s in loop["seconds a node"].items()}
    ratio = {clock: theirs[clock] / seconds[clock] for clock in seconds}
    found = {
        "nodes": [args.nodes, args.nodes], "images": len(data), "cap": CAP, "tolerance": TOLERANCE,
        "ours": seconds, "theirs": theirs, "ratio": ratio, "loop": loop,
        "nodes measured": float(ours.measured.mean()),
        "images evaluated": float(ours.count.sum() / (args.nodes**2 * len(data))),
        "nodes below the cap": float((ours.loss < CAP).mean()), "centre": float(ours.loss[args.nodes // 2].min()),
    }  # fmt: skip
    print(f"surface: {found}", flush=True)
    return found


def directions(model: Module) -> tuple[Direction, Direction]:
    return random_direction(model, 0), random_direction(model, 1)


def warm_up(model: Module, data: Dataset, dx: Direction, dy: Direction) -> None:
    """Compile what a surface needs."""
    few = np.linspace(-0.1, 0.1, 3)
    for fast in (False, True):
        plane(model, data.subset(min(250, len(data))), dx, dy, few, few, fast=fast)


def time_loop(model: Module, data: Dataset, dx: Direction, dy: Direction, args: argparse.Namespace) -> dict:
    """Seconds a node of the loop as users write it, in the fastest of some memory formats and batch sizes."""
    x, labels = next(batches(data, len(data), seed=0, epoch=0, shuffle=False))
    nodes = grid(*[np.linspace(-1, 1, args.nodes)] * 2)
    some = nodes[np.random.default_rng(0).permutation(len(nodes))[: args.loop]]
    variants = {
        f"{name}, {size} images at a time": peer(model, x, labels, dx, dy, memory_format, size)
        for name, memory_format in FORMATS.items()
        for size in BATCHES
    }
    for evaluate in variants.values():
        check_peer(evaluate, model, x, labels, dx, dy)
    calls = {name: partial(evaluate, some[0]) for name, evaluate in variants.items()}
    first = {name: time.minimum for name, time in interleaved(calls, repeats=2, warmup=0).items()}
    best = min(first, key=first.__getitem__)
    _, seconds = timed(lambda: [variants[best](node) for node in some])
    each = {clock: s / len(some) for clock, s in seconds.items()}
    return {"seconds a node": each, "variant": best, "first tries": first, "nodes timed": len(some)}


def peer(model: Module, x: np.ndarray, labels: np.ndarray, dx: Direction, dy: Direction, memory_format: Any, size: int):
    """PyTorch's network, images and directions; returns the loss at a node."""
    net = peers.resnet([p.shape[0] for p in model.parameters() if p.ndim == 4]).eval().to(memory_format=memory_format)
    theirs = dict(net.named_parameters())
    pairs = dict(zip((name for name, _ in model.named_parameters()), theirs, strict=True))
    steps = [{pairs[n]: as_torch(d[n]) for n in d} for d in (dx, dy)]
    centre = {pairs[n]: as_torch(p.data) for n, p in model.named_parameters()}
    for (_, ours), (_, buffer) in zip(
        model.named_buffers(), [b for b in net.named_buffers() if "num_batches" not in b[0]], strict=True
    ):
        buffer.copy_(torch.from_numpy(ours.copy()))
    images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).to(memory_format=memory_format)
    targets = torch.from_numpy(labels.copy())

    def evaluate(node: np.ndarray) -> float:
        with torch.inference_mode():
            for name, parameter in theirs.items():
                parameter.copy_(centre[name] + float(node[0]) * steps[0][name] + float(node[1]) * steps[1][name])
            pairs_of = zip(images.split(size), targets.split(size), strict=True)
            total = sum(F.cross_entropy(net(a), b, reduction="sum").item() for a, b in pairs_of)
        return total / len(targets)

    return evaluate


def as_torch(array: np.ndarray) -> torch.Tensor:
    """OHWI to OIHW; linear layers and vectors stay."""
    return torch.from_numpy(np.ascontiguousarray(array.transpose(0, 3, 1, 2) if array.ndim == 4 else array))


def check_peer(evaluate, model: Module, x: np.ndarray, labels: np.ndarray, dx: Direction, dy: Direction) -> None:
    """The loop and ours must agree on what they compute."""
    for node in np.array([[0.0, 0.0], [0.3, -0.2]]):
        ours = Slice(model, [dx, dy]).losses(node, x, labels)[0].mean()
        if abs(evaluate(node) / ours - 1) > 1e-3:
            raise RuntimeError(f"at {node} PyTorch's loss is {evaluate(node)}, ours is {ours}")


def error(model: Module, data: Dataset, args: argparse.Namespace) -> dict:
    """Errors at some interpolated nodes that a picture up to the cap shows, relative and in nats."""
    ours, (dx, dy) = Surface.load(args.run / "surface.npz"), directions(model)
    rows, columns = np.nonzero(~ours.measured & (ours.loss < 1.1 * CAP))
    chosen = np.random.default_rng(0).permutation(len(rows))[: args.check]
    points = np.stack([ours.xs[columns], ours.ys[rows]], axis=1)[chosen]
    x, labels = next(batches(data, len(data), seed=0, epoch=0, shuffle=False))
    exact = Slice(model, [dx, dy], fast=True, input_shape=x.shape[1:])
    true = np.minimum([exact.losses(p, x, labels)[0].mean() for p in points], CAP)
    drawn = np.minimum(ours.loss[rows, columns][chosen], CAP)
    away, relative = drawn - true, np.log(drawn / true)
    found = {
        "nodes checked": len(points), "of": len(rows),
        "max relative": float(abs(relative).max()), "rms relative": float(np.sqrt((relative**2).mean())),
        "max nats": float(abs(away).max()), "rms nats": float(np.sqrt((away**2).mean())),
    }  # fmt: skip
    print(f"error: {found}", flush=True)
    return found


# -- what each saving brings alone -------------------------------------------------------------------------------------


def alone(model: Module, data: Dataset, args: argparse.Namespace) -> dict:
    """Seconds of the whole surface with one saving at a time, from some nodes; the variants take turns."""
    dx, dy = directions(model)
    data, axis = data.subset(min(400, len(data))), np.linspace(-1, 1, args.nodes)
    nodes = grid(axis, axis)
    some = nodes[np.random.default_rng(1).permutation(len(nodes))[:16]]
    variants = {
        "none": {"chunk": len(data)},
        "batch norm folded, operations fused and compiled": {"chunk": len(data), "fast": True},
        "chunks of 100 images": {"chunk": 100},
        "chunks of 100 images and the cap": {"chunk": 100, "cap": CAP},
    }
    calls = {name: partial(finish, model, data, some, [dx, dy], **how) for name, how in variants.items()}
    _, *rounds = [{name: timed(call)[1] for name, call in calls.items()} for _ in range(3)]
    share = len(some) / len(nodes)
    seconds = {
        name: {
            clock: float(np.mean([times[name][clock] for times in rounds])) / share for clock in ("wall", "processor")
        }
        for name in calls
    }
    print(f"alone: {seconds}", flush=True)
    return {"nodes": [args.nodes] * 2, "images": len(data), "nodes timed": len(some), "seconds": seconds}


def together(model: Module, data: Dataset, args: argparse.Namespace) -> dict:
    """Seconds of the whole surface by a coarse grid that is refined, alone and with the other savings."""
    dx, dy = directions(model)
    data, axis = data.subset(min(400, len(data))), np.linspace(-1, 1, args.nodes)
    warm_up(model, data, dx, dy)
    surface_of = partial(refined_plane, model, data, dx, dy, axis, axis, TOLERANCE)
    variants = {
        "coarse to fine": {"chunk": len(data)},
        "coarse to fine, chunks of 100 images and the cap": {"chunk": 100, "cap": CAP},
        "all": {"chunk": 100, "cap": CAP, "fast": True},
    }
    seconds = {name: timed(partial(surface_of, **how))[1] for name, how in variants.items()}
    print(f"together: {seconds}", flush=True)
    return {"nodes": [args.nodes] * 2, "images": len(data), "seconds": seconds}


def finish(model: Module, data: Dataset, points: np.ndarray, along: list[Direction], **how: Any) -> None:
    for _ in scan(model, data, points, along, **how):
        pass


def special(model: Module, data: Dataset, args: argparse.Namespace) -> dict:
    """Savings that need networks or directions of a kind: seconds without and with, over a line of 101 points."""
    images = minidl.data.load("fashion-mnist-mini").subset(1000)
    nn, rng = minidl.nn, np.random.default_rng(0)
    mlp = nn.Sequential(nn.Flatten(), nn.Linear(784, 256, rng=rng), nn.ReLU(), nn.Linear(256, 10, rng=rng))
    net = resnet(8, in_channels=1, width=0.5, rng=0)
    last = {name: d for name, d in random_direction(net, 0).items() if d.shape[0] == 10}
    found = {}
    for name, network, direction in (
        ("first layer linear: 784-256-10", mlp, random_direction(mlp, 0)),
        ("prefix: a line that moves a resnet8's last layer", net, last),
    ):
        how = network, images, direction, np.linspace(-1, 1, 101)
        calls = {word: partial(line, *how, fast=word == "with") for word in ("plain", "with")}
        times = {word: t.median for word, t in interleaved(calls, repeats=1, warmup=1).items()}
        found[name] = times | {"ratio": times["plain"] / times["with"]}
    print(f"special: {found}", flush=True)
    return found


def timed(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What a call returns, and its seconds: by the wall's clock, and of processor time, which a busy machine spares."""
    wall, processor = time.perf_counter(), time.process_time()
    result = call()
    return result, {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}


# -- the tour's network ------------------------------------------------------------------------------------------------


def tour(model: Module, data: Dataset, args: argparse.Namespace) -> dict:
    """A 25 x 25 surface of the network whose landscape the tour draws, on as many images as there."""
    from algorithms.experiments.tour.settings import FULL

    images = minidl.data.load("fashion-mnist-mini").subset(FULL.landscape_images)
    net = resnet(FULL.depth, width=0.5, in_channels=1, rng=0)
    for _ in train(net, images, epochs=10, lr=0.05, batch_size=32, progress=False):
        pass
    dx, dy, axis = *directions(net), np.linspace(-1, 1, 25)
    warm_up(net, images, dx, dy)
    surface_of = partial(refined_plane, net, images, dx, dy, axis, axis, TOLERANCE)
    found, seconds = timed(partial(surface_of, fast=True, cap=CAP, chunk=100))
    result = {"nodes": [25, 25], "images": len(images), "seconds": seconds, "tolerance": TOLERANCE, "cap": CAP}
    result |= {"nodes measured": float(found.measured.mean()), "nodes below the cap": float((found.loss < CAP).mean())}
    print(f"tour: {result}", flush=True)
    return result


PARTS = {"surface": surface, "error": error, "alone": alone, "together": together, "special": special, "tour": tour}

if __name__ == "__main__":
    main()
