"""Dropout: in training, silence each element with probability p and scale the others so that the mean stays."""

from __future__ import annotations

import numpy as np

from minidl.rng import generator
from minidl.tensor import Tensor, as_tensor
from minidl.types import Rng


def dropout(x: Tensor, p: float = 0.5, training: bool = True, rng: Rng = None) -> Tensor:
    """`x` with a share `p` of its elements set to 0 and the others divided by 1 - p; outside training, `x` itself.

    Examples
    --------
    >>> import numpy as np
    >>> y = dropout(np.ones(1000, np.float32), p=0.25, rng=0).numpy()
    >>> sorted({round(float(v), 3) for v in y}), bool(abs(y.mean() - 1) < 0.1)
    ([0.0, 1.333], True)
    """
    x = as_tensor(x)
    if not 0 <= p < 1:
        raise ValueError(f"dropout got p={p}, expected 0 <= p < 1, the share of elements to silence")
    if not training or p == 0:
        return x
    kept = generator(rng).random(x.shape, dtype=np.float32) >= p
    return x * Tensor.wrap(kept.astype(x.dtype) * as_tensor(1 / (1 - p), dtype=x.dtype).data)
