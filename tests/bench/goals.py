"""What we set out to reach, written down before the measurement: what must be, and what we aim at."""

from __future__ import annotations

MUST, AIM = 0, 1
RATIOS: dict[tuple[str, str, int], tuple[float, float]] = {  # network, work, batch -> ratio to the fastest peer
    ("vgg16", "training step", 128): (2.0, 2.8),
    ("resnet20", "training step", 128): (1.3, 1.8),
    ("resnet56", "training step", 128): (1.3, 1.8),
    ("vgg16", "inference", 128): (2.0, 2.8),
    ("resnet20", "inference", 128): (1.4, 2.0),
    ("vgg16", "inference", 1): (1.0, 1.3),
    ("resnet20", "inference", 1): (0.9, 1.3),
}
MEMORY = (1.0, 0.7)  # our peak memory over the least of a peer's
START = {"warm": (3.0, 1.5), "cold": (60.0, 20.0)}  # seconds from nothing to the end of the first training step
SAVED = 0.8  # of the multiply-adds that pruning saves, the share that is saved of the time
