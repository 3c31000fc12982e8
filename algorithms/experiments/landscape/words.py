"""The findings in plain text: every claim with its verdict and numbers, then what did not reproduce."""

from __future__ import annotations

from algorithms.experiments.landscape.workshop import Record


def summary(found: Record) -> str:
    """Say what was found, and what was not."""
    claims, seconds = found["claims"], found["seconds"]
    lines = [f"- {claim.claim}: {claim.verdict}; {claim.found}" for claim in claims]
    missing = [claim.claim for claim in claims if claim.verdict not in ("confirmed", "seen")]
    return "\n".join(
        [
            f"{len(found['nets'])} networks; training them took {seconds['training'] / 60:.1f} min, "
            f"measuring {seconds['measuring'] / 60:.1f} min",
            *lines,
            f"Did not reproduce at this scale: {'; '.join(missing) if missing else 'nothing'}",
        ]
    )
