"""What the paper is remembered to claim, each held against the seeds: confirmed, contradicted, undecided by so few.

A claim is that one number exceeds another; it is decided where the 95 % interval of the difference, paired by seed,
leaves out zero.  That R changes no weight is no matter of chance and is looked at directly.  The greedy phase is judged
by test error and by training loss: the latter was added when few seeds left the former, which is noisier, undecided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from algorithms.experiments.over_seeds import Estimate, paired
from algorithms.experiments.quantized.greedy import Greedy


@dataclass(frozen=True)
class Claim:
    """A claim, the difference that decides it (a share, or training loss in nats), and what the seeds say of it."""

    claim: str
    difference: Estimate
    verdict: str
    unit: str = "share"

    def __str__(self) -> str:
        d = self.difference
        size = str(d) if self.unit == "share" else f"{d.mean:.3f} ± {d.half_width:.3f} {self.unit}"
        return f"{self.verdict}: {self.claim} ({size})"


ORDER = (  # the better, the worse
    ("float", "bc", "float has a smaller error than BinaryConnect"),
    ("bc", "sr-big", "BinaryConnect has a smaller error than stochastic rounding with a big batch"),
    ("sr-big", "sr", "stochastic rounding has a smaller error with a big batch than with a small one"),
    ("sr", "r", "stochastic rounding has a smaller error than nearest rounding"),
)


WHEN = {"at_once": "when the rate falls", "after": "in the epochs after it has fallen"}


def decide(claim: str, difference: Estimate, unit: str = "share") -> Claim:
    """Hold a claim against a difference that should be positive.

    Examples
    --------
    >>> from algorithms.experiments.over_seeds import estimate
    >>> print(decide("more is better", estimate([0.01, 0.02, 0.015])))
    confirmed: more is better (1.5 ± 1.2 %)
    """
    decided = "confirmed" if difference.mean > 0 else "contradicted"
    return Claim(claim, difference, decided if difference.clear else "undecided", unit)


def claims_of(
    error: Mapping[str, Estimate], changed: Mapping[str, Estimate], phases: Mapping[str, Greedy]
) -> list[Claim]:
    """Decide all claims about one network, from its test errors, shares of changed weights and greedy phases."""
    found = [decide(claim, paired(error[worse], error[better])) for better, worse, claim in ORDER]
    none = not any(changed["r"].values)
    found.append(Claim("nearest rounding changes no weight", changed["r"], "confirmed" if none else "contradicted"))
    found.append(
        decide("stochastic rounding changes more weights than BinaryConnect", paired(changed["sr"], changed["bc"]))
    )
    return found + _greedy_claims(phases)


def _greedy_claims(phases: Mapping[str, Greedy]) -> list[Claim]:
    found = [decide(f"{rule} improves when the rate falls", phases[rule].at_once) for rule in ("float", "bc")]
    for when, words in WHEN.items():
        for rule in ("float", "bc"):
            found.append(decide(f"{rule} improves more than stochastic rounding {words}", _more(phases, rule, when)))
            claim = f"the training loss of {rule} falls more than that of stochastic rounding {words}"
            found.append(decide(claim, _more(phases, rule, f"loss_{when}"), "nats"))
    for when, words in WHEN.items():
        sr, r = getattr(phases["sr"], when), getattr(phases["r"], when)
        found.append(_refute(f"stochastic rounding does not improve {words}", sr))
        control = (
            f"what stochastic rounding improves {words} is the float layers': no more than R, whose bits are frozen"
        )
        found.append(_refute(control, paired(sr, r)))
    return found


def _more(phases: Mapping[str, Greedy], rule: str, what: str) -> Estimate:
    """Return how much more a rule gains than SR, by seed."""
    return paired(getattr(phases[rule], what), getattr(phases["sr"], what))


def _refute(claim: str, difference: Estimate) -> Claim:
    """Hold a claim that no sample can confirm, that something is not above 0, against a difference."""
    refuted = difference.clear and difference.mean > 0
    return Claim(claim, difference, "contradicted" if refuted else "not contradicted")
