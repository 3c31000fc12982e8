"""The pruned networks of the paper, by the numbers of their convolutions, and a few of ours for laptops.

Numbers run from 1, the first convolution; linear layers and 1x1 projection shortcuts have none.  Those of
"Pruning Filters for Efficient ConvNets" reproduce its Table 1 to the unit.  Which filters leave is decided by `plan`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from algorithms.pruning.channels import find_channels
from algorithms.pruning.plan import Plan, plan
from algorithms.pruning.scores import Criterion
from minidl.graph import Graph, cost, trace
from minidl.nn import Module
from minidl.types import Rng, Shape

CONVOLUTIONS = {
    "vgg16": 13, "vgg9": 7, "resnet8": 7, "resnet20": 19, "resnet34": 33, "resnet56": 55, "resnet110": 109,
    "lenet5": 2, "tiny-mobile": 11,
}  # fmt: skip


@dataclass(frozen=True)
class Preset:
    """How much of which convolutions of a model leaves.

    Attributes
    ----------
    model : name in `minidl.nn.models`
    ratios : number of a convolution -> share of its filters
    combine : see `plan`; "shortcut" is the paper's rule where projections decide
    source : where the ratios come from

    Examples
    --------
    >>> from minidl import graph, nn
    >>> net = nn.models.lenet5(rng=0)
    >>> Preset("lenet5", {2: 0.5}).by_layer(graph.trace(net, (28, 28, 1)))
    {'layers.conv2': 0.5}
    """

    model: str
    ratios: Mapping[int, float]
    combine: str = "sum"
    source: str = "Table 1 of the paper"

    def by_layer(self, graph: Graph) -> dict[str, float]:
        """Return the same ratios by the names of layers.

        Raises
        ------
        ValueError
            If the network has not as many convolutions as the preset's.
        """
        layers, expected = numbered_convolutions(graph), CONVOLUTIONS[self.model]
        if len(layers) != expected:
            raise ValueError(
                f"found {len(layers)} convolutions, expected {expected}: the preset is for {self.model}, whose numbers "
                "it goes by"
            )
        return {layers[number]: ratio for number, ratio in self.ratios.items()}

    def plan(
        self,
        model: Module,
        input_shape: Shape,
        criterion: Criterion = "l1",
        strategy: str = "independent",
        rng: Rng = 0,
    ) -> Plan:
        """Choose the filters of a network, as `algorithms.pruning.plan` does.

        Examples
        --------
        >>> from minidl import nn
        >>> PRESETS["vgg16-A"].plan(nn.models.vgg16(rng=0), (32, 32, 3)).after.macs
        206279680
        """
        ratios = self.by_layer(trace(model, input_shape))
        return plan(model, input_shape, ratios, criterion, strategy, rng=rng, combine=self.combine)


def numbered_convolutions(graph: Graph) -> dict[int, str]:
    """Names of the convolutions by the paper's numbers.

    Examples
    --------
    >>> from minidl import graph, nn
    >>> numbers = numbered_convolutions(graph.trace(nn.models.resnet(8, rng=0), (32, 32, 3)))
    >>> numbers[1], numbers[2], numbers[7]
    ('conv1', 'stages.0.0.conv1', 'stages.2.0.conv2')
    """
    rows = cost(graph).rows
    names = dict.fromkeys(row.name for row in rows if "conv" in row.kind and not row.projection)
    return dict(enumerate(names, start=1))


def by_stage(model: Module, input_shape: Shape, ratios: Sequence[float], skip: Sequence[str] = ()) -> dict[str, float]:
    """Give one ratio to each stage: the layers that leave alone, one by one, of convolutions with maps of one size.

    Layers that additions tie to others keep their filters; name them in `plan` to prune them.

    Raises
    ------
    ValueError
        If there are not as many stages as ratios, or a layer to skip is unknown.

    Examples
    --------
    >>> from minidl import nn
    >>> by_stage(nn.models.resnet(8, rng=0), (32, 32, 3), (0.5, 0.3, 0.0))
    {'stages.0.0.conv1': 0.5, 'stages.1.0.conv1': 0.3}
    """
    graph = trace(model, input_shape)
    channels = find_channels(graph)
    skipped = {channels.group_of(layer).name for layer in skip}
    alone = {g.name for g in channels.groups if len(g.layers) == 1 and not g.fixed and g.name not in skipped}
    maps = {row.name: row.map[:2] for row in cost(graph).rows if "conv" in row.kind}
    stages = list(dict.fromkeys(maps.values()))
    if len(stages) != len(ratios):
        raise ValueError(
            f"found {len(ratios)} ratios, expected {len(stages)}: maps of {stages} are the network's stages"
        )
    ratio_of = dict(zip(stages, ratios, strict=True))
    return {name: ratio_of[size] for name, size in maps.items() if name in alone and ratio_of[size]}


def _stages(blocks: tuple[int, ...], ratios: tuple[float, ...], skip: tuple[int, ...] = ()) -> dict[int, float]:
    """Give each stage of so many blocks one ratio, for the first convolutions of its blocks, which are even."""
    of_block = [ratio for count, ratio in zip(blocks, ratios, strict=True) for _ in range(count)]
    return {2 * k: ratio for k, ratio in enumerate(of_block, start=1) if ratio and 2 * k not in skip}


_SENSITIVE_34 = (2, 8, 14, 16, 26, 28, 30, 32)
_OURS = "ours, for a quick run on a laptop; not tuned"

PRESETS: dict[str, Preset] = {
    "vgg16-A": Preset("vgg16", dict.fromkeys((1, *range(8, 14)), 0.5)),
    "resnet56-A": Preset("resnet56", _stages((9, 9, 9), (0.1, 0.1, 0.1), (16, 20, 38, 54))),
    "resnet56-B": Preset("resnet56", _stages((9, 9, 9), (0.6, 0.3, 0.1), (16, 18, 20, 34, 38, 54))),
    "resnet110-A": Preset("resnet110", _stages((18, 18, 18), (0.5, 0, 0), (36,))),
    "resnet110-B": Preset("resnet110", _stages((18, 18, 18), (0.5, 0.4, 0.3), (36, 38, 74))),
    "resnet34-A": Preset("resnet34", _stages((3, 4, 6, 3), (0.3, 0.3, 0.3, 0), _SENSITIVE_34)),
    "resnet34-B": Preset("resnet34", _stages((3, 4, 6, 3), (0.5, 0.6, 0.4, 0), _SENSITIVE_34)),
    "resnet34-C": Preset("resnet34", dict.fromkeys(range(17, 28, 2), 0.2), combine="shortcut"),
    "resnet8-A": Preset("resnet8", _stages((1, 1, 1), (0.5, 0.5, 0.5)), source=_OURS),
    "resnet20-A": Preset("resnet20", _stages((3, 3, 3), (0.5, 0.4, 0.3), (8, 14)), source=_OURS),
    "vgg9-A": Preset("vgg9", {1: 0.5, 5: 0.5, 6: 0.5, 7: 0.5}, source=_OURS),
    "lenet5-A": Preset("lenet5", {1: 0.5, 2: 0.5}, source=_OURS),
    "tiny-mobile-A": Preset("tiny-mobile", {7: 0.25, 9: 0.25, 11: 0.25}, source=_OURS),
}


def preset(name: str) -> Preset:
    """Return the preset called `name`; raises ValueError with the known names.

    Examples
    --------
    >>> preset("resnet56-B").ratios[2]
    0.6
    """
    known = {key.lower(): value for key, value in PRESETS.items()}
    if name.lower() not in known:
        raise ValueError(f"found no preset {name!r}, expected one of {', '.join(PRESETS)}")
    return known[name.lower()]
