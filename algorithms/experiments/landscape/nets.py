"""The networks of the landscape experiments: what is varied in each, as data; training them is `workshop.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from algorithms.experiments.landscape.settings import Settings
from minidl.nn import Module
from minidl.nn.models import Shortcut, resnet, vgg9

VGG_WIDTHS = ((64, 64), (128, 128), (256, 256, 256))


@dataclass(frozen=True)
class Net:
    """One network and how it is trained; `depth` 9 without shortcuts is VGG-9, another is a residual layout."""

    name: str
    depth: int
    width: float
    shortcuts: bool
    batch: int
    lr: float
    decay: float
    epochs: int
    seed: int

    @property
    def is_vgg(self) -> bool:
        """Tell the networks whose batch and decay vary from those whose architecture varies."""
        return self.depth == 9

    def build(self, in_channels: int, image_size: int) -> Module:
        """Make it with fresh weights."""
        if not self.is_vgg:
            shortcut: Shortcut = "B" if self.shortcuts else None
            return resnet(self.depth, shortcut=shortcut, width=self.width, in_channels=in_channels, rng=self.seed)
        widths = [[max(1, round(self.width * filters)) for filters in group] for group in VGG_WIDTHS]
        hidden = [max(1, round(self.width * 256))]
        return vgg9(in_channels=in_channels, image_size=image_size, widths=widths, hidden=hidden, rng=self.seed)


def vgg_nets(s: Settings, seed: int) -> list[Net]:
    """Small and large batch, without and with decay, for every seed: all of one seed start from the same weights."""
    return [
        Net(
            f"vgg9-batch{batch}-decay{decay:g}-seed{number}",
            9,
            s.vgg_width,
            False,
            batch,
            s.lr,
            decay,
            s.epochs,
            number,
        )
        for number, decay, batch in product(range(seed, seed + s.seeds), (0.0, s.decay), (s.small, s.large))
    ]


def residual_nets(s: Settings, seed: int) -> list[Net]:
    """Two depths with and without shortcuts, then the deeper one without shortcuts in other widths."""
    return [
        Net(
            f"resnet{depth}-width{width:g}-{'with' if shortcuts else 'without'}", depth, width, shortcuts,
            s.residual_batch, s.residual_lr, s.residual_decay, s.residual_epochs, seed,
        )
        for depth, width, shortcuts in _architectures(s)
    ]  # fmt: skip


def _architectures(s: Settings) -> Iterator[tuple[int, float, bool]]:
    yield from product(s.depths, (s.width,), (True, False))
    yield from product(s.depths[-1:], s.widths, (False,))


def vgg_pairs(s: Settings, seed: int) -> dict[str, tuple[Net, Net]]:
    """Small and large batch of equal decay and seed, by a name such as "decay0-seed1"."""
    nets = vgg_nets(s, seed)
    return {f"decay{a.decay:g}-seed{a.seed}": (a, b) for a, b in zip(nets[::2], nets[1::2], strict=True)}


def deep_pair(s: Settings, seed: int) -> list[Net]:
    """The deeper residual layout with and without shortcuts, of equal width."""
    return [net for net in residual_nets(s, seed) if (net.depth, net.width) == (s.depths[-1], s.width)]
