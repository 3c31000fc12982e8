"""
4. Training with few bits: why a coarse weight cannot settle down
=================================================================

*What you will do:* lose an update, find it again with dice, see what dice cannot do, and train a network whose weights
are single bits, and one in which there is no floating-point number at all.

*What you need:* walkthrough 2.  Runs in about six seconds:  ``python docs/walkthroughs/04_few_bits.py``
"""

# %%
# A lost update
# -------------
# A weight may be a whole number, nothing else.  It is at 2, and fifty times we ask it to move up by 0.06.  Rounded to
# the *nearest* after every step it never moves.  Rounded **up with a probability equal to the fraction** it is right on
# average.  And a weight that keeps the small steps in a float beside it knows exactly when to jump.

import os
from pathlib import Path

import numpy as np

import minidl
from algorithms.quantization import (
    Binary,
    IntegerNetwork,
    StochasticRounding,
    compare_rules,
    curves,
    measure_memory,
)
from algorithms.quantization.rounding import probability_up, round_nearest
from algorithms.quantization.toy import histograms, paths
from minidl import nn, optim
from visual.quantization import draw_changed_share, draw_toy_histograms, draw_weight_path
from visual.style import BLUE, INK, VERMILLION, axes_or_new, panels, save, style

figures = Path(os.environ.get("MINIDL_FIGURES", "figures"))
rng = np.random.default_rng(3)
r, sr, latent = [2.0], [2.0], [2.0]
for _ in range(50):
    r.append(float(round_nearest(np.array(r[-1] + 0.06))))
    whole = np.floor(sr[-1] + 0.06)
    sr.append(float(whole + (rng.random() < sr[-1] + 0.06 - whole)))
    latent.append(latent[-1] + 0.06)
print(f"asked for 2 -> 5.  nearest: {r[-1]:g}, with dice: {sr[-1]:g}, with a float beside it: {round(latent[-1])}")
ax = draw_weight_path(sr, latent=latent, name="rounded with dice")
ax.plot(r, color=INK, lw=1.2, ls="--")
ax.annotate("rounded to nearest: lost", (25, 2), (25, 1.75), ha="center", va="top")
ax.set_ylim(1.4, 5.4)
save(ax.figure, figures / "04_lost_update.png")

# %%
# How good must the dice be?
# --------------------------
# A small processor pays for random bits.  With r of them only 2^r + 1 probabilities exist, so the fraction is rounded
# to r bits first: too much here, too little there, nothing on average.  Cutting it instead is always too little.

fractions = np.linspace(0, 1, 801)
with style():
    ax = axes_or_new(None)
    ax.plot(fractions, probability_up(fractions, 2) - fractions, color=BLUE, label="rounded to 2 bits")
    ax.plot(fractions, probability_up(fractions, 2, cut=True) - fractions, color=VERMILLION, label="cut to 2 bits")
    ax.axhline(-(2**-3), color=VERMILLION, lw=1, ls=":")
    ax.set(xlabel="fraction of the number", ylabel="error of the mean")
    ax.legend()
save(ax.figure, figures / "04_bias.png")
middle = (np.arange(4096) + 0.5) / 4096
for bits in (1, 4, 8):
    mean = (probability_up(middle, bits, cut=True) - middle).mean()
    print(f"{bits} random bits: cut is low by {-mean:.4f} = 2^-{bits + 1}, rounded by 0")

# %%
# Dice cannot settle down
# -----------------------
# A loss with three valleys, the deepest at 4.75, a noisy gradient, and values half a unit apart.  Both rules start at
# 4.  Left the walks at a small rate, right where they spend their time.  BinaryConnect sums small steps, the noise
# cancels, and it stays.  With dice every step is a lottery for a whole move: a smaller rate makes fewer moves, and not
# better ones.

walk, seen = paths(rate=0.01, steps=30_000), slice(0, 10_000)
places = histograms(rates=(0.1, 0.01, 0.001), steps=400_000)
with style():
    figure, axes = panels(2, 2, (7.6, 5.2), sharey=True, width_ratios=(3, 1))
