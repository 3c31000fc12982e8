"""The stage of a network whose layers are all so narrow that lanes had better hold 16 images, or 16 blocks of one.

Other convolutions have channels in the lanes of vectors, so 6 filters cost what 8 do. Lanewise images
(``kernels/lanewise.py``) cost in proportion to their channels, which pruning makes few and odd; but their weights are
read anew for every patch of 16 images, so they must stay in the level-2 cache, and the images in a larger one.
"""

from __future__ import annotations

from typing import Any, cast

from minidl.graph import Graph, Node
from minidl.kernels.backend import compiled, conv_kind
from minidl.kernels.choice import PATCHES
from minidl.kernels.lanewise import GRID, IMAGES
from minidl.runtime.rules import CONVOLUTIONS
from minidl.runtime.stages import Stage, cut

WEIGHTS = 36 * 64 * 64  # of a layer, transformed: 576 KiB
MOST_BYTES = 1 << 22  # of all values that are alive at once
OPERATIONS = CONVOLUTIONS | {"input", "GetItem", "Pad", "GlobalAvgPool2d", "Linear"}


def stages(graph: Graph, owners: dict[int, int], sizes: dict[int, int]) -> tuple[list[Stage], list[Stage]]:
    """Return the one stage that a narrow network is for 16 images, and for 1 in blocks; none where it does not suit.

    The arguments are those of `cut`.
    """
    if not suits(graph):
        return [], []
    shared = in_place(graph, owners)
    return _whole(graph, shared, sizes, IMAGES), _whole(graph, shared, sizes, 1) if has_blocks(graph) else []


def _whole(graph: Graph, owners: dict[int, int], sizes: dict[int, int], together: int) -> list[Stage]:
    """The stage of so many images, if they are not too large."""
    (stage,) = cut(graph, owners, sizes, together)
    return [stage] if together * stage.nbytes <= MOST_BYTES else []


def in_place(graph: Graph, owners: dict[int, int]) -> dict[int, int]:
    """Return the owners if a convolution is written over what is added to it, wherever nobody reads that later.

    Lanewise convolutions read a residual only where they write at once; others may compute an output twice.
    """
    last = {owners[i]: node.index for node in graph for i in node.inputs if i in owners}
    found: dict[int, int] = {}
    for index, owner in owners.items():
        node, shared = graph[index], found.get(owner, index)
        if node.op == "ConvAddReLU" and cast(Any, node.function).add:
            added = node.inputs[-1]
            if owners.get(added) == added and last[added] == index and owners.get(node.inputs[0]) != added:
                shared = found[added]
        found[index] = shared
    return found


def suits(graph: Graph) -> bool:
    """Whether every node of a graph can be computed on lanewise images, with weights that are read fast."""
    nodes = [node for node in graph if node.value is None]
    if not compiled() or conv_kind() == "exact" or len(graph.input.shape) != 3 or len(graph.output.shape) != 1:
        return False
    convolves = any(node.op in CONVOLUTIONS for node in nodes)
    return convolves and all(node.op in OPERATIONS and _fits(graph, node) for node in nodes)


def _fits(graph: Graph, node: Node) -> bool:
    function: Any = node.function
    if node.op == "GetItem":
        return len(node.shape) == 3
    if node.op not in CONVOLUTIONS:
        return True
    weight, (stride, padding, groups) = graph[node.inputs[1]].value, function.how
    if weight is None or weight.dtype != "float32" or groups > 1 or max(padding) > 1:
        return False
    filters, height, width, channels = weight.shape
    if (height, width, *stride) == (3, 3, 1, 1) and padding != (1, 1):
        return False  # Winograd for channels in the lanes takes any padding, and multiplies a quarter as often
    by_patches = (height, width, *padding) == (3, 3, 1, 1) and stride in PATCHES
    return bool((PATCHES[stride][2] if by_patches else height * width) * filters * channels <= WEIGHTS)


def has_blocks(graph: Graph) -> bool:
    """Whether all images of a graph can be cut into blocks, each of which a node computes from the one before it."""
    return all(_keeps_blocks(graph, node) for node in graph if node.value is None and len(node.shape) == 3)


def _keeps_blocks(graph: Graph, node: Node) -> bool:
    height, width, _ = node.shape
    step = _step(node)
    before = graph[node.inputs[0]].shape[:2] if node.inputs else node.shape[:2]
    divided = height % GRID == 0 and width % GRID == 0
    return divided and before == (height * step[0], width * step[1])


def _step(node: Node) -> tuple[int, int]:
    """Return how far apart the pixels lie that a node begins to read from for neighbours, (0, 0) if not evenly."""
    function: Any = node.function
    if node.op in CONVOLUTIONS:
        stride: tuple[int, int] = function.how[0]
        return stride
    if node.op != "GetItem":
        return 1, 1
    index = function.index
    if not (isinstance(index, tuple) and all(isinstance(part, slice) for part in index)) or index[:1] != (slice(None),):
        return 0, 0
    rows, columns = (*index, slice(None), slice(None))[1:3]
    evenly = all((part.start or 0) in range(part.step or 1) for part in (rows, columns))
    return (rows.step or 1, columns.step or 1) if evenly else (0, 0)
