"""What a slice may save: its network as a graph without batch norm, run again only where a move reaches.

Here is found out what moves with which direction, also through a fold, and which linear layers are affine in the point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from algorithms.landscape.folding import Folded
from algorithms.landscape.replay import Affine, Replay
from minidl.graph import Graph, Node, fuse, trace
from minidl.nn import Module
from minidl.types import Array, Shape

Moves = Mapping[int, Mapping[int, Array]]  # id of an array -> direction -> its step


def make_replay(model: Module, folds: Sequence[Folded], moves: Moves, input_shape: Shape) -> Replay | None:
    """Trace a network whose arrays are at the centre, and whose folds are prepared but not yet applied.

    None if the graph has arrays of unknown origin: they may be made of the weights, by steps that are not recorded.
    """
    graph = fuse(trace(model, input_shape))
    if any(node.op == "constant" and node.value is not None and node.value.size > 1 for node in graph):
        return None
    movers = {array: frozenset(steps) for array, steps in moves.items()}
    for fold in folds:
        assert fold.layer.bias is not None
        moved = frozenset().union(*(movers.get(id(array), frozenset()) for array in _sources(fold)))
        movers |= {id(fold.layer.weight.data): moved, id(fold.layer.bias.data): moved}
    layers = {id(fold.layer.weight.data): fold for fold in folds}
    affine = {}
    for node in graph:
        if node.op == "Linear" and (found := _affine(graph, node, layers, moves)) is not None:
            affine[node.index] = found
    return Replay(graph, movers, affine)


def _affine(graph: Graph, node: Node, folds: Mapping[int, Folded], moves: Moves) -> Affine | None:
    """The arrays of a linear layer at the centre, and their steps; None if they are not linear in the point."""
    arrays = [source.value for source in graph.inputs(node)[1:] if source.value is not None]
    if not arrays or any(source.op != "parameter" for source in graph.inputs(node)[1:]):
        return None
    fold = folds.get(id(arrays[0]))
    if fold is None:
        sources: list[Array | None] = list(arrays)
    elif any(id(array) in moves for array in (fold.norm.weight.data, fold.norm.running_var)):
        return None  # the scale moves, and it multiplies the weight
    else:
        sources = [fold.layer.weight.data, fold.bias, fold.norm.bias.data, fold.norm.running_mean]

    def at(values: Sequence[Array | None]) -> list[Array]:
        if fold is None:
            return [np.array(value) for value in values]
        folded = fold.fold(values[0], values[1], values[2], values[3])  # type: ignore[arg-type]
        return [value.astype(arrays[0].dtype) for value in folded]

    directions = {i for array in sources if array is not None for i in moves.get(id(array), {})}
    steps = {
        i: at([None if a is None else moves.get(id(a), {}).get(i, np.zeros_like(a)) for a in sources])
        for i in directions
    }
    return Affine(at(sources), steps) if steps else None


def _sources(fold: Folded) -> list[Array]:
    """All arrays that a folded weight and bias are made of."""
    norm = fold.norm
    own = [fold.layer.weight.data, *([] if fold.bias is None else [fold.bias])]
    return [*own, norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var]
