"""Recorders around an optimizer, so that a run that is stopped goes on with what they had seen.

A run saves its optimizer's state; here that includes the recorders'.  What they record is `statistics.py`, `latent.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from minidl.nn import Module
from minidl.training import Optimizer
from minidl.types import Array


class Recorder(Protocol):
    """Looks at a network after every step, and can say and be told what it has seen."""

    def __call__(self, step: int = 0, model: Module | None = None) -> None: ...
    def state_dict(self) -> dict[str, Array]: ...
    def load_state_dict(self, state: Mapping[str, Array]) -> None: ...


class Watched:
    """An optimizer, or a rule, whose recorders look on after every step and are saved and resumed with it.

    Examples
    --------
    >>> from algorithms.quantization import Binary, StochasticRounding, WeightChange
    >>> from minidl import nn, optim
    >>> conv = nn.Conv2d(1, 2, 3, rng=0)
    >>> rule = StochasticRounding(optim.SGD(conv.named_parameters(), lr=0.1), Binary())
    >>> watched = Watched(rule, WeightChange(rule.quantized, Binary()))
    >>> watched.step()
    >>> watched.state_dict()["recorder 0/rows"].tolist()
    [[[0], [0], [0]]]
    """

    def __init__(self, optimizer: Optimizer, *recorders: Recorder) -> None:
        self.optimizer, self.recorders = optimizer, recorders

    @property
    def lr(self) -> float:
        """The optimizer's rate; settable."""
        return self.optimizer.lr

    @lr.setter
    def lr(self, rate: float) -> None:
        self.optimizer.lr = rate

    def step(self) -> None:
        """Take a step and let the recorders look."""
        self.optimizer.step()
        for recorder in self.recorders:
            recorder()

    def state_dict(self) -> dict[str, Array]:
        """Return the optimizer's state and the recorders'."""
        seen = {
            f"recorder {i}/{name}": array
            for i, recorder in enumerate(self.recorders)
            for name, array in recorder.state_dict().items()
        }
        return {f"optimizer/{name}": array for name, array in self.optimizer.state_dict().items()} | seen

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Take a `state_dict` in, after the network's own."""
        if found := set(self.state_dict()) ^ set(state):
            raise ValueError(
                f"the state and this Watched differ in {min(found)}, expected one of the same optimizer and recorders"
            )
        self.optimizer.load_state_dict(_under("optimizer/", state))
        for i, recorder in enumerate(self.recorders):
            recorder.load_state_dict(_under(f"recorder {i}/", state))

    def __repr__(self) -> str:
        return f"Watched({self.optimizer!r})"


def _under(prefix: str, state: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
