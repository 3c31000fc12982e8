"""
3. Filter pruning: less of everything that hangs together
=========================================================

*What you will do:* take one of three filters away by hand, see what must leave with it, fall into the classic trap, and
make a network that was trained on real pictures smaller and faster.

*What you need:* walkthrough 2.  Runs in about six seconds:  ``python docs/walkthroughs/03_pruning.py``
"""

# %%
# Three filters, by hand
# ----------------------
# One image, a layer of three 2x2 filters, ReLU, and a layer of one 1x1 filter that reads the three maps.

import os
from pathlib import Path

import numpy as np

import minidl
from algorithms.pruning import find_channels, masked, plan, recalibrate, sensitivity, suggest_ratios
from algorithms.pruning.criteria import l1
from algorithms.pruning.timing import time_layers
from minidl import nn
from visual.pruning import LayerWidth, draw_filter_norms, draw_sensitivity, draw_width_bars
from visual.style import save

figures = Path(os.environ.get("MINIDL_FIGURES", "figures"))
x = np.array([[1, 2, 0], [0, 1, 3], [2, 0, 1]], np.float32).reshape(1, 3, 3, 1)
net = nn.Sequential(nn.Conv2d(1, 3, 2, bias=False), nn.ReLU(), nn.Conv2d(3, 1, 1, bias=False))
net[0].weight.data[..., 0] = [[[1, -1], [2, 0]], [[0, 0], [1, 0]], [[-1, 3], [0, 2]]]  # (3, 2, 2, 1)
net[2].weight.data[0, 0, 0] = [1, -2, 1]

# %%
# How much does a filter matter?  The paper's answer is its L1 norm, the sum of the sizes of its weights.

norms = l1(net[0].weight.data)
print("norms:", norms)
assert norms.tolist() == [1 + 1 + 2 + 0, 1, 1 + 3 + 2]

# %%
# Filter 1 is the smallest.  With it leaves its map, and with the map every weight that reads it: one of the three of
# the second layer.  So both layers do a third less, 2x2 outputs each: 48 + 12 multiplications become 32 + 8.
# (The last layer's filter is the answer itself, so it may not leave, and `plan` knows that.)

by_hand = np.maximum(minidl.ops.conv2d(x, net[0].weight.data[[0, 2]]).numpy(), 0) @ np.array([[1.0], [1.0]], np.float32)
p = plan(net, (3, 3, 1), ratios={"layers.0": 1 / 3})
small = p.apply(net)
print(p, p.explain("layers.0", 1), sep="\n\n")
assert (p.before.macs, p.after.macs) == (60, 40)
assert np.array_equal(small(x).numpy(), by_hand)

# %%
# A **mask** gives the same answer, with zeros where the weights were.  It saves nothing: the zeros are multiplied too.

zeros = masked(net, p)
assert np.array_equal(zeros(x).numpy(), by_hand)
print("parameters: whole, masked, removed:", net.num_parameters(), zeros.num_parameters(), small.num_parameters())

# %%
# The trap
# --------
# "Set the filter to zero" is not the same once a batch norm follows: its shift goes on, as if the filter answered.

bn = nn.BatchNorm2d(3).eval()
bn.bias.data[:] = 0.5
trap = nn.Sequential(net[0], bn, nn.ReLU(), net[2]).eval()
removed = plan(trap, (3, 3, 1), {"layers.0": 1 / 3}).apply(trap)
net[0].weight.data[1] = 0  # only the filter
print("zeroed filter:", trap(x).numpy().ravel(), " removed:", removed(x).numpy().ravel())
assert not np.allclose(trap(x).numpy(), removed(x).numpy())

# %%
# What hangs together
# -------------------
# An addition needs equal channels on both sides.  In a residual network the first convolution, the second ones of
# all blocks and the shortcuts therefore share their filters: they leave together or not at all.

images = minidl.data.load("fashion-mnist-mini").subset(1800)
training, validation = images.split(300, seed=0)
model = nn.models.resnet(8, in_channels=1, rng=0)
for group in find_channels(minidl.graph.trace(model, (28, 28, 1))).groups:
    print(f"{len(group):3d} filters of", ", ".join(group.layers), f"({group.fixed})" * bool(group.fixed))

# %%
# A trained network
# -----------------
# Train for a moment, then prune one layer at a time, a little and a lot, and look how the accuracy takes it.  Steep
# norms say that some filters hardly matter; a flat accuracy says it better.

for record in minidl.training.train(model, training, epochs=2, lr=0.05, batch_size=64, progress=False):
    print(f"epoch {record.epoch}: loss {record.loss:.2f}")
inner = [f"stages.{stage}.0.conv1" for stage in range(3)]
weights = dict(model.named_parameters())
save(draw_filter_norms({name: l1(weights[f"{name}.weight"].data) for name in inner}).figure, figures / "03_norms.png")

ratios = (0.125, 0.25, 0.5, 0.75)
points = list(sensitivity(model, validation, ratios, inner))
curves = {name: [point.accuracy for point in points if point.group == name] for name in inner}
whole = minidl.training.evaluate(model, validation).accuracy
ax = draw_sensitivity(ratios, curves, baseline=whole)
ax.set_ylabel("validation accuracy (%)")
save(ax.figure, figures / "03_sensitivity.png")

# %%
# From the curves follow ratios, from the ratios a plan, from the plan a network: smaller arrays, and nothing else.

chosen = plan(model, (28, 28, 1), suggest_ratios(model, (28, 28, 1), points, macs_share=0.7))
small = chosen.apply(model)
pruned = minidl.training.evaluate(small, validation).accuracy
recalibrate(small, training)  # the layers' inputs have changed: measure the batch-norm statistics again
repaired = minidl.training.evaluate(small, validation).accuracy
print(chosen)
print(f"accuracy {whole:.0%}, pruned {pruned:.0%}, with new statistics {repaired:.0%}; training gives back more")
widths = [LayerWidth(name, int(chosen.kept(name).sum()), len(chosen.kept(name))) for name in inner]
save(draw_width_bars(widths).figure, figures / "03_widths.png")

# %%
# Fewer multiplications are not yet less time: measure, one network beside the other, layer by layer.

times = time_layers(model, small, (28, 28, 1), batch=64, repeats=9)
print(times)

# %%
# Try this
# --------
# 1. Remove filter 0 of the first example by hand.  Which of the two answers is nearer to the whole network's?
# 2. Ask `chosen.explain("conv1", 0)` what would leave with a filter of the trunk.
# 3. Prune with `criterion="random"` and "largest", three times each.  How much does the L1 norm know?
