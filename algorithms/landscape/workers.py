"""Worker processes for a scan, each with one thread: they share nothing, so their number decides the time alone.

Any other `concurrent.futures.Executor` does as well, such as the client's executor of a Dask cluster.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import minidl


def workers(count: int) -> ProcessPoolExecutor:
    """`count` processes, to hand to `scan`, `line` or `plane` as `executor`; close it, or use it in a `with` block.

    They are spawned, so a script that uses them needs the usual `if __name__ == "__main__":`.  ValueError if `count` is
    below 1.

    Examples
    --------
    >>> with workers(2) as executor:  # processes start with the first work: plane(..., executor=executor)
    ...     type(executor).__name__
    'ProcessPoolExecutor'
    """
    if count < 1:
        raise ValueError(f"workers got {count}, expected at least 1")
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, spawn, minidl.set_num_threads, (1,))
