"""The rows that are no race: agreement, errors against float64, memory of a process, start-up; each returns a dict."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from contest import OURS, WHO, Worker, summary, table
from rows import EAGER, describe

Step = Callable[[], dict]
HERE = Path(__file__).parent


def steps(threads: int, quick: bool) -> dict[str, Step]:
    """Name and call of each."""
    found: dict[str, Step] = {
        "agreement of the networks": partial(script, "agree.py", "agreement"),
        "errors against float64": partial(script, "errors.py", "errors"),
    }
    for name in () if quick else ("vgg16", "resnet56"):
        found[f"memory: {name}"] = partial(memory, name, threads)
    for kind in ("warm",) if quick else ("warm", "cold"):
        found[f"start: {kind}"] = partial(start_up, kind, threads)
    return found


def script(name: str, group: str) -> dict:
    """Run a file of this folder in a process of its own; it prints JSON."""
    done = subprocess.run([sys.executable, str(HERE / name)], stdout=subprocess.PIPE, text=True, check=True)
    return {"group": group, "found": json.loads(done.stdout)}


def memory(name: str, threads: int) -> dict:
    """Peak resident memory of a process that takes three training steps, in megabytes."""
    spec = describe(name, None, "training step", 128, threads)
    found = {}
    for who in (OURS, *EAGER):
        framework, more = WHO[who]
        worker = Worker(framework)
        worker.ask("prepare", name="step", spec=spec | more)
        for _ in range(2):
            worker.ask("turn", name="step", spec=spec | more, seconds=0)
        found[who] = worker.ask("peak")["megabytes"]
        worker.close()
    peer = min(EAGER, key=found.__getitem__)
    return {"group": "memory", "work": name, "threads": threads, "megabytes": found, "peer": peer,
            "share": found[OURS] / found[peer]}  # fmt: skip


def start_up(kind: str, threads: int) -> dict:
    """Seconds from the start of a process to the end of its first resnet20 training step; cold: nothing compiled."""
    spec = describe("resnet20", None, "training step", 128, threads)
    names = (OURS, *EAGER) if kind == "warm" else (OURS,)
    times: dict[str, list[float]] = {who: [] for who in names}
    for _ in range(3 if kind == "warm" else 1):
        for who in names:
            framework, more = WHO[who]
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                worker = Worker(framework, {"NUMBA_CACHE_DIR": folder} if kind == "cold" else None)
                worker.ask("prepare", name="step", spec=spec | more)
                times[who].append(time.perf_counter() - start)
                worker.close()
    tables = {kind: table({who: summary(seconds) for who, seconds in times.items()}, [], {}, {})}
    return {"group": "start", "work": kind, "threads": threads, "tasks": tables}