for row, path, time, colour in zip(axes, (walk.bc, walk.sr), (places.bc[1], places.sr[1]), "bv", strict=True):
    draw_weight_path(path[seen], row[0], latent=walk.latent[seen] if colour == "b" else None)
    row[1].barh(places.grid, 100 * time, height=0.43, color=BLUE if colour == "b" else VERMILLION)
    row[1].set(xlabel="share of time (%)", ylim=(-1, 7))
axes[1, 1].plot(100 * places.limit, places.grid, color=INK, marker="o", ms=2.5, lw=1)
axes[1, 1].annotate("limit law", (20, 5.9))
axes[0, 0].set_ylabel("BinaryConnect")
axes[1, 0].set_ylabel("dice")
save(figure, figures / "04_walks.png")

# %%
# Why?  From a grid point, a small step α·g goes up or down with probability α|g|/Δ.  Divide α by ten: every chance of
# *leaving* is divided by ten, and where you go *if* you leave stays the same.  Ten times slower, the same places: the
# dots below, computed without any walk.
axes = draw_toy_histograms(places.grid, places.rates, places.bc, places.sr, limit=places.limit)
save(axes[0, 0].figure, figures / "04_places.png")
for rate, bc, dice in zip(places.rates, places.bc, places.sr, strict=True):
    far = [share[np.abs(places.grid - 4.75) > 0.3].sum() for share in (bc, dice)]
    print(f"rate {rate:5g}: away from the minimum {far[0]:5.1%} of the time, with dice {far[1]:5.1%}")

# %%
# A network of bits
# -----------------
# Every weight of the convolutions is +1 or -1, kept as one bit.  The floats that a step computes with are made for the
# occasion; between two steps there are none.

images = minidl.data.load("fashion-mnist-mini").subset(1500)
training, validation = images.split(300, seed=0)


def build():
    layers = nn.Conv2d(1, 16, 3, stride=2, rng=0), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, rng=1)
    return nn.Sequential(*layers, nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(), nn.Linear(1152, 10, rng=2))


model = build()
print(measure_memory(model, StochasticRounding(optim.SGD(model.named_parameters(), lr=0.1), Binary())))
records = compare_rules(build, training, validation, 6, rules=("float", "bc", "sr", "r"), batch_size=64, progress=False)
runs = curves(records)
for rule, curve in runs.items():
    print(f"{rule:6s} loss {curve.loss[0]:.2f} -> {curve.loss[-1]:.2f}, changed signs {curve.changed[-1]:.1%}")
assert runs["r"].changed[-1] == 0  # Adam moves by 0.01, half a spacing is 1: every update is lost
save(draw_changed_share({rule: curve.changed for rule, curve in runs.items()}).figure, figures / "04_changed.png")

# %%
# Not one float
# -------------
# Scales that are powers of two turn every product into a shift, and dice work on integers too: add random low bits, cut
# them off.  180 steps of a network of int8 weights, int8 activations and int8 errors:

pixels = (training.images.reshape(-1, 14, 2, 14, 2).astype(np.int32).sum(axis=(2, 4)) >> 4).astype(np.int8)
pixels, net = pixels.reshape(-1, 196), IntegerNetwork.random((196, 32, 10), seed=1)
for step in range(180):
    batch = slice(64 * step % 1152, 64 * step % 1152 + 48)
    net.step(pixels[batch], training.labels[batch])
right = (net.scores(pixels).argmax(axis=1) == training.labels).mean()
print(f"integers only: {right:.0%} right, all weights are {net.weights[0].dtype}")

# %%
# Try this
# --------
# 1. Give the walks a grid twice as fine (`spacing=0.25`).  Does the dice's share of time away from 4.75 fall by half?
# 2. Train with ``rules=("sr", "sr-big")``: why do dice like big batches more than BinaryConnect does?
# 3. Give the integers ``rate_shift=13``, then 14.  What is refused, and why?
# 4. Over several seeds and two networks: ``minidl reproduce quantized --scale mini``.  Which claims of the paper does
#    it confirm, and which not?
