"""`minidl warmup`: compile every kernel once, so that the first training step starts at once; remove old caches."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from minidl.commands import Output


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--keep-old", action="store_true", help="leave the compiled kernels of earlier versions where they are"
    )


def run(args: argparse.Namespace) -> Output:
    """Compile, then clean."""
    from minidl.kernels import backend

    if not backend.compiled():
        raise ValueError("the backend is numpy, expected numba to compile for: install numba, or unset MINIDL_BACKEND")
    from minidl.kernels.jit import cache_folder

    seconds = _compile()
    folder = cache_folder()
    deleted = [] if args.keep_old else _clean()
    kept = "nowhere: no folder can be written, so each process compiles anew" if folder is None else f"in {folder}"
    lines = [f"{len(seconds)} families of kernels ready in {sum(seconds.values()):.1f} s, kept {kept}"]
    lines += [f"deleted {path} ({size / 1e6:.1f} MB), made by an earlier version" for path, size in deleted]
    data = {
        "folder": None if folder is None else str(folder),
        "seconds": seconds,
        "deleted": [{"folder": str(path), "bytes": size} for path, size in deleted],
    }
    return Output("\n".join(lines), data)


def _compile() -> dict[str, float]:
    """Make every call of `kernels.warm` with a progress bar; return how long each took."""
    from tqdm import tqdm

    from minidl.kernels import warm

    calls = warm.calls()
    seconds = {}
    with tqdm(total=len(calls), unit="family", disable=None) as shown:  # silent where no terminal shows it
        for name, call in calls.items():
            shown.set_description(name)
            start = time.perf_counter()
            call()
            seconds[name] = time.perf_counter() - start
            shown.update(1)
    return seconds


def _clean() -> list[tuple[Path, int]]:
    """Delete the folders of earlier versions; return each with its bytes."""
    from minidl.kernels.jit import old_folders

    deleted = []
    for folder in old_folders():
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        shutil.rmtree(folder)
        deleted.append((folder, size))
    return deleted
