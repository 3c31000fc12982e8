"""How much of everything the pruning experiments do; `cifar10` takes about forty minutes of one thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Net:
    """A network under study.

    Attributes
    ----------
    name : what to call it in records and figures
    model, options : for `minidl.nn.models.build`
    retrained : layers whose sensitivity is measured with retraining too, which costs a training for every ratio
    """

    name: str
    model: str
    options: Mapping[str, Any]
    retrained: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """Sizes of the experiments.

    Attributes
    ----------
    train_images, validation_images : the first of the training set, split by the seed; validation chooses ratios and
        epochs, the test set is only reported
    measured_images : so many of the validation images measure sensitivity
    lr : largest rate, which falls along half a cosine
    retrain_epochs : a quarter of the epochs, as in the paper, at the constant rate `retrain_lr` or at one that falls
        from `decayed_lr`
    ratios : of filters removed from one layer alone; `retrained_ratios` with retraining on `short_images` images
    macs_share : what the pruned network keeps of the multiply-accumulates
    compared_ratios : at which all criteria are compared, for all layers at once
    """

    nets: tuple[Net, ...]
    dataset: str = "cifar10"
    seeds: tuple[int, ...] = (0, 1, 2)
    train_images: int = 14_000
    validation_images: int = 2_000
    measured_images: int = 1_000
    epochs: int = 8
    batch: int = 64
    lr: float = 0.1
    weight_decay: float = 5e-4
    retrain_epochs: int = 2
    retrain_lr: float = 0.001
    decayed_lr: float = 0.02
    ratios: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    retrained_ratios: tuple[float, ...] = (0.3, 0.6, 0.9)
    short_images: int = 3_000
    macs_share: float = 0.5
    compared_ratios: tuple[float, ...] = (0.25, 0.5)
    scored_images: int = 500
    timed_batch: int = 128
    timed_seconds: float = 3.0


def _nets(filters: int) -> tuple[Net, ...]:
    """Choose a plain network, whose groups have `filters`, twice and four times as many, and one with shortcuts."""
    widths = ((filters,), (filters,), (2 * filters,) * 2, (4 * filters,) * 2)
    vgg = {"widths": widths, "hidden": (4 * filters,)}
    return (
        Net("vgg-style", "vgg16", vgg, ("layers.conv1", "layers.conv2", "layers.conv6")),
        Net("resnet8", "resnet8", {}, ("stages.0.0.conv1", "stages.2.0.conv1")),
    )


SETTINGS: dict[str, Settings] = {
    "cifar10": Settings(_nets(32)),
    "mini": Settings(
        _nets(32), dataset="fashion-mnist-mini", train_images=5_400, validation_images=600, measured_images=600,
        short_images=1_500,
    ),
    "fast": Settings(
        (
            Net("vgg-style", "vgg16", {"widths": ((8,), (8,), (12,)), "hidden": (8,)}, ("layers.conv1",)),
            Net("resnet8", "resnet8", {"width": 0.25}, ("stages.0.0.conv1",)),
        ),
        dataset="fashion-mnist-mini", seeds=(0, 1), train_images=200, validation_images=60, measured_images=60,
        epochs=2, retrain_epochs=1, ratios=(0.25, 0.5, 0.75), retrained_ratios=(0.5,), short_images=100,
        compared_ratios=(0.5,), scored_images=50, timed_batch=8, timed_seconds=0.05,
    ),
}  # fmt: skip
