"""What a plan does, for any batch: which values lie where in one block of memory, and the calls that compute them.

Chunks of a stage are independent, so several run at the same time, each on one thread and with memory of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from minidl.graph import Graph, Node
from minidl.graph.run import compute
from minidl.kernels import lanewise
from minidl.kernels.backend import compiled, here
from minidl.kernels.lanewise import IMAGES
from minidl.kernels.parallel import num_threads, parallel_for
from minidl.runtime import narrow
from minidl.runtime.arena import ALIGNMENT, Life, layout
from minidl.runtime.rules import Call, binder
from minidl.runtime.stages import Stage, cut
from minidl.types import Array

MOST_BYTES = 1 << 24  # of a chunk: in larger ones a call takes long, so each is made from Python, where Ctrl-C works


@dataclass(frozen=True)
class Calls:
    """A program for one batch size: fill `x`, make `calls`, read `y`; `steps` are the same, node by node."""

    x: Array
    y: Array
    calls: list[Call]
    steps: list[tuple[Node, list[Call]]]


class Program:
    """A graph cut into stages, with everything prepared that does not depend on the batch size."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        samples, owners = _one_sample(graph)
        self.dtypes = {i: y.dtype for i, y in samples.items()}
        self.sizes = {i: y.nbytes for i, y in samples.items()}
        self.ordinary = cut(graph, owners, self.sizes)
        # For batches of 16 images and more, and for smaller ones, if there are any:
        self.lanewise, self.blocks = narrow.stages(graph, owners, self.sizes)
        computed = [node for node in graph if owners.get(node.index) == node.index and node.op != "input"]
        self.binders = {node.index: binder(node, graph.inputs(node)) for node in computed}

    def stages(self, batch: int) -> list[Stage]:
        """The stages that a batch of this size goes through."""
        return (self.lanewise if batch >= IMAGES else self.blocks) or self.ordinary

    def places(self, batch: int, threads: int) -> tuple[list[int], int]:
        """Offsets of the values between stages, then of the stages' insides; and the size of the memory.

        Between stages the whole batch lies, inside a stage a chunk for each that runs at the same time.
        """
        stages = self.stages(batch)
        lives = [Life(batch * self.sizes[i], s - 1, s) for s, i in enumerate(self._between(stages))]
        for s, stage in enumerate(stages):
            lives.append(Life(self._slots(stage, batch, threads) * min(stage.chunk, batch) * stage.nbytes, s, s))
        return layout(lives)

    def bind(self, batch: int, threads: int, memory: Array) -> Calls:
        """The calls for a batch of this size, in a memory of the size that `places` gives and `ALIGNMENT` more."""
        memory = memory[-memory.ctypes.data % ALIGNMENT :]
        offsets, _ = self.places(batch, threads)
        stages = self.stages(batch)
        between = self._between(stages)
        whole = [self._array(memory, i, batch, offset) for i, offset in zip(between, offsets, strict=False)]
        bound = Calls(whole[0], whole[-1], [], [])
        made: list[Call] = []
        for s, stage in enumerate(stages):
            slots = self._slots(stage, batch, threads)
            slot_size = min(stage.chunk, batch) * stage.nbytes
            calls: list[list[Call]] = [[] for _ in range(slots)]
            for piece, first in enumerate(range(0, batch, stage.chunk)):
                slot, chunk = piece % slots, slice(first, first + stage.chunk)
                inside = memory[offsets[len(between) + s] + slot * slot_size :]
                with num_threads(1 if slots > 1 else threads):
                    steps = self._bind_stage(stage, whole[s][chunk], whole[s + 1][chunk], inside)
                    if slot_size > MOST_BYTES:
                        steps = [(node, [partial(call) for call in of_step]) for node, of_step in steps]
                    of_piece = [call for _, of_step in steps for call in of_step]
                    calls[slot] += of_piece if stage.chunk >= batch else _in_rows(of_piece)
                    bound.steps.extend((node, _in_rows(of_step)) for node, of_step in steps)
            made += calls[0] if slots == 1 else [partial(parallel_for, _make, slots, 1, calls)]
        bound.calls.extend(_in_rows(made))  # not across chunks, as no Ctrl-C comes through while a row runs
        return bound

    def _slots(self, stage: Stage, batch: int, threads: int) -> int:
        """How many chunks run at the same time, each on one thread; where they are few, threads share the work in each.

        In the blocks of one image there is little to share: each thread has images of its own once there is one more.
        """
        pieces, many = -(-batch // stage.chunk), threads + 1 if stage in self.blocks else 4 * threads
        return threads if pieces >= many or (pieces > 0 and pieces % threads == 0) else 1

    def _between(self, stages: list[Stage]) -> list[int]:
        """The values before, between and after the stages."""
        return [stage.input for stage in stages] + [self.graph.output.index]

    def _bind_stage(self, stage: Stage, x: Array, y: Array, inside: Array) -> list[tuple[Node, list[Call]]]:
        """The calls that compute y from x, with all values between them in the memory `inside`."""
        together = len(x) if stage in self.blocks or (stage in self.lanewise and len(x) == IMAGES) else 0

        def place(index: int) -> Array:
            return self._array(inside, index, len(x), len(x) * stage.offsets[index], together)

        arrays, before = {stage.input: x}, list[Call]()
        steps: list[tuple[Node, list[Call]]] = []
        if together:
            from minidl.kernels.lanewise_copy import turning

            arrays[stage.input] = copy = place(stage.input)
            before = turning(x, copy)
        for node in stage.nodes:
            if node.value is not None:
                continue
            inputs = [arrays[i] if i in arrays else _constant(self.graph[i]) for i in node.inputs]
            if node.index not in self.binders:
                value = compute(node, inputs)  # a view
                if node.index == stage.output:
                    steps.append((node, [partial(np.copyto, y, value)]))
            else:
                value = y if node.index == stage.output else place(node.index)
                steps.append((node, before + self.binders[node.index](inputs, value)))
                before = []
            arrays[node.index] = value
        return steps

    def _array(self, memory: Array, index: int, batch: int, offset: int, together: int = 0) -> Array:
        """A node's value for a batch, (batch, *shape), at an offset in the memory.

        `together`: images are lanewise, 16 of them or 1 in blocks.
        """
        flat = memory[offset : offset + batch * self.sizes[index]].view(self.dtypes[index])
        shape = self.graph[index].shape
        if not together or len(shape) != 3:
            return flat.reshape(batch, *shape)
        return lanewise.place(flat, shape) if together == IMAGES else lanewise.place(flat, lanewise.block(shape), True)


def _in_rows(calls: list[Call]) -> list[Call]:
    """Return the calls with all that compiled code can make alone bound together."""
    if not compiled():
        return calls
    from minidl.kernels.lockstep import in_rows

    return in_rows(calls)


def _make(start: int, stop: int, calls: Sequence[Sequence[Call]]) -> None:
    """Make the calls of slots [start, stop)."""
    for slot in calls[start:stop]:
        for call in slot:
            call()


def _one_sample(graph: Graph) -> tuple[dict[int, Array], dict[int, int]]:
    """Run one sample: the values that depend on the input, and for each the node in whose memory it lies."""
    arrays: dict[int, Array] = {}
    owners: dict[int, int] = {}
    with here("numpy"), np.errstate(all="ignore"):
        for node in graph:
            if node.value is not None:
                continue
            if node.op == "input":
                arrays[node.index], owners[node.index] = np.zeros((1, *node.shape), _dtype(graph)), node.index
                continue
            inputs = [arrays[i] if i in arrays else _constant(graph[i]) for i in node.inputs]
            y = compute(node, inputs)
            first = node.inputs[0]
            view = first in owners and np.may_share_memory(y, arrays[first])
            arrays[node.index], owners[node.index] = y, owners[first] if view else node.index
    return arrays, owners


def _dtype(graph: Graph) -> np.dtype:
    """The type of the network's numbers: that of its first parameter."""
    return next((node.value.dtype for node in graph if node.value is not None), np.dtype(np.float32))


def _constant(node: Node) -> Array:
    assert node.value is not None
    return node.value
