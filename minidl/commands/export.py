"""`minidl export RUN`: a trained network for other machines, as a C program or as an ONNX file."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.commands import Output
from minidl.commands.cost import parse_shape
from minidl.commands.folder import make_folder
from minidl.commands.network import config_of, load_network

if TYPE_CHECKING:
    from minidl.export import Exported
    from minidl.types import Shape


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("target", type=Path, help="a run's folder (`minidl train --run`) or a checkpoint (.npz)")
    parser.add_argument("--format", choices=["c99", "onnx"], default="c99", help="(default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="folder, or .onnx file (default: c99/ or network.onnx by the network)"
    )
    parser.add_argument(
        "--input", metavar="HxWxC", help="size of one image (default: that of the images it was trained on)"
    )
    parser.epilog = """The C needs a compiler and nothing else: no library, no allocation. Weights are constants,
for flash; values between input and output share one block of memory. main.c tries the network
on an example; it is yours to change, and is never overwritten."""


def run(args: argparse.Namespace) -> Output:
    """Trace the network and write it."""
    from minidl import export, graph

    config = config_of(args.target)
    traced = graph.trace(load_network(args.target), _input_shape(args, config))
    beside: Path = args.target if args.target.is_dir() else args.target.parent
    if args.format == "onnx":
        path = _own_file(args.out or beside / "network.onnx")
        done, how = export.onnx(traced, path), _run_onnx(path, traced.input.shape)
    else:
        folder = _own_folder(args.out or beside / "c99")
        done, how = export.c99(traced, folder, args.seed), _run_c(folder)
    data = {
        "format": args.format,
        "files": [str(file) for file in done.files],
        "weight_bytes": done.weight_bytes,
        "memory_bytes": done.memory_bytes,
        "macs": done.macs,
        "run": how,
        "pixels": _pixels(config),
    }
    return Output(_text(done, data), data)


def _text(done: Exported, data: dict[str, Any]) -> str:
    files = [Path(file) for file in data["files"]]
    memory = "" if done.memory_bytes is None else f"memory   {done.memory_bytes:>13,} bytes (RAM), beside x and y\n"
    return (
        f"written  {', '.join(file.name for file in files)} in {files[0].parent}\n"
        f"weights  {done.weight_bytes:>13,} bytes{' (flash)' if memory else ''}\n"
        f"{memory}"
        f"MACs     {done.macs:>13,} an image\n"
        f"pixels   {data['pixels']}\n"
        f"run      {data['run']}"
    )


def _input_shape(args: argparse.Namespace, config: dict[str, Any]) -> Shape:
    """That of the option, else of the images of the run."""
    from minidl.data.catalog import CATALOG

    if args.input:
        return parse_shape(args.input)
    name = config.get("dataset", {}).get("name")
    if name not in CATALOG:
        raise ValueError(f"{args.target} does not tell the size of its images, expected it in --input, as 32x32x3")
    return CATALOG[name].shape


def _pixels(config: dict[str, Any]) -> str:
    """What the network expects of an image: training prepared it so."""
    try:
        mean, std = (", ".join(f"{x:.6g}" for x in config["dataset"][key]) for key in ("mean", "std"))
    except (KeyError, TypeError, ValueError):
        return "prepared as for training"
    return f"(value / 255 - mean) / std with mean {mean} and std {std} of each channel"


def _own_folder(folder: Path) -> Path:
    """The folder for C files, in which nothing lies that is somebody else's."""
    from minidl.export.c99 import is_ours

    make_folder(folder, "C files")
    others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if others and not is_ours(folder):
        raise ValueError(
            f"{folder} holds {others[0]}, which minidl export did not write, expected an empty folder or one that it "
            "wrote: choose another with --out"
        )
    return folder


def _own_file(path: Path) -> Path:
    """The file for an ONNX model, where there is none of somebody else."""
    from minidl.export.onnx import is_ours

    make_folder(path.parent, "the ONNX file")
    if path.is_dir() or (path.exists() and not is_ours(path)):
        raise ValueError(
            f"{path} is not a file that minidl export wrote, expected none there, or one that it wrote: choose another "
            "with --out"
        )
    return path


def _run_c(folder: Path) -> str:
    from minidl.export.c99 import COMPILE

    source, main, program = (shlex.quote(str(folder / name)) for name in ("network.c", "main.c", "network"))
    return f"{COMPILE} {source} {main} -lm -o {program} && {program if '/' in program else './' + program}"


def _run_onnx(path: Path, shape: Shape) -> str:
    x = f"numpy.zeros({(1, *shape)}, 'float32')"
    code = f"print(onnxruntime.InferenceSession({str(path)!r}).run(None, {{'x': {x}}}))"
    return f'python -c "import numpy, onnxruntime; {code}"'
