"""Where in one block of memory each value of a plan lies: values that are never needed at once share a place.

Lifetimes are those of the order in which a plan runs; sizes are of one sample, so that one layout serves any batch.
"""

from __future__ import annotations

from dataclasses import dataclass

ALIGNMENT = 64  # bytes: a cache line


@dataclass(frozen=True)
class Life:
    """A value of `size` bytes a sample, written at step `first` and read at step `last` for the last time."""

    size: int
    first: int
    last: int

    def meets(self, other: Life) -> bool:
        """Whether both are needed at some step."""
        return self.first <= other.last and other.first <= self.last


def layout(lives: list[Life]) -> tuple[list[int], int]:
    """Return the offset of each value and the size of the block, in bytes a sample.

    The largest value is placed first, each at the lowest offset where it meets no other: near the least that is
    possible, which is the most that is alive at one step.

    Examples
    --------
    >>> layout([Life(128, 0, 1), Life(64, 1, 2), Life(100, 2, 3)])
    ([0, 128, 0], 192)
    """
    offsets = [0] * len(lives)
    placed: list[tuple[int, int, Life]] = []  # (offset, end, life)
    for i in sorted(range(len(lives)), key=lambda i: -lives[i].size):
        size = -(-lives[i].size // ALIGNMENT) * ALIGNMENT
        for offset, end in sorted((start, end) for start, end, other in placed if other.meets(lives[i])):
            if offsets[i] + size <= offset:
                break
            offsets[i] = max(offsets[i], end)
        placed.append((offsets[i], offsets[i] + size, lives[i]))
    return offsets, max((end for _, end, _ in placed), default=0)
