"""What training reports: one record per epoch, the state between them, and the one error that stops it."""

from __future__ import annotations

from dataclasses import dataclass, field


class TrainingError(RuntimeError):
    """Training cannot go on, or a run's folder does not fit what was asked."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images.

    Attributes
    ----------
    epoch : how many epochs are done, from 1
    lr : rate of its last step
    loss, accuracy : means over the epoch's images while the network was changing; nats and a fraction
    validation_loss, validation_accuracy : after the epoch, on the validation set; None without one
    seconds : time taken, since the last resumption if it was interrupted
    """

    epoch: int
    lr: float
    loss: float
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float


@dataclass
class State:
    """How far a run is: the epochs done, and the sums over the batches done of the epoch in progress."""

    records: list[Epoch] = field(default_factory=list)
    batches: int = 0
    loss: float = 0.0
    right: int = 0
    images: int = 0

    def add(self, loss: float, right: int, images: int) -> None:
        """Count one more batch: its mean loss, how many answers were right, of how many images."""
        self.batches += 1
        self.loss += loss * images
        self.right += right
        self.images += images

    def finish_epoch(self, record: Epoch) -> None:
        """Keep the record of the epoch that is now done and begin the next."""
        self.records.append(record)
        self.batches, self.loss, self.right, self.images = 0, 0.0, 0, 0
