"""The backward pass: walk the recorded operations from the output to the leaves, each once all its consumers are done.

It is iterative (a chain of any length works), accumulates in a local dictionary (no intermediate gradient is
left behind), and lets go of each operation's memory as soon as it has been used.
"""

from __future__ import annotations

from collections.abc import Collection

from minidl.autograd.function import Edge, Function, grad_mode
from minidl.tensor import Tensor


def backpropagate(
    y: Tensor,
    grad_y: Tensor,
    wanted: Collection[Edge] | None = None,
    create_graph: bool = False,
    retain_graph: bool = False,
) -> dict[Edge, Tensor]:
    """Gradients of <y, grad_y> with respect to every leaf, or to the `wanted` edges only.

    Parameters
    ----------
    y, grad_y : Tensor
        The output and its cotangent, of one shape.
    wanted : edges to differentiate for; None means every leaf that requires a gradient.
    create_graph : record the backward pass itself, so that the result can be differentiated again.
    retain_graph : keep the graph for another backward pass; without it the graph is freed as it is consumed.
    """
    waiting = _count_consumers(y.edge, wanted)
    grads: dict[Edge, Tensor] = {y.edge: grad_y}
    found: dict[Edge, Tensor] = {}
    owned: set[Edge] = set()  # edges whose accumulated array nobody else can see, so it may be added to in place
    ready: list[Edge] = [y.edge] if y.edge in waiting else []
    with grad_mode(create_graph):
        while ready:
            edge = ready.pop()
            grad = grads.pop(edge, None)  # None: every consumer returned no gradient
            if grad is not None and (isinstance(edge, Tensor) if wanted is None else edge in wanted):
                found[edge] = grad
            if isinstance(edge, Tensor):
                continue
            edge.needs = tuple(parent in waiting for parent in edge.edges)
            input_grads = edge.backward(grad) if grad is not None and any(edge.needs) else (None,) * len(edge.edges)
            for parent, input_grad in zip(edge.edges, input_grads, strict=True):
                if parent is None or parent not in waiting:
                    continue
                if input_grad is not None:
                    _accumulate(grads, owned, parent, input_grad, in_place=not create_graph)
                waiting[parent] -= 1
                if waiting[parent] == 0:
                    ready.append(parent)
            if any(edge.needs) and not (retain_graph or create_graph):  # a wanted end was not consumed
                edge.release()
    return found


def _count_consumers(root: Edge, wanted: Collection[Edge] | None) -> dict[Edge, int]:
    """How many uses each edge has on the paths from `root` to a leaf or a wanted edge; other edges are left out.

    A node may run only after all its consumers have: with `b = a + a; c = b * a`, `a` waits for three gradients.
    """
    order: list[Function | Tensor] = []  # every edge after all edges that it was computed from
    seen: set[Edge] = set()
    stack: list[tuple[Edge, bool]] = [(root, False)]
    while stack:
        edge, parents_done = stack.pop()
        if parents_done:
            order.append(edge)
        elif edge not in seen:
            seen.add(edge)
            stack.append((edge, True))
            if isinstance(edge, Function):
                _check_not_released(edge)
                stack.extend((parent, False) for parent in edge.edges if parent is not None)
    useful: dict[Edge, int] = {}
    for edge in order:
        is_target = isinstance(edge, Tensor) if wanted is None else edge in wanted
        parents = edge.edges if isinstance(edge, Function) else ()
        if is_target or any(parent in useful for parent in parents):
            useful[edge] = 0
    for edge in useful:
        for parent in edge.edges if isinstance(edge, Function) else ():
            if parent is not None and parent in useful:
                useful[parent] += 1
    return useful


def _accumulate(grads: dict[Edge, Tensor], owned: set[Edge], edge: Edge, grad: Tensor, in_place: bool) -> None:
    if edge not in grads:
        grads[edge] = grad
    elif in_place and edge in owned:
        grads[edge].data += grad.data
    else:
        grads[edge] = grads[edge] + grad
        owned.add(edge)


def _check_not_released(function: Function) -> None:
    if function.released:
        raise RuntimeError(
            f"the graph was already freed at {type(function).__name__} by an earlier backward, expected an intact one: "
            "compute the output again, or call the first backward with retain_graph=True"
        )
