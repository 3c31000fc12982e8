"""One framework that trains one network in a process of its own, so that its memory and its start are its own.

Called as `worker.py VARIANT NETWORK BATCH_SIZE THREADS`.  It says in lines of JSON how long it took from its first line
to the end of the first step, then, for every line it reads, how long a step took, and at the end its peak memory.
"""

from __future__ import annotations

import time

START = time.perf_counter()

import json  # noqa: E402 - the clock runs first
import resource  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402


def main() -> None:
    variant, network, batch_size, threads = sys.argv[1:]
    prepare = minidl_step if variant == "minidl" else torch_step
    step = prepare(variant, network, int(batch_size), int(threads))
    step()
    say(first_step=time.perf_counter() - START)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        say(seconds=time.perf_counter() - start)
    say(megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def minidl_step(variant: str, network: str, batch_size: int, threads: int) -> Callable[[], object]:
    import minidl
    from minidl.commands import bench

    minidl.set_num_threads(threads)
    return bench.training_step(network, batch_size)


def torch_step(variant: str, network: str, batch_size: int, threads: int) -> Callable[[], object]:
    import peers
    import torch

    torch.set_num_threads(threads)
    compiled = variant == "compiled"
    return peers.training_step(network, batch_size, "channels-last" if compiled else variant, compiled)


def say(**what: float) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
