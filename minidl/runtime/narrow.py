"""The stage of a network whose layers are all so narrow that a plan had better compute 16 images side by side.

Other convolutions have channels in the lanes of vectors, so 6 filters cost what 8 do. Lanewise images
(``kernels/lanewise.py``) cost in proportion to their channels, which pruning makes few and odd; but their weights are
read anew for every patch or row of 16 images, so they must stay in the level-2 cache, and the images in a larger one.
"""

from __future__ import annotations

from typing import Any

from minidl.graph import Graph, Node
from minidl.kernels import lanewise
from minidl.kernels.backend import compiled, conv_kind
from minidl.kernels.choice import choose_lanewise
from minidl.kernels.lanewise import IMAGES
from minidl.runtime.rules import CONVOLUTIONS
from minidl.runtime.stages import Stage, cut

WEIGHTS = 36 * 64 * 64  # of a layer, transformed: 576 KiB
MOST_BYTES = 1 << 22  # of all values that are alive at once, of 16 images
OPERATIONS = CONVOLUTIONS | {"input", "GetItem", "Pad", "GlobalAvgPool2d", "Linear"}


def stages(graph: Graph, owners: dict[int, int], sizes: dict[int, int]) -> list[Stage]:
    """Return the one stage that a narrow network is, none for others; arguments as those of `cut`."""
    if not suits(graph):
        return []
    padded = {i: 4 * lanewise.floats(graph[i].shape) if len(graph[i].shape) == 3 else sizes[i] for i in sizes}
    (stage,) = cut(graph, owners, padded, together=IMAGES)
    return [stage] if IMAGES * stage.nbytes <= MOST_BYTES else []


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
        return len(node.shape) == 3 and _keeps_border(function.index)
    if node.op not in CONVOLUTIONS:
        return True
    weight, (stride, padding, groups) = graph[node.inputs[1]].value, function.how
    if weight is None or weight.dtype != "float32" or groups > 1 or max(padding) > 1:
        return False
    filters, height, width, channels = weight.shape
    winograd = choose_lanewise(weight.shape, stride, padding) == "winograd"
    if (height, width, *stride) == (3, 3, 1, 1) and not winograd:
        return False  # Winograd for channels in the lanes takes any padding, and multiplies a quarter as often
    return bool((36 if winograd else height * width) * filters * channels <= WEIGHTS)


def _keeps_border(index: Any) -> bool:
    """Whether an index takes all pixels, or every second or so; a piece that is cut out has no border of zeros."""
    if not (isinstance(index, tuple) and all(isinstance(part, slice) for part in index)):
        return False
    return all(part == slice(None) or abs(part.step or 1) > 1 for part in index[:3])
