"""All trainings, the first seed's first, so that an unfinished reproduction already has whole seeds to compare.

One training is one network, one seed, one rule and one batch size, kept as a run folder; how it is trained is
said in `algorithms.quantization.compare`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from algorithms.experiments.quantized.nets import build
from algorithms.experiments.quantized.settings import Net, Settings
from algorithms.quantization import Curve, compare_rules, curves
from algorithms.quantization.compare import RULES
from minidl.data import load
from minidl.nn import Module

SWEPT = ("bc", "sr")  # rules that are trained at every batch size


@dataclass(frozen=True)
class Job:
    """One training; `rule` is one of `compare_rules`, but never "sr-big", which is "sr" with a big `batch`."""

    net: Net
    seed: int
    rule: str
    batch: int


Curves = dict[Job, Curve]


def main_job(settings: Settings, net: Net, seed: int, rule: str) -> Job:
    """Return the training that stands for one of the five rules."""
    return Job(net, seed, "sr", settings.big_batch) if rule == "sr-big" else Job(net, seed, rule, settings.batch)


def jobs(settings: Settings, seed: int) -> list[Job]:
    """List every training once, seed by seed; `seed` is added to those of the settings."""
    found: dict[Job, None] = {}
    for s in settings.seeds:
        for net in settings.nets:
            found |= {main_job(settings, net, seed + s, rule): None for rule in RULES}
        found |= {Job(settings.nets[0], seed + s, rule, batch): None for rule in SWEPT for batch in settings.batches}
    return list(found)


def run_all(settings: Settings, folder: Path, seed: int, advance: Callable[[str], object]) -> Curves:
    """Do all trainings; those that are finished in `folder` are read."""
    return dict(_run(settings, folder, seed, advance))


def _run(settings: Settings, folder: Path, seed: int, advance: Callable[[str], object]) -> Iterator[tuple[Job, Curve]]:
    s = settings
    images, test = load(s.dataset).subset(s.train_images), load(s.dataset, "test").subset(s.test_images)
    _, size, _, channels = images.images.shape
    for job in jobs(s, seed):

        def make(job: Job = job) -> Module:
            return build(job.net, size, channels, job.seed)

        name = f"{job.net.name}/seed-{job.seed}/batch-{job.batch}"
        records = compare_rules(
            make, images, test, s.epochs, job.seed, (job.rule,), lr=s.lr, drops=[d / s.epochs for d in s.drops],
            batch_size=job.batch, augment=s.augment, run=folder / name, progress=False,
        )  # fmt: skip
        yield job, curves(records)[job.rule]
        advance(f"{name}/{job.rule}")
