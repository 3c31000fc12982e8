"""What the commands that look at a trained network begin with: the network, and images that it was not trained on."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minidl.data import Dataset
    from minidl.nn import Module


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
    """Add where the network and the images are."""
    parser.add_argument("network", metavar="RUN", help="a run's folder, or a checkpoint written by minidl.save")
    parser.add_argument("--dataset", help="the images (default: those of the run, else fashion-mnist-mini)")
    parser.add_argument("--data-dir", metavar="DIR", help="where their files lie (default: MINIDL_DATA, else a cache)")
    parser.add_argument("--images", type=int, metavar="N", help="evaluate on the first N held-out images only")


def open_trained(args: argparse.Namespace) -> Trained:
    """Read the network, and split the images as its training did.

    Raises
    ------
    ValueError
        If the images are not those of the run, or do not fit the network.
    """
    from minidl.checkpoint import load as load_network
    from minidl.data import load as load_images

    path = Path(args.network)
    checkpoint = path / "checkpoint.npz" if path.is_dir() else path
    model = load_network(checkpoint)
    config = _config(checkpoint.parent)
    name = args.dataset or config.get("dataset", {}).get("name", "fashion-mnist-mini")
    training, held_out = _split(load_images(name, "train", root=args.data_dir), name, config, args.seed)
    if args.images is not None:
        held_out = held_out.subset(args.images)
    _check_fit(model, held_out)
    return Trained(model, checkpoint, training, held_out)


def _config(folder: Path) -> dict[str, Any]:
    """Return what a run was trained on, nothing for a checkpoint that no run wrote."""
    path = folder / "config.json"
    if not path.exists():
        return {}
    try:
        config: dict[str, Any] = json.loads(path.read_text())
        return config if isinstance(config.get("dataset"), dict) else {}
    except (ValueError, AttributeError):
        raise ValueError(f"{path} is no config of a run, expected one that minidl train wrote") from None


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


def _check_fit(model: Module, images: Dataset) -> None:
    from minidl.training.checks import check_fit

    check_fit(model, images)
