"""The pruning paper's experiments on small networks, over several seeds; what `minidl reproduce pruning` runs.

`settings.py` says how much, `study.py` tells the story of one network and one seed, `verdicts.py` holds the paper's
claims against all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from algorithms.experiments.over_seeds import Estimate, estimate
from algorithms.experiments.pruning import study as one
from algorithms.experiments.pruning.bench import Bench
from algorithms.experiments.pruning.settings import SETTINGS, Net, Settings
from algorithms.experiments.pruning.study import Study, study
from algorithms.experiments.pruning.verdicts import Verdict, accuracies_of, verdicts

__all__ = ["SETTINGS", "Found", "OfNet", "Settings", "milestones", "reproduce", "summary"]


@dataclass(frozen=True)
class OfNet:
    """All seeds of one network: test accuracies by name, verdicts on the claims, savings, and every single study."""

    test_accuracy: dict[str, Estimate]
    verdicts: list[Verdict]
    macs_saved: Estimate
    time_saved: Estimate
    studies: list[Study]


@dataclass(frozen=True)
class Found:
    """The networks by name, and the seconds of one thread that it all took."""

    cpu_seconds: float
    nets: dict[str, OfNet]


def milestones(settings: Settings) -> int:
    """How often `reproduce` calls `advance`."""
    return len(settings.nets) * len(settings.seeds) * one.milestones()


def reproduce(settings: Settings, folder: Path, seed: int, advance: Callable[[str], object]) -> Found:
    """Study every network with every seed; what is in `folder` already is not repeated."""
    nets = {net.name: _all_seeds(settings, net, folder / net.name, seed, advance) for net in settings.nets}
    return Found(sum(s.seconds for net in nets.values() for s in net.studies), nets)


def _all_seeds(settings: Settings, net: Net, folder: Path, seed: int, advance: Callable[[str], object]) -> OfNet:
    studies = []
    for s in settings.seeds:
        place = folder / f"seed-{seed + s}"
        place.mkdir(parents=True, exist_ok=True)
        studies.append(study(Bench(settings, net, seed + s, place, advance)))
    accuracies = accuracies_of(studies)
    return OfNet(
        accuracies,
        verdicts(accuracies),
        macs_saved=estimate([1 - s.macs[1] / s.macs[0] for s in studies]),
        time_saved=estimate([1 - _median(s, "small") / _median(s, "whole") for s in studies]),
        studies=studies,
    )


def _median(study: Study, which: str) -> float:
    return float(study.time["total"][which]["median"])


def summary(found: Found) -> str:
    """Return the main numbers, and all that does not agree with the paper."""
    lines = [f"{found.cpu_seconds / 60:.1f} minutes of one thread; test accuracy, mean and 95 % interval over seeds"]
    for name, net in found.nets.items():
        lines += ["", f"{name}: {net.macs_saved} of the MACs saved, {net.time_saved} of the time"]
        lines += [f"  {what:24} {accuracy}" for what, accuracy in net.test_accuracy.items()]
        for kind in ("contradicted", "undecided", "confirmed"):
            lines += [f"  {kind}: {v.claim} ({v.difference})" for v in net.verdicts if v.verdict == kind]
    return "\n".join(lines)
