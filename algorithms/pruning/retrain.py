"""Training a pruned network on, at a constant or a falling rate; a validation split picks the epoch."""

from __future__ import annotations

from typing import Any

from minidl.data import Dataset
from minidl.nn import Module
from minidl.optim import Constant, Cosine
from minidl.training import Epoch, evaluate, train


def retrain(
    model: Module,
    images: Dataset,
    validation: Dataset,
    epochs: int,
    lr: float = 0.001,
    decay: bool = False,
    **options: Any,
) -> list[Epoch]:
    """Train in place; afterwards the network is that of the epoch with the best validation accuracy, or as it was.

    It is as it was if no epoch made it better.

    Parameters
    ----------
    validation : never the test set, whose accuracy would then be chosen, not measured
    epochs : the paper takes a quarter of those of the first training
    lr, decay : the paper's constant 0.001 (section 4), or a rate that falls to 0 along half a cosine
    options : for `minidl.training.train`: seed, augment, optimizer, ...

    Returns
    -------
    the records of all epochs

    Examples
    --------
    >>> import minidl
    >>> images, validation = minidl.data.load("fashion-mnist-mini").subset(300).split(100, seed=0)
    >>> model = minidl.nn.models.lenet5(rng=0)
    >>> records = retrain(model, images, validation, epochs=2, lr=0.02, decay=True, progress=False)
    >>> best = max(record.validation_accuracy for record in records)
    >>> minidl.training.evaluate(model, validation).accuracy == best
    True
    """
    schedule = Cosine(lr, epochs) if decay else Constant(lr)
    records: list[Epoch] = []
    best, state = evaluate(model, validation).accuracy, model.state_dict()
    for record in train(model, images, epochs=epochs, schedule=schedule, validation=validation, **options):
        records.append(record)
        if (accuracy := record.validation_accuracy or 0.0) > best:
            best, state = accuracy, model.state_dict()
    model.load_state_dict(state)
    return records
