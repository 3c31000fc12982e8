"""The bench of the landscape experiments: images, trained networks, and measurements that are made once.

A network is a run folder, a measurement a JSON file that says what was asked; whatever is there is not made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from algorithms.experiments.kept import kept
from algorithms.experiments.landscape.nets import Net
from algorithms.experiments.landscape.settings import Settings
from minidl import load as load_net
from minidl.data import Dataset, load
from minidl.nn import Module
from minidl.optim import SGD, MultiStep
from minidl.training import history, train
from minidl.types import Array

DROPS = (150 / 300, 225 / 300, 275 / 300)  # shares of the training after which the paper's rate falls to a tenth

Record = dict[str, Any]


@dataclass
class Workshop:
    """Settings, a folder for what is made, whom to tell about progress, and the images."""

    settings: Settings
    folder: Path
    advance: Callable[[str], object]
    images: Dataset = field(init=False)
    test: Dataset = field(init=False)

    def __post_init__(self) -> None:
        self.images = load(self.settings.dataset).subset(self.settings.images)
        self.test = load(self.settings.dataset, "test").subset(self.settings.test_images)

    def train(self, net: Net) -> None:
        """Train by the paper's recipe, without augmentation so that few epochs reach a low loss; keep every epoch."""
        model = self.build(net)
        optimizer = SGD(model.named_parameters(), net.lr, momentum=0.9, nesterov=True, weight_decay=net.decay)
        for _ in train(
            model,
            self.images,
            epochs=net.epochs,
            optimizer=optimizer,
            schedule=MultiStep(net.lr, tuple(drop * net.epochs for drop in DROPS)),
            batch_size=net.batch,
            seed=net.seed,
            run=self.folder / net.name,
            record_trajectory=net.is_vgg,
            progress=False,
        ):
            pass
        self.advance(f"trained {net.name}")

    def build(self, net: Net) -> Module:
        """Make the network for these images, untrained."""
        return net.build(self.images.images.shape[3], self.images.images.shape[1])

    def trained(self, net: Net) -> Module:
        """Read the trained network."""
        return load_net(self.folder / net.name / "checkpoint.npz")

    def states(self, net: Net) -> list[dict[str, Array]]:
        """Read the network before the first and after every epoch, as dicts of arrays."""
        files = sorted((self.folder / net.name / "trajectory").glob("epoch_*.npz"))
        return [load_net(file).state_dict() for file in files]

    def training_seconds(self, net: Net) -> float:
        """Take all epochs to last as long as the median one: other work on the machine makes some of them longer."""
        return net.epochs * median(epoch.seconds for epoch in history(self.folder / net.name))

    def keep(self, name: str, asked: Record, measure: Callable[[], Record]) -> Record:
        """Measure, or read what was measured under this name if the same was asked; `seconds` are of CPU time.

        `asked` is what decides the result beside the trained networks; both it and the result are JSON.
        """

        def timed() -> Record:
            start = time.process_time()
            return measure() | {"seconds": round(time.process_time() - start, 2)}

        found: Record = kept(self.folder / f"{name}.json", asked, timed)
        self.advance(f"measured {name}")
        return found
