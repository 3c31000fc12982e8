"""A private copy of a network that can be moved to any point of a slice: θ(c) = θ* + Σ_i c_i · direction_i.

Every point is built from the centre anew, never from the last point, so that no rounding adds up.  What happens to the
statistics of batch norm on the way is one of four named choices; which points to visit is `scan.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from algorithms.landscape.directions import check_fit
from algorithms.landscape.folding import Folded, find_folds
from algorithms.landscape.replay import Replay
from algorithms.landscape.shortcuts import make_replay
from minidl import Tensor, no_grad
from minidl.nn import BatchNorm1d, BatchNorm2d, Module
from minidl.training import is_right, sample_losses
from minidl.types import Array

BatchNormMode: TypeAlias = Literal["frozen", "interpolated", "recalibrated", "batch"]
MODES = ("frozen", "interpolated", "recalibrated", "batch")


class Slice:
    """What evaluates points; it can be pickled to another process.

    Parameters
    ----------
    model : the centre; it is copied, never touched
    directions : D dicts of arrays by the names of parameters or buffers
    bn : where batch norm takes mean and variance from

        ============== =========================================================================================
        "frozen"       the centre's running statistics, whatever the directions say of them (the paper's way)
        "interpolated" running statistics moved along the directions like weights (between two checkpoints)
        "recalibrated" measured at every point on the images `calibration`
        "batch"        measured at every point on the very images that are evaluated
        ============== =========================================================================================
    calibration : (N, H, W, C) normalized images, for "recalibrated"
    fast : fold batch norm into the layer before it and compute again only what a move changes, see `Replay`; same
        numbers up to rounding
    input_shape : (H, W, C), for `fast`
    """

    def __init__(
        self,
        model: Module,
        directions: Sequence[Mapping[str, Array]],
        bn: BatchNormMode = "frozen",
        calibration: Array | None = None,
        fast: bool = False,
        input_shape: tuple[int, ...] = (),
    ) -> None:
        if bn not in MODES:
            raise ValueError(f"bn is {bn!r}, expected one of {', '.join(map(repr, MODES))}")
        if bn == "recalibrated" and calibration is None:
            raise ValueError("bn='recalibrated' got no images, expected some to measure on: pass calibration")
        self.model = copy.deepcopy(model)
        self.bn, self.calibration = bn, calibration
        self.norms = [m for m in self.model.modules() if isinstance(m, (BatchNorm1d, BatchNorm2d))]
        parameters = {name: p.data for name, p in self.model.named_parameters()}
        live = parameters | dict(self.model.named_buffers())
        for direction in directions:
            check_fit(live, direction)
        steps = {
            name: [(i, d[name]) for i, d in enumerate(directions) if name in d and d[name].any()]
            for name in (live if bn == "interpolated" else parameters)
        }
        for i in range(len(directions)):
            if not any(i == j for moves in steps.values() for j, _ in moves):
                raise ValueError(
                    f"direction {i} moves nothing of this network with bn={bn!r}, expected one that is not zero: are "
                    "the two states that it joins the same?"
                )
        fast = fast and bn in ("frozen", "interpolated")  # statistics that are measured come between layers
        self.folds: list[Folded] = find_folds(self.model, input_shape) if fast else []
        folded = {id(fold.layer.weight.data) for fold in self.folds}
        self.parts = [
            (live[name], live[name].copy(), moves) for name, moves in steps.items() if moves or id(live[name]) in folded
        ]
        for fold in self.folds:  # only now, so that the bias that a fold adds is no part of the slice
            fold.prepare()
        moves = {id(live[name]): dict(moves) for name, moves in steps.items() if moves}
        self.replay: Replay | None = make_replay(self.model, self.folds, moves, input_shape) if fast else None
        self.chunk: Array | None = None  # the images that `replay` and `centre` are of
        self.centre: Array = np.zeros(0)

    def to(self, point: Array) -> Module:
        """Move the copy to θ(point) and return it, in evaluation mode but for what `bn` asks for."""
        for live, centre, moves in self.parts:
            live[...] = centre
            for i, step in moves:
                if point[i] != 0:
                    live += live.dtype.type(point[i]) * step
        for fold in self.folds:
            fold.apply()
        self.model.eval()
        if self.bn == "recalibrated":
            self._recalibrate()
        if self.bn == "batch":
            self._use_batch_statistics(momentum=0.0)
        return self.model

    def losses(self, point: Array, x: Array, labels: Array) -> tuple[Array, Array]:
        """Loss in float64 and whether the answer is right, of each image, at one point: both (N,)."""
        with no_grad(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # NaN is an answer
            network = self.to(point)
            if self.replay is None:
                logits = network(Tensor.wrap(x.astype(self.dtype, copy=False))).numpy()
            else:
                self._begin(x)
                logits = self.replay(point)
            return sample_losses(logits, labels), is_right(logits, labels)

    def measure(self, points: Array, x: Array, labels: Array) -> Array:
        """Return the sums over the images that a `Tally` adds up, for K points: (5, K); x must not change meanwhile."""
        self._begin(x)
        if not len(self.centre):
            self.centre, _ = self.losses(np.zeros(points.shape[1]), x, labels)
        sums = np.empty((5, len(points)))
        with np.errstate(over="ignore", invalid="ignore"):
            for k in self.order(points):
                losses, right = self.losses(points[k], x, labels)
                away = losses - self.centre
                sums[:, k] = losses.sum(), np.vdot(losses, losses), right.sum(), away.sum(), np.vdot(away, away)
        return sums

    def order(self, points: Array) -> Array:
        """The order in which to visit points (K, D), so that as little as possible is computed again: (K,)."""
        outer = [] if self.replay is None else self.replay.outer
        return np.lexsort([points[:, i] for i in reversed(outer)]) if outer else np.arange(len(points))

    def _begin(self, x: Array) -> None:
        """Forget what is known of other images than these."""
        if self.chunk is x:
            return
        self.chunk, self.centre = x, np.zeros(0)
        if self.replay is not None:
            self.replay.begin(x.astype(self.dtype, copy=False))

    @property
    def dtype(self) -> np.dtype:
        """What the network computes in."""
        return next((p.dtype for p in self.model.parameters()), np.dtype(np.float32))

    def _recalibrate(self) -> None:
        """Give batch norm the mean and variance of all calibration images at once."""
        assert self.calibration is not None
        for norm in self.norms:  # from 0, so that nothing of the last point remains, not even its rounding
            norm.running_mean[...] = norm.running_var[...] = 0
        self._use_batch_statistics(momentum=1.0)
        self.model(Tensor.wrap(self.calibration.astype(self.dtype, copy=False)))
        self.model.eval()

    def _use_batch_statistics(self, momentum: float) -> None:
        for norm in self.norms:
            norm.training, norm.momentum = True, momentum


def moved(model: Module, directions: Sequence[Mapping[str, Array]], point: Sequence[float]) -> Module:
    """Return a copy of the network at θ* + Σ_i point_i · direction_i, in evaluation mode; buffers move along.

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Linear(2, 1, rng=0)
    >>> step = {"weight": np.ones((1, 2), np.float32)}
    >>> (moved(net, [step], [0.5]).weight.data - net.weight.data).tolist()
    [[0.5, 0.5]]
    """
    return Slice(model, directions, "interpolated").to(np.asarray(point, np.float64))
