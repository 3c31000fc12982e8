"""The few-bits paper's experiments on small networks, over several seeds; what `minidl reproduce quantized` runs.

`settings.py` says how much, `nets.py` and `trainings.py` what is trained, `greedy.py` and `claims.py` what is made of
it; `theory.py` is the one-dimensional explanation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from algorithms.experiments.over_seeds import Estimate, estimate
from algorithms.experiments.quantized.claims import Claim, claims_of
from algorithms.experiments.quantized.greedy import Greedy, greedy
from algorithms.experiments.quantized.settings import SETTINGS, Net, Settings
from algorithms.experiments.quantized.theory import Theory, theory
from algorithms.experiments.quantized.trainings import SWEPT, Curves, Job, jobs, main_job, run_all
from algorithms.quantization import Curve
from algorithms.quantization.compare import RULES

__all__ = ["SETTINGS", "Found", "OfNet", "Settings", "milestones", "reproduce", "summary"]


@dataclass(frozen=True)
class OfNet:
    """All seeds of one network, by rule.

    Attributes
    ----------
    error : test error after the last epoch
    changed : share of conv weights that differ from the start then
    greedy : what the fall of the rate brings
    curves : every number of every epoch, a curve a seed
    """

    error: dict[str, Estimate]
    changed: dict[str, Estimate]
    claims: list[Claim]
    greedy: dict[str, Greedy]
    curves: dict[str, list[Curve]]


@dataclass(frozen=True)
class Found:
    """The networks by name; `batches` is rule -> batch size -> final test error of the first of them."""

    cpu_seconds: float
    trainings: int
    nets: dict[str, OfNet]
    batches: dict[str, dict[int, Estimate]]
    theory: Theory


def milestones(settings: Settings) -> int:
    """How often `reproduce` calls `advance`."""
    return len(jobs(settings, 0)) + 1


def reproduce(settings: Settings, folder: Path, seed: int, advance: Callable[[str], object]) -> Found:
    """Train every network under every rule with every seed; what is in `folder` already is not repeated."""
    found = run_all(settings, folder, seed, advance)
    explained = theory(settings.toy_steps, seed)
    advance("the one-dimensional problem")
    return Found(
        sum(float(np.nansum(curve.seconds)) for curve in found.values()),
        len(found),
        {net.name: _of_net(settings, net, seed, found) for net in settings.nets},
        _batches(settings, seed, found),
        explained,
    )


def _of_net(settings: Settings, net: Net, seed: int, found: Curves) -> OfNet:
    runs = {rule: [found[main_job(settings, net, seed + s, rule)] for s in settings.seeds] for rule in RULES}
    error = {rule: _final_error(curves) for rule, curves in runs.items()}
    changed = {rule: estimate([float(curve.changed[-1]) for curve in curves]) for rule, curves in runs.items()}
    phases = {rule: greedy(curves, settings.drops[0]) for rule, curves in runs.items()}
    return OfNet(error, changed, claims_of(error, changed, phases), phases, runs)


def _batches(settings: Settings, seed: int, found: Curves) -> dict[str, dict[int, Estimate]]:
    net = settings.nets[0]

    def error(rule: str, batch: int) -> Estimate:
        return _final_error([found[Job(net, seed + s, rule, batch)] for s in settings.seeds])

    return {rule: {batch: error(rule, batch) for batch in settings.batches} for rule in SWEPT}


def _final_error(curves: list[Curve]) -> Estimate:
    return estimate([1 - float(curve.validation_accuracy[-1]) for curve in curves])


def summary(found: Found) -> str:
    """Return the main numbers, and which claims reproduced and which did not."""
    lines = [
        f"{found.trainings} trainings in {found.cpu_seconds / 60:.1f} minutes of one thread; means and 95 % intervals "
        "over seeds, equally many epochs for every rule (a big batch takes fewer steps)",
    ]
    for name, net in found.nets.items():
        lines += [
            "",
            f"{name}: test error, weights changed, gain of test error at once and after the rate's first fall",
        ]
        lines += [_line(rule, net) for rule in net.error]
        for kind in ("contradicted", "undecided", "not contradicted", "confirmed"):
            lines += [f"  {claim}" for claim in net.claims if claim.verdict == kind]
    lines += ["", f"test error of {next(iter(found.nets))} by batch size"]
    lines += [_sizes(rule, errors) for rule, errors in found.batches.items()]
    return "\n".join(
        [*lines, "", "toy problem: rule, rate, share of time at w >= 3.5, deviation, mean loss", *_toy(found)]
    )


def _line(rule: str, net: OfNet) -> str:
    phase = net.greedy[rule]
    flips = "" if phase.flips is None else f"; flips a step fall to {phase.flips}"
    return f"  {rule:7}{net.error[rule]}, {net.changed[rule]}, {phase.at_once}, {phase.after}{flips}"


def _sizes(rule: str, errors: Mapping[int, Estimate]) -> str:
    return f"  {rule:4}" + ", ".join(f"{batch}: {error}" for batch, error in errors.items())


def _toy(found: Found) -> list[str]:
    return [
        f"  {row.rule:3}{row.rate if row.rate else 'limit':>7}{row.deepest:8.3f}{row.deviation:7.2f}{row.loss:8.3f}"
        for row in found.theory.table
    ]
