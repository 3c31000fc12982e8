"""`minidl reproduce quantized` at its fast scale: the record holds what was measured, and goes on after a stop."""

import json

import numpy as np
import pytest
from interruption import Stop, until

import algorithms.experiments.quantized as chapter
from algorithms.experiments.quantized.claims import decide
from algorithms.experiments.quantized.nets import build
from algorithms.experiments.quantized.settings import SETTINGS, Net
from algorithms.experiments.quantized.trainings import jobs
from algorithms.quantization.compare import RULES
from minidl.cli import main
from minidl.commands.plain import plain

FAST = SETTINGS["fast"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def record(folders):
    runs, out = folders
    command = ["reproduce", "quantized", "--scale", "fast", "--runs", str(runs), "--out", str(out), "--threads", "1"]
    assert main(command) == 0
    return json.loads((out / "quantized-fast.json").read_text())


def without_times(found):
    """The part of a record that must be the same however it came about."""
    if isinstance(found, dict):
        return {key: without_times(value) for key, value in found.items() if "seconds" not in key}
    return [without_times(value) for value in found] if isinstance(found, list) else found


def test_the_record_has_every_rule_and_seed_and_its_figures_exist(record, folders):
    for net in record["nets"].values():
        assert list(net["error"]) == list(RULES)
        for rule in RULES:
            curves, error = net["curves"][rule], net["error"][rule]
            assert len(curves) == len(FAST.seeds) == len(error["values"])
            assert error["mean"] == pytest.approx(np.mean([1 - c["validation_accuracy"][-1] for c in curves]))
            assert all(len(values) == FAST.epochs for curve in curves for values in curve.values())
        assert not any(net["changed"]["r"]["values"])
    assert record["cpu_seconds"] > 0
    assert {int(size) for size in record["batches"]["sr"]} == set(FAST.batches)
    figures = folders[1] / "quantized-fast"
    assert {f"rules-{net.name}.png" for net in FAST.nets} < {path.name for path in figures.glob("*.png")}


def test_what_is_finished_is_read_and_an_interrupted_call_goes_on_to_the_same_record(record, folders, tmp_path):
    for count in (3, 9):
        with pytest.raises(Stop):
            chapter.reproduce(FAST, tmp_path, 0, until(count)[1])
    told = []
    resumed = plain(chapter.reproduce(FAST, tmp_path, 0, told.append))
    assert len(told) == chapter.milestones(FAST)
    again = plain(chapter.reproduce(FAST, folders[0] / "quantized-fast", 0, lambda what: None))
    recorded = without_times({key: record[key] for key in resumed})
    assert without_times(json.loads(json.dumps(resumed))) == without_times(json.loads(json.dumps(again))) == recorded


def test_seeds_are_outermost_so_that_few_of_them_are_already_a_comparison():
    for settings in SETTINGS.values():
        seeds = [job.seed for job in jobs(settings, 7)]
        assert seeds == sorted(seeds) and len(set(jobs(settings, 7))) == len(seeds)


def test_a_claim_is_decided_by_its_interval():
    estimate = chapter.estimate
    assert decide("more", estimate([0.1, 0.2, 0.15])).verdict == "confirmed"
    assert decide("more", estimate([-0.1, -0.2, -0.15])).verdict == "contradicted"
    assert decide("more", estimate([0.1, -0.2, 0.15])).verdict == decide("more", estimate([0.1])).verdict == "undecided"


@pytest.mark.parametrize("kind", ["vgg", "resnet"])
def test_a_network_depends_on_its_seed_alone(kind):
    weights = [build(Net("net", kind, 4), 28, 1, seed).state_dict() for seed in (0, 0, 1)]
    name = next(iter(weights[0]))
    assert all((weights[0][key] == weights[1][key]).all() for key in weights[0])
    assert (weights[0][name] != weights[2][name]).any()
