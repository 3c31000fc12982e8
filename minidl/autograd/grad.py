"""What users call to differentiate: `backward` fills the leaves' `.grad`, `grad` returns gradients, `hvp` curvature.

All three are a few lines over `engine.backpropagate`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import overload

import numpy as np

from minidl.autograd.engine import backpropagate
from minidl.tensor import Tensor, as_tensor
from minidl.types import Array


def backward(
    y: Tensor, grad_y: Tensor | Array | None = None, retain_graph: bool = False, create_graph: bool = False
) -> None:
    """Add the gradient of <y, grad_y> to the `.grad` of every leaf; the method `Tensor.backward` is this function."""
    cotangent = _cotangent("backward", y, grad_y)
    grads = backpropagate(y, cotangent, create_graph=create_graph, retain_graph=retain_graph)
    taken = {id(cotangent.data)}
    for leaf, grad in grads.items():
        assert isinstance(leaf, Tensor)
        if leaf.grad is not None:
            leaf.grad = leaf.grad + grad
        elif create_graph:
            leaf.grad = grad
        else:
            leaf.grad = Tensor.wrap(_to_keep(grad.data, taken))


def _to_keep(array: Array, taken: set[int]) -> Array:
    """Return `array`, or a copy where somebody else may hold it too: y = a + b hands a and b the same gradient."""
    is_free = array.base is None and array.flags.writeable and id(array) not in taken
    taken.add(id(array))
    return array if is_free else array.copy()


@overload
def grad(y: Tensor, xs: Tensor, grad_y: Tensor | None = None, create_graph: bool = False) -> Tensor: ...
@overload
def grad(
    y: Tensor, xs: Sequence[Tensor], grad_y: Tensor | None = None, create_graph: bool = False
) -> tuple[Tensor, ...]: ...
def grad(
    y: Tensor, xs: Tensor | Sequence[Tensor], grad_y: Tensor | Array | None = None, create_graph: bool = False
) -> Tensor | tuple[Tensor, ...]:
    """Gradient of <y, grad_y> with respect to each of `xs`, leaving every `.grad` alone.

    Parameters
    ----------
    y : Tensor
        A scalar, or any shape together with `grad_y` of that shape and dtype.
    xs : Tensor or sequence of Tensors
        Leaves or intermediate results; one that `y` does not depend on gets zeros.
    create_graph : bool
        Make the result differentiable again (to any order); the graph is then kept.

    Returns
    -------
    Tensor for a single Tensor, else a tuple in the order of `xs`, each of the shape of its x.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.Tensor([2.0], requires_grad=True)
    >>> slope = minidl.grad((x ** 3).sum(), x, create_graph=True)
    >>> slope.numpy(), minidl.grad(slope.sum(), x).numpy()
    (array([12.], dtype=float32), array([12.], dtype=float32))
    """
    targets = [xs] if isinstance(xs, Tensor) else list(xs)
    for x in targets:
        if not x.requires_grad:
            raise ValueError(
                f"grad got an x of shape {x.shape} that requires no gradient, expected one that does: "
                "create it with requires_grad=True"
            )
    cotangent = _cotangent("grad", y, grad_y)
    found = backpropagate(y, cotangent, wanted={x.edge for x in targets}, create_graph=create_graph)
    grads = tuple(found[x.edge] if x.edge in found else Tensor.wrap(np.zeros_like(x.data)) for x in targets)
    return grads[0] if isinstance(xs, Tensor) else grads


def hvp(
    loss_fn: Callable[..., Tensor], params: Sequence[Tensor], vector: Sequence[Tensor | Array]
) -> tuple[Tensor, ...]:
    """Exact product of the loss's Hessian with a vector, by differentiating <gradient, vector>; about 4 forward passes.

    Parameters
    ----------
    loss_fn : callable
        `loss_fn()` that reads the live `params` (the usual closure over a model), or `loss_fn(*params)`.
    params : sequence of P Tensors that require gradients
    vector : sequence of P arrays, each of the shape of its parameter

    Examples
    --------
    >>> import minidl
    >>> w = minidl.Tensor([1.0, 2.0], requires_grad=True)
    >>> minidl.hvp(lambda: (w ** 3).sum(), [w], [[1.0, 0.0]])[0].numpy()
    array([6., 0.], dtype=float32)
    """
    params = list(params)
    takes_params = any(p.default is p.empty for p in inspect.signature(loss_fn).parameters.values())
    loss = loss_fn(*params) if takes_params else loss_fn()
    grads = grad(loss, params, create_graph=True)
    directions = [Tensor.wrap(np.asarray(v, dtype=p.dtype)) for p, v in zip(params, vector, strict=True)]
    for p, v in zip(params, directions, strict=True):
        if p.shape != v.shape:
            raise ValueError(f"hvp got a vector part of shape {v.shape}, expected its parameter's shape {p.shape}")
    along = [(g * v).sum() for g, v in zip(grads, directions, strict=True) if g.requires_grad]
    if not along:  # a linear loss: its Hessian is zero
        return tuple(Tensor.wrap(np.zeros_like(p.data)) for p in params)
    return grad(sum(along[1:], start=along[0]), params)


def _cotangent(caller: str, y: Tensor, grad_y: Tensor | Array | None) -> Tensor:
    if not y.requires_grad:
        raise ValueError(
            "nothing to differentiate: this Tensor was computed from no input that requires a gradient, or inside "
            "no_grad; create a leaf with requires_grad=True"
        )
    if grad_y is None:
        if y.data.size != 1:
            raise ValueError(f"{caller} got an output of shape {y.shape}, expected a scalar: reduce it, or pass grad_y")
        return Tensor.wrap(np.ones_like(y.data))
    cotangent = as_tensor(grad_y, dtype=y.dtype)
    if cotangent.shape != y.shape:
        raise ValueError(f"grad_y has shape {cotangent.shape}, expected the output's shape {y.shape}")
    if cotangent.dtype != y.dtype:
        raise TypeError(f"grad_y is {cotangent.dtype}, expected the output's {y.dtype}: use .astype('{y.dtype}')")
    return cotangent
