"""One network, one start, one order of images, every rule: the comparison that the chapter is about.

Training itself is `minidl.training.train`; here is only what differs between the rules, and the record of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from algorithms.quantization.binary_connect import BinaryConnect
from algorithms.quantization.bop import Bop
from algorithms.quantization.formats import Binary, FixedPoint
from algorithms.quantization.grid import Format
from algorithms.quantization.rules import Rounding, Rule, StochasticRounding, is_conv_weight
from algorithms.quantization.statistics import WeightChange
from algorithms.quantization.watched import Watched
from minidl.checkpoint import StrPath
from minidl.data import Dataset
from minidl.nn import Module
from minidl.optim import Adam, MultiStep, Optimizer
from minidl.training import Epoch, history, train
from minidl.types import Array

RULES = ("float", "bc", "sr-big", "sr", "r")  # five, in the order that the paper is remembered to find
KNOWN = (*RULES, "bop")
DROPS = (82 / 160, 122 / 160)  # shares of the training after which the rate falls to a tenth


@dataclass(frozen=True)
class RuleEpoch:
    """One epoch under one rule.

    Attributes
    ----------
    changed : share of conv weights whose code differs from the start, after the epoch
    flips : share of them that change their code in a step, mean over the epoch's steps
    """

    rule: str
    record: Epoch
    changed: float
    flips: float


@dataclass(frozen=True)
class Curve:
    """What one rule did, an entry for each epoch: all arrays are (T,); losses in nats, the others but time fractions.

    `changed` and `flips` are those of `RuleEpoch`.  See `curves` for an example.
    """

    loss: Array
    accuracy: Array
    validation_loss: Array
    validation_accuracy: Array
    changed: Array
    flips: Array
    seconds: Array


def compare_rules(
    build_model: Callable[[], Module],
    dataset: Dataset,
    validation: Dataset,
    epochs: int,
    seed: int = 0,
    rules: Sequence[str] = RULES,
    *,
    quantizer: Format | None = None,
    lr: float = 0.01,
    drops: Sequence[float] = DROPS,
    batch_size: int = 128,
    big_batch: int = 1024,
    big_epochs: int | None = None,
    augment: bool = False,
    run: StrPath | None = None,
    progress: bool | None = None,
) -> Iterator[RuleEpoch]:
    """Train the same network with every rule, yielding a record after each epoch of each; stop whenever you like.

    The recipe follows the paper's as it is remembered, not checked against its text: Adam without weight decay, a rate
    of 0.01 that falls to a tenth twice, only the weights of convolutions quantized, to ±1.

    Parameters
    ----------
    build_model : makes the network; must give the same initial weights every time, as with a fixed `rng`
    epochs : passes over the dataset under each rule
    big_epochs : passes under "sr-big", by default the same; a big batch takes fewer steps in a pass, and in a training
        of few passes that costs more than its quieter gradient brings
    seed : order of the images, augmentation and the draws of stochastic rounding
    rules : of "float", "bc", "sr", "sr-big" (SR with `big_batch`), "r", "bop"
    drops : shares of the epochs after which the rate falls
    run : a folder for a run of each rule; called again, finished epochs are read from it and yielded, not repeated

    Raises
    ------
    ValueError
        On a rule that is not known.

    Examples
    --------
    >>> import minidl
    >>> images = minidl.data.load("fashion-mnist-mini").subset(200)
    >>> def build():
    ...     return minidl.nn.Sequential(
    ...         minidl.nn.Conv2d(1, 4, 3, stride=2, rng=0), minidl.nn.Flatten(), minidl.nn.Linear(676, 10, rng=1)
    ...     )
    >>> records = list(compare_rules(build, images, images, epochs=1, rules=("sr", "r"), lr=0.1))
    >>> [(r.rule, r.record.epoch, r.changed > 0) for r in records]
    [('sr', 1, True), ('r', 1, False)]
    """
    unknown = [rule for rule in rules if rule not in KNOWN]
    if unknown:
        raise ValueError(f"found rules {unknown}, expected some of {', '.join(KNOWN)}")
    for rule in rules:
        big = rule == "sr-big"
        passes = big_epochs if big and big_epochs is not None else epochs
        model = build_model()
        optimizer = make_rule(rule, Adam(model.named_parameters(), lr), quantizer or Binary(), seed)
        watched = {name: p for name, p in model.named_parameters() if is_conv_weight(name, p)}
        recorder = WeightChange(watched, quantizer or Binary())
        folder = None if run is None else Path(run) / rule
        told = 0
        for record in train(
            model,
            dataset,
            epochs=passes,
            optimizer=Watched(optimizer, recorder),
            schedule=MultiStep(lr, tuple(passes * drop for drop in drops)),
            batch_size=big_batch if big else batch_size,
            validation=validation,
            seed=seed,
            augment=augment,
            run=folder,
            progress=progress,
        ):
            yield from _rule_epochs(rule, [record] if folder is None else history(folder)[told:], recorder)
            told = record.epoch
        if folder is not None:  # it was finished before
            yield from _rule_epochs(rule, history(folder)[told:], recorder)


def _rule_epochs(rule: str, records: Sequence[Epoch], recorder: WeightChange) -> Iterator[RuleEpoch]:
    """Add to records, the last of which is the newest, what the recorder saw in their epochs."""
    if not records:
        return
    share = recorder.share.reshape(records[-1].epoch, -1)  # (epochs, steps)
    flips = recorder.flips.sum(axis=1).reshape(share.shape) / recorder.sizes.sum()
    for record in records:
        epoch = record.epoch - 1
        yield RuleEpoch(rule, record, float(share[epoch, -1]), float(flips[epoch].mean()))


def make_rule(rule: str, optimizer: Optimizer, quantizer: Format, seed: int = 0) -> Optimizer | Rule:
    """Put a rule, by its name in `KNOWN`, around an optimizer; "sr-big" is "sr", its batch is the caller's.

    Raises
    ------
    ValueError
        On another name.

    Examples
    --------
    >>> from minidl import nn, optim
    >>> conv = nn.Conv2d(1, 2, 3, rng=0)
    >>> rule = make_rule("r", optim.SGD(conv.named_parameters(), lr=0.1), Binary())
    >>> type(rule).__name__, np.unique(conv.weight.numpy()).tolist()
    ('Rounding', [-1.0, 1.0])
    """
    match rule:
        case "float":
            return optimizer
        case "bc":
            return BinaryConnect(optimizer, quantizer)
        case "bop":
            return Bop(optimizer, quantizer)
        case "r":
            return Rounding(optimizer, quantizer)
        case "sr" | "sr-big":
            return StochasticRounding(optimizer, quantizer, seed)
    raise ValueError(f"found the rule {rule!r}, expected one of {', '.join(KNOWN)}")


def make_format(bits: int) -> Format:
    """Return -1 and 1 for one bit, and for more the fixed point numbers from -1 to just below 1.

    Examples
    --------
    >>> make_format(1).grid.tolist(), make_format(3).grid.tolist()
    ([-1.0, 1.0], [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75])
    """
    return Binary() if bits == 1 else FixedPoint(bits, bits - 1)


def curves(records: Iterable[RuleEpoch]) -> dict[str, Curve]:
    """Collect records into arrays, a curve for each rule in the order of the records; NaN where none was validated.

    Examples
    --------
    >>> epochs = [Epoch(t, 0.01, 2.0 / t, 0.5, None, None, seconds=1.0) for t in (1, 2)]
    >>> found = curves(RuleEpoch("sr", epoch, changed=0.1 * epoch.epoch, flips=0.0) for epoch in epochs)
    >>> found["sr"].loss.tolist(), found["sr"].changed.tolist()
    ([2.0, 1.0], [0.1, 0.2])
    """
    by_rule: dict[str, list[RuleEpoch]] = {}
    for record in records:
        by_rule.setdefault(record.rule, []).append(record)
    return {rule: _curve(epochs) for rule, epochs in by_rule.items()}


def _curve(epochs: list[RuleEpoch]) -> Curve:
    names = ("loss", "accuracy", "validation_loss", "validation_accuracy", "seconds")
    columns = {name: np.array([getattr(epoch.record, name) for epoch in epochs], float) for name in names}
    seen = {name: np.array([getattr(epoch, name) for epoch in epochs]) for name in ("changed", "flips")}
    return Curve(**columns, **seen)
