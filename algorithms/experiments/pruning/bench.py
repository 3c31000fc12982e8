"""The bench for one network and one seed: images, trainings that survive interruption, measurements that are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from algorithms.experiments.kept import kept
from algorithms.experiments.pruning.settings import Net, Settings
from minidl import load
from minidl.data import Dataset
from minidl.data import load as load_images
from minidl.nn import Module
from minidl.nn.models import build
from minidl.optim import SGD, Schedule
from minidl.training import evaluate, history, train
from minidl.types import Shape


@dataclass(frozen=True)
class Accuracy:
    """Of one network, on the images that choose and on those that are reported."""

    validation: float
    test: float


@dataclass(frozen=True)
class Trained:
    """The network after the epoch that validation chose, and the validation accuracy after every epoch."""

    model: Module
    curve: list[float]
    epoch: int


@dataclass
class Bench:
    """Everything an experiment needs; `seconds` is the sum of what trainings and kept measurements took."""

    settings: Settings
    net: Net
    seed: int
    folder: Path
    advance: Callable[[str], object]
    seconds: float = 0.0
    images: Dataset = field(init=False)
    validation: Dataset = field(init=False)
    test: Dataset = field(init=False)

    def __post_init__(self) -> None:
        s = self.settings
        first = load_images(s.dataset).subset(s.train_images + s.validation_images)
        self.images, self.validation = first.split(s.validation_images, self.seed)
        self.test = load_images(s.dataset, "test")

    @property
    def shape(self) -> Shape:
        """(H, W, C) of one image."""
        return self.images.images.shape[1:]

    def build(self, again: int = 0) -> Module:
        """Build the network, freshly drawn; another `again` draws other weights."""
        return build(self.net.model, self.shape, rng=1_000 * again + self.seed, **self.net.options)

    def train(self, name: str, model: Module, epochs: int, schedule: Schedule) -> Trained:
        """Train in a run folder, and take the epoch with the best validation accuracy."""
        s, run = self.settings, self.folder / name
        optimizer = SGD(model.named_parameters(), s.lr, momentum=0.9, nesterov=True, weight_decay=s.weight_decay)
        for _ in train(
            model, self.images, epochs=epochs, optimizer=optimizer, schedule=schedule, batch_size=s.batch,
            validation=self.validation, seed=self.seed, augment=True, run=run, record_trajectory=True, progress=False,
        ):  # fmt: skip
            pass
        records = history(run)
        curve = [record.validation_accuracy or 0.0 for record in records]
        best = 1 + max(range(len(curve)), key=curve.__getitem__)
        self.seconds += sum(record.seconds for record in records if not math.isnan(record.seconds))
        self.advance(f"{self.net.name}, seed {self.seed}: {name}")
        return Trained(load(run / "trajectory" / f"epoch_{best:04d}.npz"), curve, best)

    def measure(self, name: str, asked: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """Return what `compute` finds as plain JSON, from a file if it was found before with the same `asked`."""

        def timed() -> dict[str, Any]:
            start = perf_counter()
            return {"value": compute(), "seconds": perf_counter() - start}

        found = kept(self.folder / f"{name}.json", asked, timed)
        self.seconds += found["seconds"]
        self.advance(f"{self.net.name}, seed {self.seed}: {name}")
        return found["value"]

    def asked(self, *settings: str) -> dict[str, Any]:
        """Return those settings that decide a measurement, beside the network."""
        return {name: getattr(self.settings, name) for name in settings}

    def accuracy(self, name: str, trained: Trained) -> Accuracy:
        """Evaluate what a training ended with, once."""
        found = self.measure(f"{name}-accuracy", {"epoch": trained.epoch}, lambda: asdict(self.evaluate(trained.model)))
        return Accuracy(**found)

    def evaluate(self, model: Module) -> Accuracy:
        """Evaluate on both sets."""
        return Accuracy(evaluate(model, self.validation).accuracy, evaluate(model, self.test).accuracy)
