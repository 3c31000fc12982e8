"""
5. Loss landscapes: what a picture of a valley says, and how it lies
====================================================================

*What you will do:* normalize a direction by hand, make one network look sharp and flat without changing what it
computes, look around a trained network in two dimensions, and find out that a drunkard's walk looks like training.

*What you need:* walkthrough 1.  Runs in about ten seconds:  ``python docs/walkthroughs/05_landscapes.py``
"""

# %%
# One step, two filters
# ---------------------
# A layer with a long filter and a short one.  Walk one step along a random direction: how much is each disturbed,
# *relative to its own length*?  **Filter normalization** gives every filter of the direction the length of its filter.

import copy
import os
import tempfile
from pathlib import Path

import numpy as np

import minidl
from algorithms.landscape import barrier, expected_sharpness, interpolate, line, lines
from algorithms.landscape import path_losses, random_direction, refined_plane, trajectory
from minidl import nn
from visual.curves import draw_curves
from visual.landscape import draw_contour
from visual.landscape_line import draw_line
from visual.scale import shared_scale
from visual.style import panels, save
from visual.trajectory import draw_trajectory

figures = Path(os.environ.get("MINIDL_FIGURES", "figures"))
weight = np.array([[30.0, 40.0], [0.3, -0.4]])  # lengths 50 and 0.5
d = np.array([[1.0, 2.0], [-2.0, 1.0]])  # lengths 2.24 and 2.24
by_hand = d / np.linalg.norm(d, axis=1, keepdims=True) * np.linalg.norm(weight, axis=1, keepdims=True)
for name, step in (("raw", d), ("filter-normalized", by_hand)):
    disturbed = np.linalg.norm(step, axis=1) / np.linalg.norm(weight, axis=1)
    print(f"{name}: the long filter is disturbed by {disturbed[0]:.0%}, the short one by {disturbed[1]:.0%}")

layer = nn.Linear(2, 2, bias=False)
layer.weight.data[...] = weight  # and the library does so for every layer of a network:
drawn = random_direction(layer, rng=0)["weight"]
assert np.allclose(np.linalg.norm(drawn, axis=1), [50, 0.5])

# %%
# The same network, sharp and flat
# --------------------------------
# Multiply one layer by eight and divide the next by eight: through a ReLU the network computes what it always did, to
# the last bit.  On a raw direction its valley looks completely different.  Normalized, the two curves are one curve.
# This is the trap: *a raw picture compares scales of weights*.

training = minidl.data.load("fashion-mnist-mini").subset(1000)
seen = training.subset(250)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32, bias=False, rng=0), nn.ReLU(), nn.Linear(32, 10, rng=1))


net = mlp()
list(minidl.training.train(net, training, epochs=6, lr=0.05, batch_size=32, progress=False))
rescaled = copy.deepcopy(net)
rescaled[1].weight.data *= 8
rescaled[3].weight.data /= 8
assert minidl.training.evaluate(rescaled, seen) == minidl.training.evaluate(net, seen)
steps = np.linspace(-1, 1, 41)
curves = {
    norm: {
        name: line(model, seen, random_direction(model, rng=0, norm=norm), scale * steps, fast=True).loss
        for name, model in (("the network", net), ("rescaled", rescaled))
    }
    for norm, scale in ((None, 0.1), ("filter", 1.0))
}
figure, axes = panels(1, 2, (8.4, 3.2))
draw_line(0.1 * steps, curves[None], axes[0, 0], xlabel="step along a raw direction").set_xticks((-0.1, 0, 0.1))
draw_line(steps, curves["filter"], axes[0, 1])
save(figure, figures / "05_scale.png")
for norm, pair in curves.items():
    one, other = (loss[-1] - loss[20] for loss in pair.values())
    print(f"{norm or 'raw'} direction: one and the same function rises by {one:.3f} and by {other:.3f} nats")

# %%
# Small batches, large batches
# ----------------------------
# The same net, trained with batches of 16 and of 500.  On the straight line between the solutions, which valley is
# sharper?  Read it off if you dare: it mixes up sharpness and length of the weights.  Random filter-normalized
# directions are a fairer question, and being random they answer with an interval.  The small batch's valley is flatter,
# and on a thousand images that makes it no better: a picture is a question, not an answer.

