"""A net and images small enough for many runs, and what it means for two runs to be the same."""

import numpy as np

from minidl import manual_seed, nn
from minidl.data import Dataset, load
from minidl.optim import SGD, Cosine
from minidl.training import train

EPOCHS = 3
STEPS = 4  # an epoch

IMAGES = load("fashion-mnist-mini")


def images(n=60):
    """The first n images at a quarter of their resolution, (n, 7, 7, 1)."""
    some = IMAGES.subset(n)
    return Dataset(
        np.ascontiguousarray(some.images[:, ::4, ::4]), some.labels, some.classes, some.name, some.mean, some.std
    )


def net(seed=0):
    """A net with everything that has state: batch statistics, dropout, weights."""
    manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(196, 10)
    )


def start(folder, model=None, *, epochs=EPOCHS, optimizer=None, **settings):
    """The run that everything below repeats: batch norm, dropout, augmentation, a schedule and a trajectory."""
    model = model or net()
    optimizer = optimizer or SGD(model.named_parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
    chosen = {
        "batch_size": 16, "validation": images(20), "schedule": Cosine(0.1, EPOCHS), "augment": True,
        "record_trajectory": True, "run": folder,
    }  # fmt: skip
    return train(model, images(60), epochs=epochs, optimizer=optimizer, **{**chosen, **settings})


def same(a, b):
    """Whether two dicts of arrays hold the same bits."""
    return a.keys() == b.keys() and all(a[key].tobytes() == b[key].tobytes() for key in a)


def files(folder):
    """All files of a run by name, but for the wall clock's; checkpoints are the same bytes if their content is."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "timing.jsonl"
    }
