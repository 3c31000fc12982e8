"""Training, minidl beside PyTorch: time of a step, also while another process keeps a core busy; peak memory; start-up.

Every contestant is a process of its own (`worker.py`), and they take turns step by step.  The peer is the fastest of
PyTorch contiguous, channels-last and, with --compile, torch.compile, which needs a C++ compiler and some minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from minidl.commands.table import table
from minidl.runtime import interleaved

WORKER = Path(__file__).with_name("worker.py")
BUSY = "while True: pass"
OURS = "minidl"


class Worker:
    """A contestant: `step` makes it take one step, `close` ends it and returns its peak memory in MB."""

    def __init__(self, variant: str, network: str, batch_size: int, threads: int, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), variant, network, str(batch_size), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), **environment},
        )  # fmt: skip
        self.first_step = self._hear()["first_step"]

    def step(self) -> None:
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        self._hear()

    def close(self) -> float:
        self.process.stdin.close()
        megabytes = self._hear()["megabytes"]
        self.process.wait()
        return megabytes

    def _hear(self) -> dict[str, float]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[2:]} ended with status {self.process.wait()}")
        return json.loads(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["resnet20", "resnet56", "vgg16"])
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--compile", action="store_true", help="torch.compile takes part")
    parser.add_argument("--out", type=Path, default=Path("training.json"))
    args = parser.parse_args()
    variants = [OURS, "contiguous", "channels-last", *["compiled"] * args.compile]
    subprocess.run([sys.executable, "-m", "minidl.cli", "warmup", "--keep-old"], check=True)  # no step shall compile
    results = []
    for threads in args.threads:
        for network in args.models:
            results += race(network, threads, variants, args)
    results += [start_up(args.models[0], max(args.threads), args.batch_size, cold) for cold in (False, True)]
    head = ["work", "unit", "threads", "ours", "theirs", "variant", "ratio"]
    print(table(head, [[f"{r[k]:.2f}" if isinstance(r[k], float) else r[k] for k in head] for r in results]))
    args.out.write_text(json.dumps(results, indent=1))


def race(network: str, threads: int, variants: list[str], args: argparse.Namespace) -> list[dict]:
    """Step time, step time beside a busy process, and peak memory."""
    workers = {variant: Worker(variant, network, args.batch_size, threads) for variant in variants}
    steps = {variant: worker.step for variant, worker in workers.items()}
    results = []
    for work, crowd in (("training step", contextlib.nullcontext()), ("training step beside a busy process", busy())):
        with crowd:
            times = interleaved(steps, args.repeats)
        found = {variant: (1e3 * t.minimum, 1e3 * t.median) for variant, t in times.items()}
        which = 0 if work == "training step" else 1  # beside others, luck decides the minimum
        row = compare(f"{network} {work}", "ms", threads, {v: both[which] for v, both in found.items()})
        results.append(row | {"all": {v: {"min": low, "median": middle} for v, (low, middle) in found.items()}})
    memory = {variant: worker.close() for variant, worker in workers.items()}
    return [*results, compare(f"{network} peak memory", "MB", threads, memory)]


def start_up(network: str, threads: int, batch_size: int, cold: bool) -> dict:
    """Import to the end of the first step, with the kernels on disk or with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = {}
        for variant in (OURS, "contiguous", "channels-last"):
            environment = {"NUMBA_CACHE_DIR": folder} if cold else {}
            worker = Worker(variant, network, batch_size, threads, **environment)
            seconds[variant] = worker.first_step
            worker.close()
    return compare(f"{network} import and first step, {'cold' if cold else 'warm'}", "s", threads, seconds)


def compare(work: str, unit: str, threads: int, found: dict[str, float]) -> dict:
    """Ours beside the least of theirs."""
    variant = min((v for v in found if v != OURS), key=found.__getitem__)
    ratio = found[variant] / found[OURS]
    print(
        f"{work}, {threads} threads: {found[OURS]:.1f} {unit}, {variant} {found[variant]:.1f}: {ratio:.2f}", flush=True
    )
    return {
        "work": work, "unit": unit, "threads": threads, "ours": found[OURS], "theirs": found[variant],
        "variant": variant, "ratio": ratio, "all": found,
    }  # fmt: skip


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Another process that never rests."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
