"""One framework in a process of its own: it prepares calls and times them when it is told to, by lines of JSON.

Called as ``worker.py minidl|torch|onnx``.  After every turn it waits until its threads have come to rest, so that a
pool that spins in hope of more work never runs beside somebody else's turn.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable

Call = Callable[[], object]

PATIENCE = 0.4  # seconds of a turn after which no call is begun for the sake of three


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    module = importlib.import_module(f"calls_{sys.argv[1]}")
    calls: dict[str, Call] = {}
    for line in sys.stdin:
        try:
            answer = obey(module, calls, **json.loads(line))
        except Exception as error:
            answer = {"failed": f"{type(error).__name__}: {error}".split("\n")[0][:300]}
        print(json.dumps(answer), file=answers, flush=True)


def obey(module, calls: dict[str, Call], do: str, name: str = "", spec: dict | None = None, seconds: float = 0) -> dict:
    if do == "prepare":
        start = time.perf_counter()
        module.set_threads(spec["threads"])
        calls[name] = module.prepare(spec)
        calls[name]()  # the first call compiles what has to be compiled
        return {"seconds": time.perf_counter() - start}
    if do == "turn":
        module.set_threads(spec["threads"])
        times = turn(calls[name], seconds)
        return {"times": times, "rest": settle()}
    if do == "drop":
        calls.clear()
        module.forget()
        gc.collect()
        return {}
    if do == "peak":
        return {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    return module.facts()


def turn(call: Call, seconds: float) -> list[float]:
    """Call again and again for so many seconds; the first of three or more calls only wakes things.

    Three there are unless they take too long: on two threads the first call after another process's turn takes up to
    half as much again as the next ones.
    """
    times = []
    began = time.perf_counter()
    while not times or (passed := time.perf_counter() - began) < seconds or (len(times) < 3 and passed < PATIENCE):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times[1:] if len(times) > 2 else times


def settle(limit: float = 1.0) -> float:
    """Return when this process has stopped using the processor, and how many seconds it went on using it."""
    start, pause = time.perf_counter(), 0.003
    while (now := time.perf_counter()) - start < limit:
        used = time.process_time()
        time.sleep(pause)  # the thread that asks uses nothing
        if time.process_time() - used < pause / 6:
            break
    return now - start


if __name__ == "__main__":
    main()
