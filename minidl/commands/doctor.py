"""`minidl doctor`: what this machine and installation offer, and what each fact means for speed.

With `--explain NETWORK`: which kernel computes each of the network's convolutions here, and why that one.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from minidl.commands import Output
from minidl.types import Shape

if TYPE_CHECKING:
    from minidl.graph import Node

Fact = tuple[str, str, str]  # what, found, what it means


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--explain", metavar="NETWORK", help="say which kernel computes each convolution, and why")
    parser.add_argument("--batch-size", type=int, default=128, help="images per call, for --explain (default: 128)")


def run(args: argparse.Namespace) -> Output:
    """Collect the facts and say them."""
    if args.explain is not None:
        return _explain(args.explain, args.batch_size)
    facts = [*_software(), *_cpu(), *_threads(), *_kernels(), *_rates()]
    width = max(len(what) for what, _, _ in facts)
    lines = [f"{what:<{width}}  {found}\n{'':<{width}}    {meaning}" for what, found, meaning in facts]
    data = [{"what": what, "found": found, "meaning": meaning} for what, found, meaning in facts]
    return Output("\n".join(lines), data)


# --- Which convolution, and why ---------------------------------------------------------------------------------------


def _explain(name: str, batch_size: int) -> Output:
    """Say it layer by layer; layers that are alike share a paragraph."""
    from minidl.graph import trace
    from minidl.nn import models
    from minidl.runtime.plan import runs_lanewise

    if batch_size < 1:
        raise ValueError(f"--batch-size is {batch_size}, expected 1 or more")
    layers: dict[tuple[str, str, str], list[str]] = {}  # what and why -> names
    graph = trace(models.build(name, rng=0), models.default_input_shape(name))
    lanewise = runs_lanewise(graph, batch_size)
    for node in graph:
        if node.op == "Conv2d":
            x, weight = (graph[i].shape for i in node.inputs[:2])
            words = _convolution(x, weight, node, batch_size, lanewise)
            layers.setdefault(words, []).append(node.name)
    text = f"{name}, {batch_size} images at a time:\n\n" + "\n".join(
        f"{', '.join(names)}: {what}\n  training   {why}\n  inference  {'the same' if plan == why else plan}"
        for (what, why, plan), names in layers.items()
    )
    data = [{"layers": names, "convolution": w, "training": t, "inference": i} for (w, t, i), names in layers.items()]
    return Output(text, data)


def _convolution(x: Shape, weight: Shape, node: Node, batch_size: int, lanewise: bool) -> tuple[str, str, str]:
    """Images x (H, W, C) and weights (O, KH, KW, C/groups) in words; the kernel in training, and with weights fixed."""
    from minidl.kernels import choice
    from minidl.kernels.lanewise import IMAGES, block

    stride, padding, groups = cast(Any, node.function).how
    what = f"{weight[1]}x{weight[2]}, {x[2]} to {weight[0]} channels, images of {x[0]}x{x[1]}"
    what += f", stride {stride[0]}x{stride[1]}" * (stride != (1, 1)) + f", {groups} groups" * (groups > 1)
    problem = (batch_size, *x), weight, stride, padding, groups
    training = choice.explain(*problem)
    if lanewise:
        blocks = batch_size < IMAGES
        height, width, _ = block(node.shape) if blocks else node.shape
        return what, training, choice.explain_lanewise((height, width), weight, stride, padding, blocks)
    return what, training, choice.explain(*problem, prepared=True)


# --- The facts --------------------------------------------------------------------------------------------------------


def facts_for_report() -> list[Fact]:
    """The facts that a reader of a result needs: machine and versions."""
    return [*_software(), *_cpu(), *_threads()]


def _software() -> list[Fact]:
    versions = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "numba", "scipy", "matplotlib"))
    return [("Python", f"{platform.python_version()} on {sys.platform}", versions)]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def cpu_name() -> str:
    """Return what the processor calls itself, or the name of its family."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor() or platform.machine()


def _cpu() -> list[Fact]:
    if importlib.util.find_spec("llvmlite") is None:
        return [("CPU", platform.processor() or platform.machine(), "llvmlite is missing, so features are unknown")]
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    known = [f for f in ("avx512f", "avx512vnni", "avx2", "fma", "sse4.1", "neon", "dotprod") if features.get(f)]
    meaning = (
        "AVX-512: 16 numbers per instruction, the fastest path" if "avx512f" in known
        else "AVX2: 8 numbers per instruction, about half the speed of AVX-512" if "avx2" in known
        else "4 numbers per instruction"
    )  # fmt: skip
    return [("CPU", f"{binding.get_host_cpu_name()} with {' '.join(known) or 'no known vector unit'}", meaning)]


def _threads() -> list[Fact]:
    import minidl

    threads = minidl.get_num_threads()
    cores = os.cpu_count() or 1
    meaning = "all cores work" if threads == cores else "change it with --threads or minidl.set_num_threads"
    facts = [("threads", f"{threads} of {cores} cores", meaning)]
    if importlib.util.find_spec("threadpoolctl") is not None:
        import numpy as np
        from threadpoolctl import threadpool_info

        np.ones((2, 2)) @ np.ones((2, 2))  # loads the BLAS, so that it can be seen
        blas = [f"{i['internal_api']} {i.get('version')}, {i['num_threads']} threads" for i in threadpool_info()]
        facts.append(("BLAS", "; ".join(blas) or "none found", "held to one thread while our own threads work"))
    return facts


def _kernels() -> list[Fact]:
    from minidl.kernels import backend

    chosen = backend.backend()
    meaning = (
        "compiled kernels" if chosen == "numba"
        else "NumPy twins: right but several times slower; install numba, or unset MINIDL_BACKEND"
    )  # fmt: skip
    facts = [("kernels", chosen, meaning)]
    if chosen == "numba":
        from minidl.kernels.jit import cache_folder

        folder = cache_folder()
        files = list(Path(folder).rglob("*.nbc")) if folder else []
        meaning = (
            "a warm start" if files else "empty: the first training step compiles for some seconds, then never again"
        )
        facts.append(("kernel cache", f"{len(files)} kernels in {folder}", meaning))
        facts.append(_tile())
    return facts


def _tile() -> Fact:
    """The register tile and the width of the vectors that hold it."""
    from minidl.kernels.tile import registers, tile_rows

    lanes = {"zmm": 16, "ymm": 8}.get(registers(), 4)
    rows = tile_rows()
    meaning = (
        f"{rows * 16} sums stay in {rows * 16 // lanes} registers of {lanes} floats while a convolution adds to them"
    )
    return ("register tile", f"{rows} pixels x 16 channels", meaning)


def _rates() -> list[Fact]:
    """How fast this machine multiplies and copies: the two limits of everything else."""
    import numpy as np

    a = np.ones((1024, 1024), np.float32)
    big = np.ones(16 << 20, np.float32)  # 64 MiB, larger than a cache
    target = np.empty_like(big)
    sgemm = 2 * 1024**3 / _best(lambda: a @ a) / 1e9
    copy = 2 * big.nbytes / _best(lambda: np.copyto(target, big)) / 1e9
    return [
        ("matrix product", f"{sgemm:.0f} GFLOP/s (sgemm 1024³)", "the limit of convolutions and linear layers"),
        ("memory", f"{copy:.0f} GB/s (copy, read and write)", "the limit of everything between them"),
    ]


def _best(work: Any, repeats: int = 5) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
