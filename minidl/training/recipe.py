"""`train`: a network, images and a few choices become a checked, resumable loop that yields one record per epoch.

Defaults are chosen here and nothing is computed; the loop is `loop.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from minidl.checkpoint import StrPath
from minidl.data import CropFlip, Dataset
from minidl.data.loader import Augmentation
from minidl.nn.module import Module
from minidl.optim import SGD, Constant, Schedule
from minidl.training.checks import check_fit, check_settings
from minidl.training.loop import Loop, OnStep, Optimizer
from minidl.training.records import Epoch
from minidl.training.run import Run


def train(
    model: Module,
    dataset: Dataset,
    *,
    epochs: int,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    lr: float | None = None,
    batch_size: int = 128,
    validation: Dataset | None = None,
    seed: int = 0,
    augment: bool | Augmentation = False,
    label_smoothing: float = 0.0,
    run: StrPath | None = None,
    record_trajectory: bool = False,
    save_every: float = 60.0,
    progress: bool | None = None,
    on_step: OnStep | None = None,
) -> Iterator[Epoch]:
    """Train a network with cross-entropy, yielding one record after each epoch; stop whenever you like.

    Parameters
    ----------
    epochs : passes over the dataset in all, those of a resumed run included
    optimizer : by default SGD with Nesterov momentum 0.9 and weight decay 1e-4, the ResNet recipe
    schedule : the rate at every (fractional) epoch; by default constant
    lr : the constant rate; by default the optimizer's own, or 0.1 where none is given
    batch_size : images a step; a last batch of one image is left out, since batch statistics need two
    validation : images to evaluate after each epoch
    seed : order and augmentation of the images (dropout draws from the default generator, see `manual_seed`)
    augment : True for `CropFlip()`, or any augmentation of `minidl.data`
    label_smoothing : share of the target that is spread over all classes
    run : a folder to keep; if it holds a run with the same settings, that one is continued, to the same bits as if it
        had never been interrupted, and only the epochs that were missing are yielded
    record_trajectory : keep the network after each epoch, and before the first, in the run's folder
    save_every : seconds after which a checkpoint is written within an epoch too
    progress : show a bar with the time left; by default where stderr is a terminal
    on_step : called as `on_step(step, model)` after every step, counted from 1, while gradients are still there

    Raises
    ------
    ValueError
        At once, if the images or labels do not fit the network.
    TrainingError
        If the loss or a weight is no longer finite; a run keeps its last good checkpoint.

    Examples
    --------
    >>> import minidl
    >>> images = minidl.data.load("fashion-mnist-mini").subset(500)
    >>> model = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(784, 10, rng=0))
    >>> records = list(minidl.training.train(model, images, epochs=2, lr=0.01))
    >>> [record.epoch for record in records], records[1].loss < records[0].loss
    ([1, 2], True)
    """
    if record_trajectory and run is None:
        raise ValueError("record_trajectory=True needs a folder to record to: pass run=FOLDER")
    check_settings(epochs, batch_size, label_smoothing)
    for images in (dataset, validation):
        if images is not None:
            check_fit(model, images)
    if optimizer is None:
        rate = 0.1 if lr is None else lr
        optimizer = SGD(model.named_parameters(), rate, momentum=0.9, nesterov=True, weight_decay=1e-4)
    loop = Loop(
        model=model,
        dataset=dataset,
        optimizer=optimizer,
        schedule=Constant(optimizer.lr if lr is None else lr) if schedule is None else schedule,
        batch_size=batch_size,
        validation=validation,
        seed=seed,
        augment=(CropFlip() if augment else None) if isinstance(augment, bool) else augment,
        label_smoothing=label_smoothing,
        save_every=save_every,
        on_step=on_step,
    )
    config = loop.config() | {"record_trajectory": record_trajectory}
    return loop.run_epochs(epochs, None if run is None else Run(run, config), progress)
