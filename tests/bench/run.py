"""`make bench`: minidl and its peers take turns at the same work, with as many threads, each in a process of its own.

Writes JSON after every row and goes on where it was stopped.  A claim is a ratio from one row: the best time of the
fastest peer over our best time.  Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import extras
from contest import OURS, Arena
from results import Results, source_digest
from rows import AVX2, Row, rows

import minidl
from minidl.commands.doctor import cpu_name

BUSY = """
import os
parent = os.getppid()
while os.getppid() == parent:  # so that it ends with us, however we end
    for _ in range(10**6):
        pass
"""


def main() -> None:
    args = arguments()
    warm_up([{}] if args.quick else [{}, AVX2])
    wanted = list(rows(args.threads, not args.no_compile, args.quick))
    arenas = {str(row.environment): Arena(row.environment) for row in wanted}
    steps: dict[str, extras.Step] = {
        row.key: partial(measure, row, arenas[str(row.environment)], args) for row in wanted
    }
    steps |= extras.steps(max(args.threads), args.quick)
    try:
        results = Results(args.out, conditions(args, next(iter(arenas.values()))))
        wanted_keys = [key for key in steps if any(text in key for text in args.only)]
        failed = [key for key in wanted_keys if not done(key, steps[key], results, arenas)]
    finally:
        for arena in arenas.values():
            arena.close()
    results.finish()
    if failed:
        sys.exit(f"{len(failed)} rows failed and are missing, see above")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, min(2, cores)}, reverse=True))
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contestant (default: %(default)s)")
    parser.add_argument("--budget", type=float, default=45, help="seconds of a network's row (default: %(default)s)")
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="TEXT", help="rows whose name contains one of these, as 'layers:'"
    )
    parser.add_argument("--quick", action="store_true", help="three rounds, fewer rows, no torch.compile")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile, which needs a C++ compiler")
    parser.add_argument("--out", type=Path, default=Path("docs/results/bench.json"))
    args = parser.parse_args()
    if any(args.only) and args.out == parser.get_default("out"):
        parser.error("--only needs an --out of its own")
    if args.quick:
        args.rounds, args.budget, args.no_compile = 3, 5, True
    return args


def done(key: str, step: extras.Step, results: Results, arenas: dict[str, Arena]) -> bool:
    """Measure a row unless an earlier run has; False if it failed."""
    if key in results:
        return True
    start = time.perf_counter()
    try:
        found = step()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"{key} FAILED: {error}", flush=True)
        for arena in arenas.values():
            arena.close()  # the next row starts new workers
        return False
    results.add(key, found)
    print(f"{time.perf_counter() - start:5.1f} s  {key}{said(found)}", flush=True)
    return True


def said(found: dict) -> str:
    """The ratios of a row, for whoever watches."""
    parts = [
        f"\n         {task}: {1e3 * t['times'][OURS]['min']:.2f} ms, {t['ratio']:.2f} × {t['peer']}"
        for task, t in found.get("tasks", {}).items()
        if "ratio" in t
    ]
    return "".join(parts)


def measure(row: Row, arena: Arena, args: argparse.Namespace) -> dict:
    budget = args.budget if row.group == "networks" else args.budget / 5
    with busy() if row.busy else contextlib.nullcontext():
        tables = arena.race(row.tasks, list(row.who), args.rounds, budget)
    described = {task: row.tasks[task] | table for task, table in tables.items()}
    return {"group": row.group, "work": row.work, "threads": row.threads, "tasks": described, "rest": dict(arena.rest)}


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Another process that never rests."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def warm_up(environments: list[dict[str, str]]) -> None:
    """Compile every kernel before anything is timed."""
    command = [sys.executable, "-m", "minidl.cli", "warmup", "--keep-old"]
    for environment in environments:
        subprocess.run(command, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)


def conditions(args: argparse.Namespace, arena: Arena) -> dict:
    """What must be equal for two results to be put side by side."""
    return {
        "machine": cpu_name(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(), "versions": arena.facts(),
        "settings": {k: getattr(args, k) for k in ("threads", "rounds", "budget", "quick", "no_compile")},
        "sources": source_digest(Path(minidl.__file__).parent),
    }  # fmt: skip


if __name__ == "__main__":
    main()
