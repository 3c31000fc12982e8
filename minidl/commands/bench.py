"""`minidl bench`: milliseconds of a training step and of inference here; `make bench` sets the peers beside them."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

import minidl
from minidl.commands import Output
from minidl.commands.table import table
from minidl.nn import Module
from minidl.types import Shape


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("models", nargs="*", default=["resnet20", "vgg16"], help="(default: resnet20 vgg16)")
    parser.add_argument("--batch-size", type=int, default=128, help="images per call (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=9, help="timed calls of each, in turn (default: %(default)s)")


def run(args: argparse.Namespace) -> Output:
    """Time every model's two calls, in turn."""
    from minidl.runtime import interleaved

    for option, found in {"--batch-size": args.batch_size, "--repeats": args.repeats}.items():
        if found < 1:
            raise ValueError(f"found {option} {found}, expected 1 or more")
    calls = {}
    for name in args.models:
        shape, model = minidl.nn.models.default_input_shape(name), minidl.nn.models.build(name, rng=0)
        calls[f"{name} training step"] = training_step(model, shape, args.batch_size)
        calls[f"{name} inference"] = inference(model, shape, args.batch_size)
    times = interleaved(calls, repeats=args.repeats)
    rows = [[name, f"{1e3 * t.minimum:.1f}", f"{1e3 * t.median:.1f}"] for name, t in times.items()]
    threads = minidl.get_num_threads()
    sizes = f"batch {args.batch_size}, {threads} threads, {args.repeats} repeats"
    text = f"{table(['call', 'min ms', 'median ms'], rows)}\n\n{sizes}"
    data = {
        "batch_size": args.batch_size,
        "threads": threads,
        "milliseconds": {name: {"min": 1e3 * t.minimum, "median": 1e3 * t.median} for name, t in times.items()},
    }
    return Output(text, data)


def training_step(model: Module, shape: Shape, batch_size: int) -> Callable[[], object]:
    """Return a call that takes one step of SGD with momentum on random images (batch_size, *shape)."""
    rng = np.random.default_rng(0)
    x = minidl.Tensor(rng.standard_normal((batch_size, *shape), dtype=np.float32))
    labels = rng.integers(0, 10, batch_size)
    optimizer = minidl.optim.SGD(model.named_parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)

    def step() -> float:
        model.train()
        model.zero_grad()
        loss = minidl.ops.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inference(model: Module, shape: Shape, batch_size: int) -> Callable[[], object]:
    """Return a call that computes the logits of random images (batch_size, *shape)."""
    x = np.random.default_rng(0).standard_normal((batch_size, *shape), dtype=np.float32)
    plan = minidl.runtime.compile(model, tuple(shape))
    return lambda: plan(x)
