"""What can be known to be wrong before the first epoch, and what must never get into a checkpoint."""

from __future__ import annotations

from itertools import chain

import numpy as np

from minidl.data import Dataset, batches
from minidl.nn.module import Module
from minidl.training.evaluation import evaluating, predict


def check_fit(model: Module, dataset: Dataset) -> None:
    """Raise one clear sentence unless the network can read these images and name these labels."""
    x, _ = next(batches(dataset, 1, seed=0, epoch=0, shuffle=False))
    try:
        with evaluating(model):
            logits = predict(model, x)  # (1, K)
    except (ValueError, TypeError) as error:
        raise ValueError(f"images {x.shape[1:]} of {dataset.name} do not fit the network: {error}") from None
    if logits.ndim != 2 or len(logits) != 1:
        raise ValueError(f"the network gives {logits.shape} for one image, expected (1, K), a score for each class")
    if dataset.labels.max() >= logits.shape[1]:
        raise ValueError(
            f"labels of {dataset.name} run up to {dataset.labels.max()}, expected at most {logits.shape[1] - 1}, the "
            "network's last output: give it as many outputs as there are classes"
        )


def check_settings(epochs: int, batch_size: int, label_smoothing: float) -> None:
    """Raise one clear sentence for a number that no training can be run with."""
    if epochs < 0 or batch_size < 1 or not 0 <= label_smoothing < 1:
        raise ValueError(
            f"train got epochs={epochs}, batch_size={batch_size}, label_smoothing={label_smoothing}, expected at least "
            "0, at least 1, and a share in [0, 1)"
        )


def all_finite(model: Module) -> bool:
    """Tell whether no weight and no running statistic is infinite or NaN."""
    arrays = chain((p.data for p in model.parameters()), (buffer for _, buffer in model.named_buffers()))
    return all(bool(np.isfinite(array).all()) for array in arrays)
