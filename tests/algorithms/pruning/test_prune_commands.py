"""The commands on a real run: what is written loads in a fresh process, and mistakes are one line and status 2."""

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import minidl
from algorithms.pruning import Plan, timing
from minidl import cli
from minidl.commands import prune


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    options = ["--epochs", "1", "--train-images", "300", "--validation", "100", "--run", str(folder), "--seed", "3"]
    assert cli.main(["train", "resnet8", *options]) == 0
    return folder


def command(capsys, *arguments):
    assert cli.main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_prune_writes_what_a_fresh_process_loads(run, tmp_path, capsys):
    out = tmp_path / "small"
    found = command(capsys, "prune", run, "--ratio", 0.5, "--out", out, "--recalibrate")
    assert sorted(file.name for file in out.iterdir()) == sorted(
        ["checkpoint.npz", "config.json", "plan.json", "norms.png", "widths.png", "kept.png"]
    )
    assert list(found["accuracy"]) == ["whole", "pruned", "recalibrated"] and found["macs"][1] < 0.55 * found["macs"][0]
    x = np.random.default_rng(0).standard_normal((2, 28, 28, 1)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    code = f"""
import numpy as np, minidl
net = minidl.load({str(out / "checkpoint.npz")!r}).eval()
with minidl.no_grad(), minidl.use(conv="exact"):
    np.save({str(tmp_path / "y.npy")!r}, net(np.load({str(tmp_path / "x.npy")!r})).numpy())
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    net = minidl.load(out / "checkpoint.npz").eval()
    with minidl.no_grad(), minidl.use(conv="exact"):
        np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), net(x).numpy())
    assert net.stages[0][0].conv1.weight.shape == (8, 3, 3, net.conv1.weight.shape[0])
    record = json.loads((out / "plan.json").read_text())
    whole = minidl.load(run / "checkpoint.npz")
    again = Plan.from_record(record, whole, (28, 28, 1)).apply(whole)
    assert [p.shape for p in again.parameters()] == [p.shape for p in net.parameters()]
    assert sum(row["macs"] for row in record["layers"]) == record["macs"][1]


def test_a_pruned_network_is_pruned_on_with_the_same_images(run, tmp_path, capsys):
    first = command(capsys, "prune", run, "--to", 0.7, "--scope", "global", "--out", tmp_path / "a")
    second = command(capsys, "prune", tmp_path / "a", "--ratio", 0.2, "--out", tmp_path / "b", "--retrain", 1)
    assert second["accuracy"]["whole"] == first["accuracy"]["pruned"]
    assert second["macs"][0] == first["macs"][1] and "retrained" in second["accuracy"]


@pytest.mark.parametrize(
    "options",
    [["--preset", "resnet8-A"], ["--ratios", "stages.0.0.conv1=0.25"], ["--to", "0.6", "--target", "bytes"],
     ["--ratio", "0.3", "--criterion", "taylor", "--combine", "mean", "--skip", "conv1"], ["--lossless"]],
)  # fmt: skip
def test_ways_to_say_how_much(run, options, capsys):
    found = command(capsys, "prune", run, "--dry-run", *options)
    assert (found["macs"][1] < found["macs"][0]) == (options != ["--lossless"])
    assert not (run / "pruned").exists()


def test_a_dry_run_shows_the_plan_and_times_predicted_and_measured(run, capsys):
    assert cli.main(["prune", str(run), "--ratio", "0.5", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "filters leave" in text and "MACs" in text and "predicted from the arithmetic" in text
    assert "measured" in text and "stages.1.0.conv1" in text.split("ms for 32 images")[1]
    found = command(capsys, "prune", run, "--ratio", 0.5, "--dry-run")
    assert 0 < found["time"]["predicted"] < found["milliseconds"][0] and found["time"]["repeats"] > 0
    assert found["time"]["total"]["macs"] == found["macs"]


def test_retraining_ends_with_the_best_epoch_for_held_out_images(run, tmp_path, capsys):
    options = ["--ratio", 0.5, "--retrain", 2, "--lr", 0.02, "--decay", "--out", tmp_path]
    found = command(capsys, "prune", run, *options)
    again = command(capsys, "sensitivity", tmp_path, "--ratios", 0.1, "--layers", "stages.0.0.conv1")
    assert again["whole"]["accuracy"] == found["accuracy"]["retrained"]


def test_retraining_that_makes_nothing_better_changes_nothing(run, tmp_path, capsys):
    found = command(capsys, "prune", run, "--ratio", 0.2, "--retrain", 1, "--lr", 100, "--out", tmp_path / "out")
    assert found["accuracy"]["retrained"] == found["accuracy"]["pruned"]


def test_no_other_network_is_overwritten(run, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    before = (other / "checkpoint.npz").read_bytes()
    assert cli.main(["prune", str(run), "--ratio", "0.3", "--out", str(other)]) == 2
    assert "holds another network" in capsys.readouterr().err
    assert (other / "checkpoint.npz").read_bytes() == before
    for ratio in (0.3, 0.5):  # its own are
        found = command(capsys, "prune", run, "--ratio", ratio, "--out", tmp_path / "own")
    assert json.loads((tmp_path / "own" / "plan.json").read_text())["macs"] == found["macs"]


def test_lossless_says_why_or_that_there_is_nothing(run, tmp_path, capsys):
    assert cli.main(["prune", str(run), "--lossless", "--out", str(tmp_path / "whole")]) == 0
    assert "no filter leaves, nothing is written" in capsys.readouterr().out and not (tmp_path / "whole").exists()
    dead = tmp_path / "dead"
    shutil.copytree(run, dead)
    net = minidl.load(dead / "checkpoint.npz")
    norm = net.stages[0][0].bn1
    norm.weight.data[3], norm.bias.data[3] = 0, -1
    norm.weight.data[5], norm.bias.data[5] = 0, 2
    minidl.save(dead / "checkpoint.npz", net)
    assert cli.main(["prune", str(dead), "--lossless", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "stages.0.0.conv1: filters 3 leave, as its map is zero for every image" in text
    assert "stages.0.0.conv1: filters 5 stay, as its map is 2 for every image" in text


@pytest.mark.parametrize("asked, words", [(2.5, "measured 2.00 ms"), (1.5, "measured 2.00 ms, missed: times vary")])
def test_a_target_in_milliseconds_is_compared_with_what_is_reached(monkeypatch, asked, words):
    monkeypatch.setattr(timing, "time_both", lambda *networks: (None, SimpleNamespace(median=0.002)))
    trained = SimpleNamespace(model=None, held_out=SimpleNamespace(images=np.zeros((1, 2, 2, 1))))
    text = prune._target_and_reached(trained, None, asked)
    assert text.startswith(f"asked for {asked:.2f} ms for 32 images, {words}") and ("missed" in text) == (asked < 2)


def test_a_written_plan_is_applied_again(run, tmp_path, capsys):
    found = command(capsys, "prune", run, "--ratio", 0.3, "--out", tmp_path / "a")
    again = command(capsys, "prune", run, "--plan", tmp_path / "a" / "plan.json", "--dry-run")
    assert again["removed"] == found["removed"] and again["macs"] == found["macs"]


def test_sensitivity_writes_points_and_a_figure_and_suggests(run, tmp_path, capsys):
    options = ["--ratios", "0.25:0.75:0.25", "--images", 50, "--out", tmp_path, "--macs", 0.7]
    found = command(capsys, "sensitivity", run, *options)
    assert len(found["points"]) == 12 and found["whole"]["count"] == 50 and found["suggested"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["sensitivity.csv", "sensitivity.png"]
    assert command(capsys, "sensitivity", run, *options) == found  # from the file
    assert cli.main(["sensitivity", str(run), *map(str, options)]) == 0
    assert "--ratios conv1=" in capsys.readouterr().out


def test_sensitivity_by_a_criterion_that_looks_at_images(run, tmp_path, capsys):
    found = command(capsys, "sensitivity", run, "--criterion", "taylor", "--ratios", 0.5, "--out", tmp_path)
    assert len(found["points"]) == 4
    assert cli.main(["sensitivity", str(run), "--ratios", "0.5", "--out", str(tmp_path)]) == 2  # of another criterion
    assert "points of another network, dataset, criterion or seed" in capsys.readouterr().err


def test_sensitivity_draws_by_the_seed(run, tmp_path, capsys):
    options = ["--criterion", "random", "--ratios", 0.5, "--images", 50]
    first, second = (command(capsys, "sensitivity", run, *options, "--seed", s, "--out", tmp_path / s) for s in "12")
    assert first["whole"] == second["whole"] and first["points"] != second["points"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["prune", "RUN"], "not told how much"),
        (["prune", "RUN", "--ratio", "1.5"], "expected 0 <= ratio < 1"),
        (["prune", "RUN", "--ratio", "0"], "no filter would leave"),
        (["prune", "RUN", "--ratios", "conv7=0.5"], "no layer 'conv7'"),
        (["prune", "RUN", "--ratios", "conv7"], "expected LAYER=RATIO"),
        (["prune", "RUN", "--preset", "resnet56-A"], "expected 55: the preset is for resnet56"),
        (["prune", "RUN", "--preset", "lenet5-A"], "expected 2: the preset is for lenet5"),
        (["prune", "RUN", "--preset", "resnet8-A", "--skip", "conv1"], "got --skip, which --preset does not look at"),
        (["prune", "RUN", "--ratio", "0.5", "--scope", "global"], "got --scope, which --ratio does not look at"),
        (["prune", "RUN", "--lossless", "--multiple", "8"], "got --multiple, which --lossless does not look at"),
        (["prune", "RUN", "--ratio", "0.5", "--combine", "all"], "combine='all'"),
        (["prune", "RUN", "--to", "0.5", "--scope", "all"], "scope='all'"),
        (["prune", "RUN", "--to", "0.5", "--target", "all"], "target='all'"),
        (["prune", "RUN", "--ratio", "0.1", "--multiple", "64"], "or a smaller multiple"),
        (["prune", "RUN", "--to", "0.001"], "expected at most 0.1%"),
        (["prune", "RUN", "--ratio", "0.5", "--out", "RUN"], "holds the network itself"),
        (["prune", "nowhere", "--ratio", "0.5"], "found no nowhere"),
        (["prune", "RUN/config.json", "--ratio", "0.5"], "is no checkpoint of minidl"),
        (["prune", "RUN", "--plan", "RUN/metrics.jsonl"], "malformed record"),
        (["sensitivity", "RUN", "--ratios", "many"], "expected numbers such as"),
        (["sensitivity", "RUN", "--ratios", "0:1:0"], "expected numbers such as"),
        (["sensitivity", "RUN", "--ratios", "0:inf:1"], "0:inf:1', expected numbers such as"),
        (["sensitivity", "RUN", "--ratios", "0.9:0.1:0.1"], "0.9:0.1:0.1', expected numbers such as"),
        (["sensitivity", "RUN", "--ratios", "0.1:0.9:-0.1"], "0.1:0.9:-0.1', expected numbers such as"),
        (["sensitivity", "RUN", "--ratios", "0:0.9:1e-12"], "step of at least 0.0001"),
        (["sensitivity", "RUN", "--layers", "conv9"], "no layer 'conv9'"),
        (["sensitivity", "RUN", "--dataset", "mnist2"], "mnist2"),
    ],
)
def test_mistakes_are_one_line(run, arguments, message, capsys):
    assert cli.main([argument.replace("RUN", str(run)) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and "Traceback" not in error