solutions = {}
for name, size, epochs, lr in (("small batch", 16, 20, 0.01), ("large batch", 500, 40, 0.05)):
    solutions[name] = mlp()
    list(minidl.training.train(solutions[name], training, epochs=epochs, lr=lr, batch_size=size, progress=False))
small, large = solutions.values()
between = interpolate(small.state_dict(), large.state_dict(), small, seen, np.linspace(-0.5, 1.5, 41), fast=True)
how = {"xlabel": "from small batch (0) to large batch (1)", "log": True}
save(draw_line(between.xs, {"loss": between.loss}, **how).figure, figures / "05_between.png")
print(f"the hill between them is {barrier(between):.3f} nats high")
bundles = {}
for name, model in solutions.items():
    test = minidl.training.evaluate(model, minidl.data.load("fashion-mnist-mini", "test")).accuracy
    sharp = expected_sharpness(model, seen, radius=0.5, directions=10, fast=True)
    size = np.sqrt(sum(float((p.data**2).sum()) for p in model.parameters()))
    interval = f"{sharp.mean:.2f} ({sharp.low:.2f} to {sharp.high:.2f})"
    print(f"{name}: |weights| {size:.1f}, sharpness {interval}, test accuracy {test:.1%}")
    found = lines(model, seen, [random_direction(model, rng=i) for i in range(5)], steps, fast=True)
    bundles[name] = [surface.loss for surface in found]
save(draw_line(steps, bundles).figure, figures / "05_sharpness.png")

# %%
# Where did training go?
# ----------------------
# Keep the network after each epoch, and look at the plane in which it moved most.  The axes say how much of the motion
# the picture shows.  Impressive?  A random walk, which wants nothing and learns nothing, shows 61 % and 15 %.  And look
# at the loss of each network beside that of its shadow in the plane.
net = mlp()
with tempfile.TemporaryDirectory() as run:
    list(minidl.training.train(net, training, epochs=12, lr=0.03, run=run, record_trajectory=True, progress=False))
    states = [minidl.load(file).state_dict() for file in sorted(Path(run, "trajectory").glob("*.npz"))]
path = trajectory(states)
rng, walk = np.random.default_rng(0), [states[0]]
for _ in states[1:]:
    walk.append({name: a + 0.02 * rng.standard_normal(a.shape, np.float32) for name, a in walk[-1].items()})
drunkard = trajectory(walk)
figure, axes = panels(1, 2, (8.4, 3.8))
for ax, found, title in zip(axes[0], (path, drunkard), ("training", "a random walk"), strict=True):
    margin = 0.3 * np.ptp(found.path, axis=0).max()
    xs, ys = (np.linspace(p.min() - margin, p.max() + margin, 21) for p in found.path.T)
    net.load_state_dict((states if found is path else walk)[-1])
    surface = refined_plane(net, seen, found.dx, found.dy, xs, ys, fast=True)
    draw_contour(xs, ys, surface.loss, ax, scale=shared_scale(surface.loss))
    draw_trajectory(found.path, ax, explained=found.explained.tolist())
    ax.set_title(title, loc="right")
save(figure, figures / "05_paths.png")
losses = path_losses(net, seen, states, path, fast=True)
shadows = {"the network": losses.true, "its shadow": losses.in_plane}
save(draw_curves(shadows, quantity="loss", first=0).figure, figures / "05_shadow.png")
for name, share in (("training", path.explained), ("walk", drunkard.explained), ("expected of it", path.baseline)):
    print(f"{name}: {share[0]:.0%} and {share[1]:.0%} of the motion")

# %%
# Try this
# --------
# 1. Give `random_direction` ``norm="layer"`` in the second part.  Are the two curves still one?  Scale one single
#    *filter* by ten, and its outgoing weights by a tenth.  Now?
# 2. Train the large batch with ``weight_decay``.  Does the line between the two still tell the same story?
# 3. Draw the training path in a plane of two *random* directions (`project`).  What is left of it?
