"""The paper's claims, each held against the seeds: confirmed, contradicted, or not decided by so few.

A claim is that one accuracy exceeds another; it is decided where the 95 % interval of the paired difference leaves out
zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from algorithms.experiments.over_seeds import Estimate, estimate, paired
from algorithms.experiments.pruning.study import Study


@dataclass(frozen=True)
class Verdict:
    """A claim, the paired difference that should be positive, and what the seeds say of it."""

    claim: str
    difference: Estimate
    verdict: str

    def __str__(self) -> str:
        return f"{self.claim}: {self.verdict} ({self.difference})"


CLAIMS = (  # claim, the better, the worse
    ("smallest filters first keep more than random ones, without retraining", "smallest, pruned", "random, pruned"),
    ("smallest filters first keep more than largest ones, without retraining", "smallest, pruned", "largest, pruned"),
    ("smallest first beat random after retraining at 0.001", "smallest, constant", "random, constant"),
    ("smallest first beat random after retraining at a falling rate", "smallest, decayed", "random, decayed"),
    ("retraining at 0.001 brings back the whole network's accuracy", "smallest, constant", "whole"),
    ("pruned and retrained at 0.001 beats scratch-E", "smallest, constant", "scratch-E"),
    ("pruned and retrained at a falling rate beats scratch-E", "smallest, decayed", "scratch-E"),
    ("pruned and retrained at a falling rate beats scratch-B", "smallest, decayed", "scratch-B"),
)


def accuracies_of(studies: Sequence[Study]) -> dict[str, Estimate]:
    """Test accuracy of every network that came of the studies of one net, over the seeds."""
    found: dict[str, list[float]] = {}
    for study in studies:
        for name, accuracy in _of(study).items():
            found.setdefault(name, []).append(accuracy)
    return {name: estimate(values) for name, values in found.items()}


def _of(study: Study) -> dict[str, float]:
    found = {"whole": study.whole.test}
    for order, pruned in study.pruned.items():
        found |= {f"{order}, pruned": pruned.pruned.test, f"{order}, recalibrated": pruned.recalibrated.test}
        found |= {f"{order}, {how}": after.accuracy.test for how, after in pruned.retrained.items()}
    return found | {name: after.accuracy.test for name, after in study.scratch.items()}


def verdicts(accuracies: Mapping[str, Estimate]) -> list[Verdict]:
    """Hold every claim against the accuracies."""
    found = []
    for claim, better, worse in CLAIMS:
        difference = paired(accuracies[better], accuracies[worse])
        decided = "confirmed" if difference.mean > 0 else "contradicted"
        found.append(Verdict(claim, difference, decided if difference.clear else "undecided"))
    return found
