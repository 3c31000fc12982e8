"""What ONNX Runtime does in the benchmark: inference of the network that PyTorch exported, with default optimizations.

Its threads may spin while it works, as it does by default; `worker.py` lets them come to rest after each turn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime


def facts() -> dict[str, str]:
    return {"onnxruntime": onnxruntime.__version__}


def set_threads(threads: int) -> None:
    """A session keeps the number it was made with."""


def forget() -> None:
    """Nothing is kept beside the calls."""


def prepare(spec: dict) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = spec["threads"], 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(spec["path"], options, providers=["CPUExecutionProvider"])
    height, width, channels = spec["shape"]
    x = np.random.default_rng(0).standard_normal((spec["batch"], channels, height, width), dtype=np.float32)
    return lambda: session.run(None, {"x": x})
