"""`minidl doctor`: what this machine and installation offer, and what each fact means for speed."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from minidl.commands import Output

Fact = tuple[str, str, str]  # what, found, what it means


def configure(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the doctor looks at everything."""


def run(args: argparse.Namespace) -> Output:
    """Collect the facts and say them."""
    facts = [*_software(), *_cpu(), *_threads(), *_kernels(), *_rates()]
    width = max(len(what) for what, _, _ in facts)
    lines = [f"{what:<{width}}  {found}\n{'':<{width}}    {meaning}" for what, found, meaning in facts]
    data = [{"what": what, "found": found, "meaning": meaning} for what, found, meaning in facts]
    return Output("\n".join(lines), data)


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
    return facts


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
