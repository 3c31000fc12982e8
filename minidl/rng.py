"""Where random numbers come from when nobody passes an `rng`: one generator, set by `manual_seed`."""

from __future__ import annotations

import numpy as np

from minidl.types import Rng

_default = np.random.default_rng(0)


def manual_seed(seed: int) -> None:
    """Restart the default generator, used by layers and dropout where no `rng` is given.

    Examples
    --------
    >>> import minidl
    >>> minidl.manual_seed(7)
    >>> a = minidl.nn.Linear(2, 2).weight.numpy()
    >>> minidl.manual_seed(7)
    >>> bool((a == minidl.nn.Linear(2, 2).weight.numpy()).all())
    True
    """
    _default.bit_generator.state = np.random.default_rng(seed).bit_generator.state


def generator(rng: Rng = None) -> np.random.Generator:
    """`rng` itself, a new generator from a seed, or the default one for None."""
    if rng is None:
        return _default
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng(rng)
