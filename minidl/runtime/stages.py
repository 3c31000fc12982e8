"""A network cut into stages, each of which takes the batch in chunks: what a chunk computes stays in the caches.

A stage may begin wherever a single value is alive, as between the blocks of a residual network.  Early stages have
large images and small weights, and take few samples at once; late ones have large weights, for many samples to share.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from minidl.graph import Graph, Node
from minidl.runtime.arena import ALIGNMENT, Life, layout

CHUNK_BYTES = 1 << 21  # twice a common level-2 cache; larger chunks are measured to be slower, smaller ones not faster


@dataclass(frozen=True)
class Stage:
    """Consecutive nodes that compute `output` from `input`, both indices, `chunk` samples at a time.

    `offsets` says where in `nbytes` a sample the values between the two lie.
    """

    nodes: tuple[Node, ...]
    input: int
    output: int
    chunk: int
    offsets: dict[int, int]
    nbytes: int


def cut(graph: Graph, owners: dict[int, int], sizes: dict[int, int], together: int = 0) -> list[Stage]:
    """Cut a graph into stages.

    Parameters
    ----------
    owners : node whose value depends on the input -> the node in whose memory its value lies, itself but for views
    sizes : bytes of a sample's value of each of these
    together : if not 0, all is one stage of so many samples, in which the input has a place of its own too
    """
    last = {owner: owner for owner in owners.values()}  # the last node that reads what lies there
    for node in graph:
        for i in node.inputs:
            if i in owners:
                last[owners[i]] = node.index
    last[owners[graph.output.index]] = len(graph)  # read once more, by the caller
    cuts = [k for k in last if all(last[o] <= k for o in last if o < k) and k < graph.output.index]
    ends = [*cuts, graph.output.index]
    stages: list[Stage] = []
    chunk = 1
    for start, end in pairwise(ends):
        chunk = together or max(chunk, _chunk(graph, start, end, last, sizes))
        if stages and stages[-1].chunk == chunk:
            start = stages.pop().input
        inside = [i for i in last if start < i < end or (together and i == start)]
        offsets, nbytes = layout([Life(sizes[i], i, min(last[i], end)) for i in inside])
        lies = dict(zip(inside, offsets, strict=True))
        place = {i: lies[owner] for i, owner in owners.items() if owner in lies}
        stages.append(Stage(graph.nodes[start + 1 : end + 1], start, end, chunk, place, nbytes))
    return stages


def _chunk(graph: Graph, start: int, end: int, last: dict[int, int], sizes: dict[int, int]) -> int:
    """How many samples the nodes after `start` up to `end` take at once, a power of two."""
    alive = [Life(sizes[i], max(i, start), min(last[i], end)) for i in last if start <= i <= end]
    _, a_sample = layout(alive)
    read = [graph[i].value for node in graph.nodes[start + 1 : end + 1] if node.batched for i in node.inputs]
    weight = max((value.nbytes for value in read if value is not None), default=0)
    samples = max(CHUNK_BYTES, weight) // max(a_sample, ALIGNMENT)
    return 1 << max(0, samples.bit_length() - 1)
