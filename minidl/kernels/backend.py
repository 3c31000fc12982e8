"""Which version of a kernel runs: the compiled one or its NumPy twin, the fast convolution or the exact one.

One small object holds both choices; this file leaves out threads (``parallel.py``) and compilation (``jit.py``).
"""

from __future__ import annotations

import functools
import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType

BACKENDS = ("numba", "numpy")
CONVS = ("fast", "exact")


@dataclass
class Settings:
    """The two choices; ``backend`` is None until somebody chooses one."""

    backend: str | None = None
    conv: str = "fast"


class _Here(threading.local):
    """What one thread has chosen for itself."""

    backend: str | None = None
    conv: str | None = None


settings = Settings()
_here = _Here()


def numba_available() -> bool:
    """Whether numba could be imported; does not import it."""
    return importlib.util.find_spec("numba") is not None


def backend() -> str:
    """Return ``"numba"`` or ``"numpy"``: chosen by `here` or `use`, else ``MINIDL_BACKEND``, else numba if it exists.

    Examples
    --------
    >>> with use(backend="numpy"):
    ...     backend()
    'numpy'
    """
    return _here.backend or settings.backend or _default_backend()


def conv_kind() -> str:
    """Return ``"fast"`` or ``"exact"``: what `here` or `use` chose."""
    return _here.conv or settings.conv


@functools.cache
def _default_backend() -> str:
    return _checked_backend(os.environ.get("MINIDL_BACKEND") or ("numba" if numba_available() else "numpy"))


def compiled() -> bool:
    """Whether kernels run compiled, that is, whether the backend is numba."""
    return backend() == "numba"


@contextmanager
def here(backend: str, conv: str | None = None) -> Iterator[None]:
    """Do what `use` does in this thread alone, for the library's own passing choices; None leaves the convolution.

    Examples
    --------
    >>> with here("numpy"):
    ...     compiled()
    False
    """
    former = _here.backend, _here.conv
    _here.backend, _here.conv = backend, conv or former[1]
    try:
        yield
    finally:
        _here.backend, _here.conv = former


class Choice:
    """What `use` returns: its end as a context manager restores the settings that it was made with."""

    def __init__(self, former: Settings) -> None:
        self._former = former

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        settings.backend, settings.conv = self._former.backend, self._former.conv


def use(backend: str | None = None, conv: str | None = None) -> Choice:
    """Choose the backend and the convolution at once; as a context manager, restore the former choice at its end.

    Parameters
    ----------
    backend : "numba" or "numpy", optional
        Compiled kernels, or their NumPy twins. None leaves it as it is.
    conv : "fast" or "exact", optional
        ``"fast"`` lets the chooser take Winograd, whose rounding differs by about 1e-5 of the largest output;
        ``"exact"`` keeps to the direct sum. None leaves it as it is.

    Raises
    ------
    ValueError
        If a name is unknown, or numba is asked for and not installed.

    Examples
    --------
    >>> with use(conv="exact"):
    ...     settings.conv
    'exact'
    >>> settings.conv
    'fast'
    """
    former = replace(settings)
    new_backend = former.backend if backend is None else _checked_backend(backend)
    new_conv = former.conv if conv is None else _checked("conv", conv, CONVS)
    settings.backend, settings.conv = new_backend, new_conv
    return Choice(former)


def _checked(what: str, name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        raise ValueError(f"{what} is {name!r}; expected one of {', '.join(map(repr, known))}.")
    return name


def _checked_backend(name: str) -> str:
    _checked("backend", name, BACKENDS)
    if name == "numba" and not numba_available():
        raise ValueError("backend is 'numba' but numba is not installed; install numba or use backend='numpy'.")
    return name
