"""The command `minidl`: one file per subcommand in `minidl.commands`, imported only when it is the one asked for.

A subcommand describes its options in `configure(parser)` and does its work in `run(args) -> Output`.  A mistake in the
input is answered with one line and exit status 2; set MINIDL_DEBUG=1 to see where it came from.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence

COMMANDS = {
    "tour": "the whole job on real images in a few minutes: train, prune, train with few bits, look at the loss",
    "train": "train a network on a dataset; can be stopped at any moment and resumed to the same bits",
    "sensitivity": "how much accuracy each layer of a trained network is worth: prune it alone, at several ratios",
    "prune": "remove filters of a trained network physically; it becomes smaller and faster",
    "landscape": "the loss around a trained network, along lines or over a plane",
    "trajectory": "the path that training took, over the loss in its principal plane",
    "hessian": "the curvature of the loss at a trained network, and a map of it",
    "reproduce": "a chapter's experiments over several seeds, on real images: JSON and figures",
    "export": "a trained network for other machines: C for a microcontroller, or ONNX",
    "cost": "multiply-accumulates and weights of a network, layer by layer",
    "data": "list, fetch or describe datasets",
    "warmup": "compile every kernel now, so that nothing has to be compiled later",
    "doctor": "what this machine offers, and what it means for speed",
    "bench": "time training and inference here; `make bench` sets PyTorch and ONNX Runtime beside them",
}

EPILOG = """\
begin with:
  minidl tour                        five minutes, one folder of figures and a page to read
  minidl cost resnet56               where the arithmetic goes
  minidl train resnet20 --dataset fashion-mnist-mini --epochs 5 --run runs/first
every command explains itself with --help"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit status: 0 done, 2 a mistake in the input, 130 interrupted."""
    args = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(args)
    options = parser.parse_args(args)
    if options.threads is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))  # libraries loaded later follow suit
    try:
        return _run(options)
    except KeyboardInterrupt:
        print(f"\nminidl {options.command}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # somebody closed the pipe that we print to: `minidl cost vgg16 | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, OSError, RuntimeError, MemoryError, ImportError) as error:
        if os.environ.get("MINIDL_DEBUG"):
            raise
        print(f"minidl {options.command}: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    import minidl

    if options.threads is not None:
        minidl.set_num_threads(options.threads)
    if options.seed < 0:
        raise ValueError(f"found --seed {options.seed}, expected 0 or more")
    minidl.manual_seed(options.seed)
    output = _module(options.command).run(options)
    print(json.dumps(output.data, indent=2) if options.json else output.text)
    return 0


def _parser(args: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minidl",
        description="Deep learning small enough to read and fast enough to use.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((arg for arg in args if not arg.startswith("-")), None)
    for name, summary in COMMANDS.items():
        sub = subparsers.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == wanted:  # the others need not be imported to be listed
            _module(name).configure(sub)
            _common(sub)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("everywhere")
    group.add_argument("--json", action="store_true", help="print machine-readable JSON instead of text")
    group.add_argument("--seed", type=int, default=0, help="where random numbers start; equal seeds give equal bits")
    group.add_argument("--threads", type=int, help="how many threads may work (default: all cores of this process)")


def _module(name: str):  # type: ignore[no-untyped-def]
    return importlib.import_module(f"minidl.commands.{name}")


if __name__ == "__main__":
    sys.exit(main())
