"""Records as JSON: dataclasses as objects, arrays as lists, numbers that are not finite as null."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return what `json.dumps` takes, of a record made of dataclasses, dicts, sequences, arrays and numbers.

    Examples
    --------
    >>> plain({"loss": np.array([1.0, np.nan]), 3: (1, 2)})
    {'loss': [1.0, None], '3': [1, 2]}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    return None if isinstance(value, float) and not np.isfinite(value) else value
