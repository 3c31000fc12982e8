"""The landscape experiments at their fastest: through the command, interrupted and continued; their statistics."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interruption import check_that_it_goes_on

from algorithms.experiments import landscape
from algorithms.experiments.landscape.nets import deep_pair, residual_nets, vgg_nets, vgg_pairs
from algorithms.experiments.landscape.ranks import rank_correlations
from minidl import cli

FAST = landscape.SETTINGS["fast"]
FIGURES = {
    "interpolation", "weights", "sharpness", "shortcuts", "shortcuts_3d", "width", "convexity", "trajectories",
    "repeatability",
}  # fmt: skip


def test_the_command_writes_the_record_and_its_figures(tmp_path, capsys):
    arguments = ["reproduce", "landscape", "--scale", "fast", "--out", tmp_path, "--runs", tmp_path / "runs"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    record = json.loads((tmp_path / "landscape-fast.json").read_text())
    assert len(record["nets"]) == 4 * FAST.seeds + 5 and set(record["lines"]) == set(record["nets"])
    for lines in record["lines"].values():
        loss = np.array(lines["loss"])
        assert loss.shape == (FAST.directions, FAST.line_points)
        assert np.allclose(loss[:, FAST.line_points // 2], loss[0, FAST.line_points // 2])  # the network itself
    assert sorted(path.stem for path in (tmp_path / "landscape-fast").iterdir()) == sorted(FIGURES)
    assert all(claim["claim"] in record["summary"] for claim in record["claims"])
    missing = [claim["claim"] for claim in record["claims"] if claim["verdict"] not in ("confirmed", "seen")]
    assert record["summary"].splitlines()[-1].endswith("; ".join(missing))
    assert record["seconds"]["training"] == sum(net["seconds"] for net in record["nets"].values())


def test_an_interrupted_call_goes_on_to_the_same_record(tmp_path):
    settings = dataclasses.replace(FAST, epochs=2)
    check_that_it_goes_on(landscape, settings, tmp_path, (1, 7, 15, 30, None), without_times)


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if "seconds" not in key}
    return value


def test_what_is_asked_differently_is_measured_again(tmp_path):
    from algorithms.experiments.landscape.workshop import Workshop

    shop = Workshop(FAST, tmp_path, lambda what: None)
    assert shop.keep("x", {"images": 3}, lambda: {"value": 1})["value"] == 1
    assert shop.keep("x", {"images": 3}, lambda: {"value": 2})["value"] == 1
    assert shop.keep("x", {"images": 4}, lambda: {"value": 3})["value"] == 3


@pytest.mark.parametrize("scale", landscape.SETTINGS)
def test_every_scale_compares_what_the_claims_are_about(scale):
    s = landscape.SETTINGS[scale]
    nets = [*vgg_nets(s, 5), *residual_nets(s, 5)]
    assert len({net.name for net in nets}) == len(nets) and len(vgg_nets(s, 5)) >= 8  # for the rank correlation
    for a, b in vgg_pairs(s, 5).values():
        assert (a.batch, b.batch) == (s.small, s.large) and (a.decay, a.seed) == (b.decay, b.seed)
    assert [net.shortcuts for net in deep_pair(s, 5)] == [True, False]
    assert s.line_points % 2 == s.plane_points % 2 == 1  # the network itself is a point
    alphas = np.linspace(-0.5, 0.5, s.line_points)
    assert all(np.abs(alphas - radius).min() < 1e-9 for radius in s.radii)


@given(st.integers(0, 2**32 - 1), st.integers(4, 15))
def test_ranks_alone_decide_a_rank_correlation(seed, nets):
    rng = np.random.default_rng(seed)
    error, a, b = rng.standard_normal((3, nets))
    told = rank_correlations(error, {"a": a, "b": b}, resamples=30, seed=seed)
    bent = rank_correlations(np.exp(error), {"a": a**3, "b": -b}, resamples=30, seed=seed)
    assert bent["a"] == told["a"]
    assert bent["b"]["mean"] == pytest.approx(-told["b"]["mean"])
    assert bent["b"]["low"] == pytest.approx(-told["b"]["high"])
    from scipy.stats import spearmanr

    assert told["a"]["mean"] == pytest.approx(spearmanr(error, a).statistic)
    assert told["difference"]["mean"] == pytest.approx(told["a"]["mean"] - told["b"]["mean"])
