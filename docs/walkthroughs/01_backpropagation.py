"""
1. Backpropagation by hand
==========================

*What you will do:* write automatic differentiation for single numbers in twenty-five lines, find out why the order of
the backward pass matters, and then let the numbers become arrays.

*What you need:* the chain rule.  Runs in about two seconds:  ``python docs/walkthroughs/01_backpropagation.py``
"""

# %%
# A number that remembers
# -----------------------
# Every result keeps the numbers it was computed from, and for each the local slope: how much the result moves when
# that number moves a little.

import math
import os
from pathlib import Path

import numpy as np

import minidl
from visual.curves import draw_curves
from visual.engine import draw_broadcast
from visual.graph import Node, draw_graph
from visual.style import axes_or_new, save, style

figures = Path(os.environ.get("MINIDL_FIGURES", "figures"))


class Number:
    def __init__(self, value, parents=(), slopes=(), name=""):
        self.value, self.parents, self.slopes, self.name, self.grad = value, parents, slopes, name, 0.0

    def __add__(self, other):  # d(a + b) = 1 da + 1 db
        return Number(self.value + other.value, (self, other), (1.0, 1.0), "+")

    def __mul__(self, other):  # d(a b) = b da + a db
        return Number(self.value * other.value, (self, other), (other.value, self.value), "×")

    def tanh(self):  # d tanh(a) = (1 - tanh²(a)) da
        return Number(math.tanh(self.value), (self,), (1 - math.tanh(self.value) ** 2,), "tanh")


# %%
# Walking back
# ------------
# Backward starts with 1 at the result and hands every parent its share, *gradient so far × local slope*.  Shares add.


def backward_naive(result):
    """Hand the shares on as soon as they come in.  There is a mistake in here."""
    result.grad, queue = 1.0, [result]
    while queue:
        number = queue.pop(0)
        for parent, slope in zip(number.parents, number.slopes, strict=True):
            parent.grad += number.grad * slope
            queue.append(parent)


a = Number(3.0)
b = a + a
c = b + b * b  # = 2a + 4a², so dc/da = 2 + 8a = 26
backward_naive(c)
print(f"dc/da is 26, the naive walk says {a.grad}")

# %%
# `b` is used three times, and passed on all it had each time, 1, 13 and 13, twice to `a`: 2 · (1 + 13 + 13) = 54.  A
# number may be passed on only when **all** its users have paid in: that is why such engines *sort* the graph.


def backward(result):
    order = []

    def visit(number):  # parents first, so reversed: users first
        if number not in order:
            for parent in number.parents:
                visit(parent)
            order.append(number)

    visit(result)
    for number in order:
        number.grad = 1.0 if number is result else 0.0
    for number in reversed(order):
        for parent, slope in zip(number.parents, number.slopes, strict=True):
            parent.grad += number.grad * slope
    return order


backward(c)
print(f"dc/da is 26, the sorted walk says {a.grad}")

# %%
# A neuron is such a graph.  Blue went forward, red came back:
x, w, bias = Number(2.0, name="x"), Number(-0.5, name="w"), Number(1.5, name="b")
total = (product := w * x) + bias
y = total.tanh()
product.name, total.name, y.name = "w·x", "w·x + b", "tanh"
order = backward(y)
boxes = [Node(n.name, f"{n.value:.3g}", f"{n.grad:.3g}", operation=bool(n.parents)) for n in order]
edges = [(parent.name, n.name) for n in order for parent in n.parents]
save(draw_graph(boxes, edges).figure, figures / "01_neuron.png")

# %%
# It learns
# ---------
# Move every weight a little against its gradient, again and again, and the neuron learns to pass near five points:
points = [(-1.0, -0.9), (-0.5, -0.7), (0.0, 0.1), (0.5, 0.8), (1.0, 0.95)]
w, bias, losses = Number(0.1), Number(0.5), []
for _ in range(40):
    errors = [(w * Number(position) + bias).tanh() + Number(-target) for position, target in points]
    loss = sum((error * error for error in errors), start=Number(0.0))
    backward(loss)
    w, bias = Number(w.value - 0.2 * w.grad), Number(bias.value - 0.2 * bias.grad)
    losses.append(loss.value)
ax = draw_curves({"one neuron": losses}, quantity="loss", first=0)
ax.set(xlabel="step", ylabel="sum of squared errors")
save(ax.figure, figures / "01_learning.png")

# %%
# From numbers to arrays
# ----------------------
# One thing is new.  NumPy *broadcasts*: a column plus a row repeats both into a table.  What is repeated is used many
# times, and shares add, so the gradient is **summed** over the repeats: <repeat(a), g> = <a, sum(g)> for every a and g.
a, b = np.array([[1.0], [2.0], [3.0]]), np.array([10.0, 20.0, 30.0, 40.0])
g = np.random.default_rng(0).standard_normal((3, 4)).round(1)
assert np.isclose((np.broadcast_to(a, (3, 4)) * g).sum(), (a * g.sum(axis=1, keepdims=True)).sum())
save(draw_broadcast(a, b, grad_y=g).figure, figures / "01_broadcast.png")

# %%
# ``minidl`` is this page for arrays.  Because its backward pass is made of the same operations, it can be walked back
# too: here is a second derivative.
t = minidl.Tensor(np.linspace(-3, 3, 61), requires_grad=True)
slope = minidl.grad(minidl.ops.tanh(t).sum(), t, create_graph=True)
bend = minidl.grad(slope.sum(), t)
with style():
    ax = axes_or_new(None)
    curves = np.stack([np.tanh(t.data), slope.data, bend.data], axis=1)
    ax.plot(t.data, curves, label=["tanh x", "its slope", "its bend"])
    ax.set(xlabel="x", ylabel="value")
    ax.legend()
save(ax.figure, figures / "01_derivatives.png")

# %%
# Try this
# --------
# 1. Give `Number` an ``exp`` and check its slope by nudging: (f(x + h) - f(x - h)) / 2h.
# 2. Build a chain of 5,000 additions.  `visit` fails: why?  How does `minidl/autograd/engine.py` avoid it?
# 3. Forget to reset the gradients between two steps of learning.  What does the loss do?
