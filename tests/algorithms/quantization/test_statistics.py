"""The recorders: counts against their definitions, and runs that are stopped and go on with what was recorded."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from algorithms.quantization import (
    Binary,
    BinaryConnect,
    FixedPoint,
    LatentWeights,
    StochasticRounding,
    Watched,
    WeightChange,
)
from minidl import nn, optim

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 12), st.sampled_from([Binary(), FixedPoint(3, 0)]))
def test_counts_are_those_of_the_whole_history(seed, steps, format):
    """Kept codes of every step, looked at afterwards: flips, flips back, differences from the start."""
    rng = np.random.default_rng(seed)
    weight = nn.Parameter(rng.uniform(-4, 4, (6, 5)).astype(np.float32))
    recorder = WeightChange({"w": weight}, format)
    history = [format.encode(weight.data).codes.astype(int)]
    for _ in range(steps):
        weight.data = np.where(rng.random(weight.shape) < 0.4, rng.uniform(-4, 4, weight.shape), weight.data)
        weight.data = weight.data.astype(np.float32)
        recorder()
        history.append(format.encode(weight.data).codes.astype(int))
    moves = np.sign(np.diff(history, axis=0)).reshape(steps, -1)
    np.testing.assert_array_equal(recorder.flips[:, 0], (moves != 0).sum(axis=1))
    np.testing.assert_array_equal(recorder.changed[:, 0], [(h != history[0]).sum() for h in history[1:]])
    back = np.zeros(steps, int)
    for path in moves.T:
        taken = np.flatnonzero(path)
        back[[t for s, t in pairwise(taken) if path[s] == -path[t]]] += 1
    np.testing.assert_array_equal(recorder.oscillations[:, 0], back)
    np.testing.assert_allclose(recorder.share, recorder.changed[:, 0] / weight.size)


def test_a_binary_weight_can_only_flip_back():
    weight = nn.Parameter([1.0])
    recorder = WeightChange({"w": weight}, Binary())
    for sign in (-1, 1, 1, -1):
        weight.data = np.array([sign], np.float32)
        recorder()
    assert recorder.flips.ravel().tolist() == [1, 1, 0, 1]
    assert recorder.oscillations.ravel().tolist() == [0, 1, 0, 1]


def test_latent_weights_are_counted_in_their_bins_with_their_distance_from_the_grid():
    weight = nn.Parameter(np.array([0.9, 0.2, -0.3, -1.0], np.float32).reshape(4, 1, 1, 1))
    rule = BinaryConnect(optim.SGD([("w", weight)], lr=0.1), Binary())
    recorder = LatentWeights(rule, edges=[-1, 0, 1], every=2)
    for _ in range(4):
        weight.grad = minidl.Tensor(np.zeros((4, 1, 1, 1), np.float32))
        rule.step()
        recorder()
    assert recorder.steps.tolist() == [2, 4]
    assert recorder.histograms.tolist() == [[[2, 2]]] * 2
    np.testing.assert_allclose(recorder.gap, (0.1 + 0.8 + 0.7 + 0) / 4, rtol=1e-6)


def test_what_saturates_is_recorded_for_rules_without_latent_weights_too():
    weight = nn.Parameter(np.ones((4, 1, 1, 1), np.float32))
    rule = StochasticRounding(optim.SGD([("w", weight)], lr=0.1), Binary())
    recorder = LatentWeights(rule)
    weight.grad = minidl.Tensor(np.array([-1, -1, -1, 0], np.float32).reshape(4, 1, 1, 1))  # three push outward
    rule.step()
    recorder()
    assert recorder.saturated.tolist() == [[0.75]]
    assert recorder.gap.tolist() == [[0]]


@pytest.mark.parametrize("kind", ["sr", "bc", "float"])
def test_a_run_that_is_stopped_goes_on_with_what_its_recorders_saw(kind, tmp_path):
    images = minidl.data.load("fashion-mnist-mini").subset(128)
    results = []
    for folder, stops in (("whole", (3,)), ("stopped", (1, 2, 3))):
        for epochs in stops:
            model = nn.Sequential(nn.Conv2d(1, 6, 3, 2, rng=0), nn.Flatten(), nn.Linear(1014, 10, rng=1))
            adam = optim.Adam(model.named_parameters(), lr=0.02)
            wrap = {"sr": StochasticRounding, "bc": BinaryConnect, "float": lambda optimizer, format: optimizer}[kind]
            rule = wrap(adam, Binary())
            recorders = [WeightChange({"w": model.layers[0].weight}, Binary())]
            recorders += [LatentWeights(rule, every=3)] if kind != "float" else []
            settings = {"optimizer": Watched(rule, *recorders), "batch_size": 32, "run": tmp_path / folder}
            list(minidl.training.train(model, images, epochs=epochs, progress=False, **settings))
        results.append([{k: v.tobytes() for k, v in r.state_dict().items()} for r in recorders])
    assert results[0] == results[1]
    assert len(recorders[0].share) == 12
    assert recorders[0].flips.sum() > 0


def test_a_state_of_other_recorders_is_refused():
    weight = nn.Parameter(np.ones((4, 1, 1, 1), np.float32))
    rule = StochasticRounding(optim.SGD([("w", weight)], lr=0.1), Binary())
    state = Watched(rule, WeightChange(rule.quantized, Binary())).state_dict()
    with pytest.raises(ValueError, match="differ in recorder 0/moves/w"):
        Watched(rule).load_state_dict(state)
