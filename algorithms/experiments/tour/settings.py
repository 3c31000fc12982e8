"""How much of everything the tour does, and the bench it works on: images, a folder for runs, a bar to move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from minidl.data import Dataset, load
from minidl.nn import Module
from minidl.optim import SGD, Cosine
from minidl.training import train


@dataclass(frozen=True)
class Settings:
    """Sizes of the experiments; `FULL` is the tour, `FAST` a minute's version for tests."""

    train_images: int = 5400
    validation_images: int = 600
    epochs: int = 8
    retrain_epochs: int = 4
    ratios: tuple[float, ...] = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
    rule_epochs: int = 6
    batch: int = 64  # images a step of the few-bit rules, and of the rule with a big batch,
    big_batch: int = 512
    big_factor: int = 3  # which gets more epochs, since each has fewer steps
    toy_steps: int = 1_000_000
    depth: int = 20  # of the two networks whose landscapes are compared
    landscape_epochs: int = 6
    directions: int = 3
    line_points: int = 31
    plane_points: int = 17
    landscape_images: int = 300


FULL = Settings()
FAST = Settings(
    train_images=900, validation_images=100, epochs=2, retrain_epochs=1, ratios=(0.25, 0.5, 0.75), rule_epochs=2,
    depth=8,
    toy_steps=100_000, landscape_epochs=3, directions=2, line_points=9, plane_points=7, landscape_images=100,
)  # fmt: skip


@dataclass
class Workshop:
    """What every chapter needs: settings, images, a folder for the runs, and whom to tell about progress.

    `validation` chooses (ratios, epochs), `test` is looked at for the figures that are reported.
    """

    settings: Settings
    folder: Path
    seed: int = 0
    advance: Callable[[str], object] = print  # called with what has just been finished
    images: Dataset = field(init=False)
    validation: Dataset = field(init=False)
    test: Dataset = field(init=False)

    def __post_init__(self) -> None:
        everything = load("fashion-mnist-mini")
        wanted = self.settings.train_images + self.settings.validation_images
        rest, self.validation = everything.subset(wanted).split(self.settings.validation_images, self.seed)
        self.images, self.test = rest, load("fashion-mnist-mini", "test")

    def train(
        self, name: str, model: Module, epochs: int, lr: float = 0.1, record_trajectory: bool = False
    ) -> list[float]:
        """Train by the papers' recipe (SGD, Nesterov momentum) and return the test accuracy after each epoch."""
        optimizer = SGD(model.named_parameters(), lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
        records = []
        for record in train(
            model,
            self.images,
            epochs=epochs,
            optimizer=optimizer,
            schedule=Cosine(lr, epochs),
            validation=self.test,
            seed=self.seed,
            run=self.folder / name,
            record_trajectory=record_trajectory,
            progress=False,
        ):
            records.append(record.validation_accuracy or 0.0)
            self.advance(f"{name}: epoch {record.epoch} of {epochs}, accuracy {record.validation_accuracy:.1%}")
        return records
