"""The loop itself: an epoch is steps on shuffled batches, a step is forward, backward, move.

Its settings are chosen in `recipe.py`; where it is saved is `run.py`, what is checked before it `checks.py`.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np

from minidl import ops
from minidl.data import Dataset, batches
from minidl.data.loader import Augmentation, ahead
from minidl.nn.module import Module
from minidl.optim import Schedule
from minidl.training.checks import all_finite
from minidl.training.config import identity, label
from minidl.training.evaluation import as_input, evaluate, is_right
from minidl.training.progress import Bar, bar
from minidl.training.records import Epoch, State, TrainingError
from minidl.training.run import HasState, Run
from minidl.types import Array

OnStep: TypeAlias = Callable[[int, Module], None]


class Optimizer(HasState, Protocol):
    """What training asks of an optimizer, or of a rule around one; its repr goes into a run's config."""

    lr: float

    def step(self) -> None: ...


@dataclass
class Loop:
    """The settings of a training, and how far it is."""

    model: Module
    dataset: Dataset
    optimizer: Optimizer
    schedule: Schedule
    batch_size: int
    validation: Dataset | None
    seed: int
    augment: Augmentation | None
    label_smoothing: float
    save_every: float
    on_step: OnStep | None
    state: State = field(default_factory=State)
    run: Run | None = None

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 1 or full == 0)

    def run_epochs(self, epochs: int, run: Run | None, progress: bool | None) -> Iterator[Epoch]:
        """Train until `epochs` are done in all; on leaving, however it happens, everything borrowed is given back."""
        rate, self.run = self.optimizer.lr, run
        with contextlib.ExitStack() as stack:
            stack.callback(setattr, self.optimizer, "lr", rate)
            stack.callback(self.model.zero_grad)
            if run is not None:
                stack.enter_context(run.locked())
                self.state = run.resume(self.model, self.optimizer)
            done = len(self.state.records)
            if done > epochs:
                raise TrainingError(f"the run has {done} epochs, expected at most {epochs}: ask for {done} or more")
            shown = bar(epochs * self.steps, done * self.steps + self.state.batches, progress)
            stack.callback(shown.close)
            while len(self.state.records) < epochs:
                yield self.epoch(shown)

    def epoch(self, shown: Bar) -> Epoch:
        """Train to the end of the epoch in progress, save it and return its record."""
        started = saved = time.monotonic()
        state, number = self.state, len(self.state.records)
        self.model.train()
        walk = batches(
            self.dataset, self.batch_size, seed=self.seed, epoch=number, augment=self.augment, start=state.batches
        )
        with contextlib.closing(ahead(walk)) as prepared:
            for _, (x, labels) in zip(range(state.batches, self.steps), prepared, strict=False):
                self.step(x, labels)
                shown.set_postfix_str(f"epoch {number + 1}, loss {state.loss / state.images:.3f}", refresh=False)
                shown.update(1)
                if time.monotonic() - saved > self.save_every and state.batches < self.steps:
                    self.check_finite()
                    self.save()
                    saved = time.monotonic()
        self.check_finite()
        after = None if self.validation is None else evaluate(self.model, self.validation)
        record = Epoch(
            epoch=number + 1,
            lr=self.optimizer.lr,
            loss=state.loss / state.images,
            accuracy=state.right / state.images,
            validation_loss=None if after is None else after.loss,
            validation_accuracy=None if after is None else after.accuracy,
            seconds=time.monotonic() - started,
        )
        state.finish_epoch(record)
        self.save()
        return record

    def step(self, x: Array, labels: Array) -> None:
        """Take one step on a batch: x (N, H, W, C), labels (N,)."""
        state = self.state
        self.optimizer.lr = self.schedule(len(state.records) + state.batches / self.steps)
        with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is reported in words
            logits = self.model(as_input(self.model, x))  # (N, K)
            loss = ops.cross_entropy(logits, labels, self.label_smoothing)
            if not math.isfinite(loss.item()):
                raise self.diverged(f"the loss is {loss.item()}")
            loss.backward()
            self.optimizer.step()
        state.add(loss.item(), int(is_right(logits.numpy(), labels).sum()), len(labels))
        if self.on_step is not None:
            self.on_step(len(state.records) * self.steps + state.batches, self.model)
        self.model.zero_grad()

    def save(self) -> None:
        """Write a checkpoint, if there is a folder."""
        if self.run is not None:
            self.run.save(self.state, self.model, self.optimizer)

    def check_finite(self) -> None:
        """Stop before weights are measured or saved with which nothing more can be done."""
        if not all_finite(self.model):
            raise self.diverged("a weight is infinite or NaN")

    def diverged(self, what: str) -> TrainingError:
        """Make the error for a training that has left the finite numbers."""
        kept = f"; {self.run.checkpoint} is the last good state" if self.run else ""
        return TrainingError(
            f"{what} in epoch {len(self.state.records) + 1} at rate {self.optimizer.lr:g}, expected finite numbers: "
            f"lower the rate or warm it up{kept}"
        )

    def config(self) -> dict[str, Any]:
        """Return all that decides the bits of every epoch, as JSON."""
        return {
            "model": {"class": type(self.model).__name__, "parameters": self.model.num_parameters()},
            "dataset": identity(self.dataset),
            "validation": None if self.validation is None else identity(self.validation),
            "optimizer": label(self.optimizer),
            "schedule": label(self.schedule),
            "augment": None if self.augment is None else label(self.augment),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "label_smoothing": self.label_smoothing,
        }
