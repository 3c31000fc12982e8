"""What `prune` and `sensitivity` begin with: a trained network, images held out of its training, a criterion."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.commands.network import add_target, config_of, load_network

if TYPE_CHECKING:
    from algorithms.pruning.scores import Criterion
    from minidl.data import Dataset
    from minidl.nn import Module

CRITERIA = "l1, l2, geometric-median, gamma, random, largest"
ON_IMAGES = "mean-mean, mean-std, mean-l1, mean-l2, var-l2, apoz, taylor"
SCORED = 1000  # images that the latter look at


@dataclass(frozen=True)
class Trained:
    """A network from `checkpoint`, the images that it was trained on, and those held out of its training."""

    model: Module
    checkpoint: Path
    training: Dataset
    held_out: Dataset

    @property
    def folder(self) -> Path:
        """Where results about the network go."""
        return self.checkpoint.parent


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add where the network and the images are, and which filters leave first."""
    add_target(parser)
    parser.add_argument(
        "--images", type=int, metavar="N", help="evaluate, and choose, by the first N held-out images only"
    )
    parser.add_argument(
        "--criterion",
        default="l1",
        help=f"which filters leave first: {CRITERIA}; by answers to images: {ON_IMAGES} (default: l1)",
    )


def open_trained(args: argparse.Namespace) -> Trained:
    """Read the network, and split the images as its training did.

    Raises
    ------
    ValueError
        If the images are not those of the run, or do not fit the network.
    """
    from minidl.data import load as load_images
    from minidl.training.checks import check_fit

    target: Path = args.target
    model, config = load_network(target), config_of(target)
    name = args.dataset or config.get("dataset", {}).get("name", "fashion-mnist-mini")
    training, held_out = _split(load_images(name, "train", root=args.data_dir), name, config, args.seed)
    if args.images is not None:
        held_out = held_out.subset(args.images)
    check_fit(model, held_out)
    return Trained(model, target / "checkpoint.npz" if target.is_dir() else target, training, held_out)


def criterion_of(trained: Trained, name: str) -> Criterion:
    """Return the criterion called `name`; one that looks at images sees some that the network was trained on."""
    from algorithms.pruning import IMAGE_CRITERIA, image_scores

    if name not in IMAGE_CRITERIA:
        return name
    return image_scores(trained.model, trained.training.subset(min(SCORED, len(trained.training))), name)


def _split(images: Dataset, name: str, config: dict[str, Any], seed: int) -> tuple[Dataset, Dataset]:
    """Split as the run did, (trained on, held out); without a run, or without validation images in it, a tenth."""
    from minidl.training.config import identity

    validation = config.get("validation")
    if not config or config["dataset"]["name"] != name or not validation:
        return images.split(len(images) // 10, seed)
    total = config["dataset"]["images"] + validation["images"]
    training, held_out = images.subset(total).split(validation["images"], config["seed"])
    if identity(held_out)["crc32"] != validation["crc32"]:
        raise ValueError(f"the images of {name} are not those that the run was trained on: give the run's --data-dir")
    return training, held_out
