import json

import numpy as np
import pytest
from answers import answer, mistake

import minidl
from algorithms.landscape import Surface
from minidl import nn
from minidl.cli import main
from minidl.training import evaluate, train


def network(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 6, rng=rng), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 10, rng=rng)
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a small network with its trajectory, and a second one beside it."""
    folder = tmp_path_factory.mktemp("runs")
    data = minidl.data.load("fashion-mnist-mini").subset(200)
    for seed in (0, 1):
        how = {"epochs": 3, "lr": 0.05, "seed": seed, "record_trajectory": True}
        list(train(network(seed), data, run=folder / str(seed), **how))
    return folder / "0"


def test_plane_is_measured_drawn_and_kept(run, tmp_path, capsys):
    args = "landscape", run, "--images", 50, "--x=-1:1:5", "--y=-0.5:0.5:3", "--exact", "--out", tmp_path / "out"
    said = answer(capsys, *args)
    assert {"contour.png", "filled.png", "surface.png", "plane.npz", "plane.scan.npz"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
    assert np.shape(said["loss"]) == (3, 5) and said["bn"] == "frozen" and said["dataset"] == "fashion-mnist-mini"
    data = minidl.data.load("fashion-mnist-mini").subset(50)
    assert said["loss"][1][2] == evaluate(minidl.load(run / "checkpoint.npz"), data, 250).loss
    kept = Surface.load(tmp_path / "out" / "plane.npz")
    np.testing.assert_array_equal(kept.loss, said["loss"])
    assert kept.about["seed"] == 0 and kept.about["norm"] == "filter"
    assert json.loads((tmp_path / "out" / "plane.json").read_text()) == said
    assert answer(capsys, *args) == said  # from the file


@pytest.mark.parametrize("size", [(25, 25), (20, 22)])
def test_a_large_plane_is_refined_unless_asked_for_in_full(run, tmp_path, capsys, size):
    args = "landscape", run, "--images", 20, f"--x=-1:1:{size[0]}", f"--y=-1:1:{size[1]}"
    refined = answer(capsys, *args, "--out", tmp_path / "a")
    full = answer(capsys, *args, "--full", "--out", tmp_path / "b")
    assert refined["measured_share"] < full["measured_share"] == 1


def test_lines_come_with_sharpness_and_width(run, tmp_path, capsys):
    said = answer(capsys, "landscape", run, "--images", 50, "--x=-2:2:9", "--directions", 3, "--out", tmp_path)
    assert np.shape(said["loss"]) == (3, 9) and (tmp_path / "line.png").exists()
    assert said["sharpness"]["low"] < said["sharpness"]["mean"] < said["sharpness"]["high"]
    assert len(said["half_width"]) == 3


def test_auto_reaches_as_far_as_the_cap(run, tmp_path, capsys):
    args = "landscape", run, "--images", 50, "--cap", 5, "--out", tmp_path
    said = answer(capsys, *args, "--x", "auto", "--directions", 2)
    ends = [losses[i] for losses in said["loss"] for i in (0, -1)]
    assert said["x"][0] == -said["x"][-1] and 5 <= np.mean(ends) < 6
    assert "--x=auto with --other" in mistake(capsys, *args, "--x", "auto", "--other", run)


def test_line_to_another_network_has_both_at_its_ends(run, tmp_path, capsys):
    other = run.parent / "1"
    args = "landscape", run, "--other", other, "--x=-0.5:1.5:9", "--images", 50, "--exact", "--out", tmp_path
    said = answer(capsys, *args)
    data = minidl.data.load("fashion-mnist-mini").subset(50)
    ends = [evaluate(minidl.load(folder / "checkpoint.npz"), data, 250).loss for folder in (run, other)]
    np.testing.assert_allclose([said["loss"][2], said["loss"][6]], ends, rtol=1e-5)
    assert said["barrier"] >= 0 and said["bn"] == "interpolated"


def test_plane_through_three_networks(run, tmp_path, capsys):
    epochs = [run / "trajectory" / f"epoch_{i:04d}.npz" for i in (0, 1)]
    args = "landscape", run, "--other", epochs[0], "--third", epochs[1], "--images", 20, "--out", tmp_path
    said = answer(capsys, *args)
    assert np.shape(said["corners"]) == (3, 2) and said["corners"][0] == [0, 0]
    assert "--third without --other" in mistake(capsys, "landscape", run, "--third", epochs[1], "--out", tmp_path)


def test_check_finds_everything_in_order(run, capsys):
    said = answer(capsys, "landscape", run, "--images", 50, "--check")
    assert [finding["passed"] for finding in said] == [True, True, True, True, None]


def test_dry_run_says_the_cost_and_makes_nothing(run, capsys, tmp_path):
    said = answer(capsys, "landscape", run, "--images", 50, "--y=-1:1:25", "--dry-run", "--out", tmp_path / "none")
    assert said["nodes"] == 625 and said["macs"] == 625 * 50 * (784 * 6 + 60) and said["seconds"] > 0
    assert not (tmp_path / "none").exists()


def test_trajectory_is_drawn_with_what_it_hides(run, tmp_path, capsys):
    said = answer(capsys, "trajectory", run, "--images", 50, "--out", tmp_path)
    assert {"trajectory.png", "losses.png", "plane.npz"} <= {p.name for p in tmp_path.iterdir()}
    assert len(said["path"]) == len(said["off_plane"]) == len(said["loss"]) == 4 and said["path"][-1] == [0, 0]
    assert said["loss"][-1] == pytest.approx(said["loss_in_plane"][-1], rel=1e-5) and sum(said["explained"]) <= 1 + 1e-9
    assert "expected at least 3: train with --trajectory" in mistake(capsys, "trajectory", run / "checkpoint.npz")


def test_hessian_with_trace_layers_and_map(run, tmp_path, capsys):
    args = "hessian", run, "--images", 30, "--trace", 3, "--layers", "--map", 2, "--density", 2, "--out", tmp_path
    said = answer(capsys, *args)
    whole, first, second = said["ends"]
    assert whole["converged"] and whole["largest"] >= max(first["largest"], second["largest"]) * 0.99
    assert [part["part"] for part in said["ends"]] == ["all weights", "layers.1", "layers.4"]
    assert np.shape(said["map"]["ratio"]) == (2, 2) and (tmp_path / "map.png").exists()
    layers = said["trace"]["layers"]
    assert said["trace"]["std_error"] > 0 and list(layers) == ["layers.1", "layers.4"]
    assert said["trace"]["mean"] == pytest.approx(sum(layer["mean"] for layer in layers.values()))
    density = said["density"]
    assert np.trapezoid(density["density"], density["at"]) == pytest.approx(1, abs=0.01)
    assert len(density["std_error"]) == 401 and 0 <= density["negative"] < 1 and (tmp_path / "density.png").exists()


def test_mistakes_get_one_clear_line(run, tmp_path, capsys):
    minidl.save(tmp_path / "net.npz", network())
    assert "name them with --dataset" in mistake(capsys, "landscape", tmp_path / "net.npz")
    assert "expected a run's folder or a checkpoint" in mistake(capsys, "hessian", tmp_path / "nothing")
    minidl.save(tmp_path / "other.npz", nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    message = mistake(capsys, "landscape", run, "--other", tmp_path / "other.npz", "--out", tmp_path)
    assert "of different networks" in message
    (tmp_path / "plane.scan.npz").write_bytes(b"PK nonsense")
    assert "plane.scan.npz" in mistake(capsys, "landscape", run, "--y=-1:1:3", "--images", 20, "--out", tmp_path)
    for wrong in ("--y=1:-1:5", "--y=0:1", "--x=0:0:3", "--x=0:1:1", "--time-budget=soon"):
        with pytest.raises(SystemExit) as stop:
            main(["landscape", str(run), wrong])
        assert stop.value.code == 2 and "expected" in capsys.readouterr().err


def test_two_workers_give_the_same_numbers(run, tmp_path, capsys):
    args = "landscape", run, "--images", 30, "--x=-1:1:7", "--y=-1:1:7", "--chunk", 15
    alone = answer(capsys, *args, "--out", tmp_path / "a")
    shared = answer(capsys, *args, "--out", tmp_path / "b", "--workers", 2)
    assert alone["loss"] == shared["loss"]
