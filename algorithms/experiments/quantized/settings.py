"""How much of everything the few-bit experiments do; `cifar10` is sized for three quarters of an hour of one thread."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Net:
    """A network under study, of a kind in `nets.py`; its stages have `width`, twice and four times as many filters."""

    name: str
    kind: str
    width: int


@dataclass(frozen=True)
class Settings:
    """Sizes of the experiments.

    Attributes
    ----------
    train_images, test_images : the first of each set; the test images are measured after every epoch and choose nothing
    epochs, drops : the rate `lr` of Adam falls to a tenth after so many epochs, again after so many
    batch, big_batch : images a step; the big one is that of the rule "sr-big"
    batches : sizes at which SR and BinaryConnect are compared, on the first network
    augment : random crops of the padded image, and flips
    toy_steps : of each walk on the one-dimensional problem
    """

    nets: tuple[Net, ...] = (Net("vgg-style", "vgg", 16), Net("resnet-style", "resnet", 16))
    dataset: str = "cifar10"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    train_images: int = 10_000
    test_images: int = 2_000
    epochs: int = 16
    drops: tuple[int, ...] = (8, 12)
    lr: float = 0.01
    batch: int = 64
    big_batch: int = 512
    batches: tuple[int, ...] = (64, 512)
    augment: bool = True
    toy_steps: int = 1_000_000


SETTINGS: dict[str, Settings] = {
    "cifar10": Settings(),
    "mini": Settings(
        dataset="fashion-mnist-mini", train_images=4_000, test_images=1_000, epochs=12, drops=(6, 9), batch=32,
        big_batch=256, batches=(32, 64, 256),
    ),
    "fast": Settings(
        (Net("vgg-style", "vgg", 2), Net("resnet-style", "resnet", 2)), "fashion-mnist-mini", seeds=(0, 1),
        train_images=160, test_images=50, epochs=4, drops=(2, 3), batch=16, big_batch=32, batches=(16, 32, 80),
        toy_steps=20_000,
    ),
}  # fmt: skip
