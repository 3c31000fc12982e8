"""`make bench`: minidl and PyTorch take turns on the same work, with as many threads; prints, and writes JSON.

A claim is a ratio from one such run: the best time of the fastest PyTorch variant over our best time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import peers
import torch

import minidl
from minidl.commands import bench
from minidl.commands.table import table
from minidl.runtime import interleaved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["resnet20", "resnet56", "vgg16"])
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    args = parser.parse_args()
    results = [
        compare(work, name, threads, args)
        for threads in args.threads
        for name in args.models
        for work in ("training_step", "inference")
    ]
    head = ["work", "threads", "minidl ms", "PyTorch ms", "its variant", "ratio"]
    rows = [
        [r["work"], r["threads"], *(f"{r[k]:.1f}" for k in ("ours", "theirs")), r["variant"], f"{r['ratio']:.2f}"]
        for r in results
    ]
    print(table(head, rows))
    args.out.write_text(json.dumps(results, indent=1))


def compare(work: str, name: str, threads: int, args: argparse.Namespace) -> dict:
    minidl.set_num_threads(threads)
    torch.set_num_threads(threads)
    calls = {"minidl": getattr(bench, work)(name, args.batch_size)}
    for memory_format in peers.FORMATS:
        calls[memory_format] = getattr(peers, work)(name, args.batch_size, memory_format)
    times = interleaved(calls, repeats=args.repeats)
    variant = min(peers.FORMATS, key=lambda f: times[f].minimum)
    ours, theirs = times["minidl"].minimum, times[variant].minimum
    result = {
        "work": f"{name} {work}".replace("_", " "),
        "batch_size": args.batch_size,
        "threads": threads,
        "ours": 1e3 * ours,
        "theirs": 1e3 * theirs,
        "variant": variant,
        "ratio": theirs / ours,
        "all": {k: {"min": 1e3 * t.minimum, "median": 1e3 * t.median, "repeats": t.repeats} for k, t in times.items()},
    }
    print(f"{result['work']}, {threads} threads: {result['ratio']:.2f}", flush=True)
    return result


if __name__ == "__main__":
    main()
