"""How weights move: `SGD` and `Adam`, and schedules of their rate."""

from minidl.optim.adam import Adam
from minidl.optim.optimizer import Optimizer
from minidl.optim.schedule import Constant, Cosine, MultiStep, Schedule, WarmUp
from minidl.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Constant", "Cosine", "MultiStep", "Optimizer", "Schedule", "WarmUp"]
