"""The one decorator that compiles a kernel, and the folder on disk where compiled kernels wait for the next process.

numba's own cache notices an edit of the file that defines a function, but not of the files it calls; ours is keyed by
the content of every kernel source, the compiler's version and the processor, so that an edit never runs stale code.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
KEY = re.compile("[0-9a-f]{24}")  # what `cache_key` looks like
_decorating = threading.RLock()  # one thread at a time changes numba's setting; a decorator may import kernels


def jit(function: F) -> F:
    """Compile `function` without Python objects, releasing the GIL, cached on disk where a folder can be written.

    Modules that use it need numba when they are imported, so they are imported inside functions, when first needed.
    """
    numba: Any = import_module("numba")
    compiled: F = cached(numba.njit, nogil=True)(function)
    return compiled


def cached(decorator: Callable[..., Any], *args: Any, **options: Any) -> Callable[[F], Any]:
    """Return one of numba's decorators with the cache on disk in `cache_folder`, if there is one."""

    def decorate(function: F) -> Any:
        config: Any = import_module("numba").config
        folder = cache_folder()
        with _decorating:
            users_folder = config.CACHE_DIR
            config.CACHE_DIR = str(folder or users_folder)  # only the decorator reads it
            try:
                return decorator(*args, error_model="numpy", cache=folder is not None, **options)(function)
            finally:
                config.CACHE_DIR = users_folder

    return decorate


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder of this very code, compiler and processor, made if need be; None if it cannot be written."""
    folder = _cache_root() / "minidl" / cache_key()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


def old_folders(age: float = 86_400.0) -> list[Path]:
    """Return the cache folders of other code, compilers or processors that nothing was added to for `age` seconds.

    A younger one may be in use: a process that runs an earlier version still writes to it.
    """
    current = cache_folder()
    others = [] if current is None else [f for f in current.parent.iterdir() if f != current and KEY.fullmatch(f.name)]
    return sorted(folder for folder in others if time.time() - folder.stat().st_mtime > age)


def cache_key() -> str:
    """Return the hash of everything that compiled code depends on."""
    versions = [import_module(name).__version__ for name in ("numba", "llvmlite")]
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)} ".encode() + content)
    digest.update(repr((versions, sys.version_info[:2], target())).encode())
    return digest.hexdigest()[:24]


def target() -> tuple[str, str, str]:
    """Return the platform, processor name and features that numba compiles for, which its settings may narrow."""
    registry: Any = import_module("numba.core.registry")
    triple, cpu, features = registry.cpu_target.target_context.codegen().magic_tuple()
    return str(triple), str(cpu), str(features)


def _cache_root() -> Path:
    config: Any = import_module("numba").config
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or tempfile.gettempdir())
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
