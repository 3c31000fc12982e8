"""Training and measuring a network: `train` yields one record per epoch, `evaluate` one for a whole dataset."""

from minidl.training.evaluation import Evaluation, as_input, evaluate, evaluating, is_right, sample_losses
from minidl.training.loop import Optimizer
from minidl.training.recipe import train
from minidl.training.records import Epoch, TrainingError
from minidl.training.run import history

__all__ = [
    "Epoch", "Evaluation", "Optimizer", "TrainingError", "as_input", "evaluate", "evaluating", "history",
    "is_right", "sample_losses", "train",
]  # fmt: skip
