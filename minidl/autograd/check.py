"""`gradcheck`: compare derivatives, of any order, with central differences.

The check is along random directions, which costs a few function calls whatever the size; only when it fails does it
look element by element, for the message.  It refuses float32, whose rounding would drown the comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minidl.autograd.function import grad_mode, no_grad
from minidl.autograd.grad import grad
from minidl.tensor import Tensor
from minidl.types import Array


class GradcheckError(AssertionError):
    """The analytic and the numeric derivative disagree."""


def gradcheck(
    fn: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    order: int = 1,
    step: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-6,
    seed: int = 0,
) -> bool:
    """Whether `fn`'s derivatives up to `order` agree with central differences; raises `GradcheckError` if not.

    Parameters
    ----------
    fn : callable
        `fn(*inputs)` returns one Tensor of any shape.
    inputs : float64 Tensors
        Those with `requires_grad` are checked.  Keep away from kinks (relu at 0) by more than `step`.
    order : int
        1 checks gradients, 2 also the gradients of gradients, and so on.

    Examples
    --------
    >>> import numpy as np, minidl
    >>> x = minidl.Tensor(np.array([0.3, -1.2]), requires_grad=True)
    >>> minidl.gradcheck(lambda x: x.exp(), [x], order=2)
    True
    """
    for x in inputs:
        if x.dtype != np.float64:
            raise TypeError(f"gradcheck got {x.dtype}, expected float64: differences in float32 are mostly rounding")
    rng = np.random.default_rng(seed)
    y = fn(*inputs)
    u = Tensor(rng.standard_normal(y.shape), requires_grad=True)  # a random output direction makes fn a scalar
    active = [i for i, x in enumerate(inputs) if x.requires_grad]
    if y.requires_grad:
        analytic = [g.numpy() for g in grad(y, [inputs[i] for i in active], grad_y=u)]
    else:
        analytic = [np.zeros(inputs[i].shape) for i in active]

    def scalar(i: int, shift: Array) -> float:
        """<u, fn> with input i moved by `shift`."""
        moved = [Tensor(x.data + shift) if j == i else x for j, x in enumerate(inputs)]
        with no_grad():
            return float(np.vdot(u.data, fn(*moved).data))

    for i, gradient in zip(active, analytic, strict=True):
        direction = rng.standard_normal(inputs[i].shape)
        numeric = (scalar(i, step * direction) - scalar(i, -step * direction)) / (2 * step)
        along = float(np.vdot(gradient, direction))
        scale = max(float(np.linalg.norm(gradient)), 1.0) * max(float(np.linalg.norm(direction)), 1.0)
        if not abs(along - numeric) <= atol + rtol * scale:
            raise GradcheckError(_describe(i, gradient, scalar, step))
    if order > 1:
        gradcheck(_gradient_of(fn, active), [*inputs, u], order - 1, step, atol, rtol, seed + 1)
    return True


def _gradient_of(fn: Callable[..., Tensor], active: list[int]) -> Callable[..., Tensor]:
    """The function (inputs, u) -> all gradients of <u, fn(inputs)>, flattened into one vector."""
    from minidl.ops import concatenate  # ops are built on autograd, so not at the top

    def gradient(*inputs_and_u: Tensor) -> Tensor:
        *inputs, u = inputs_and_u
        leaves = [x if x.requires_grad else Tensor(x.data, requires_grad=i in active) for i, x in enumerate(inputs)]
        with grad_mode(True):
            y = fn(*leaves)
        grads = grad(y, [leaves[i] for i in active], grad_y=u, create_graph=True)
        return concatenate([g.reshape(-1) for g in grads], axis=0)

    return gradient


def _describe(i: int, gradient: Array, scalar: Callable[[int, Array], float], step: float) -> str:
    numeric = np.empty(gradient.shape)
    for index in np.ndindex(gradient.shape):
        shift = np.zeros(gradient.shape)
        shift[index] = step
        numeric[index] = (scalar(i, shift) - scalar(i, -shift)) / (2 * step)
    worst = np.unravel_index(np.argmax(np.abs(gradient - numeric)), gradient.shape)
    return (
        f"gradient of input {i} at {tuple(int(k) for k in worst)}: analytic {gradient[worst]:.9g}, "
        f"numeric {numeric[worst]:.9g}; check this operation's backward"
    )
