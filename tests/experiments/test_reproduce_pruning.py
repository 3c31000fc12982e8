"""The pruning experiments at their fastest: through the command, interrupted and continued, and what they conclude."""

import dataclasses
import json

import pytest
from interruption import check_that_it_goes_on

from algorithms.experiments import pruning
from algorithms.experiments.over_seeds import estimate, paired
from algorithms.experiments.pruning.bench import Bench
from algorithms.experiments.pruning.verdicts import CLAIMS, verdicts
from minidl import cli

FAST = pruning.SETTINGS["fast"]


def test_the_command_writes_the_record_and_its_figures(tmp_path, capsys):
    arguments = ["reproduce", "pruning", "--scale", "fast", "--out", tmp_path, "--runs", tmp_path / "runs"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    record = json.loads((tmp_path / "pruning-fast.json").read_text())
    assert list(record["nets"]) == ["vgg-style", "resnet8"]
    for name, net in record["nets"].items():
        assert [study["seed"] for study in net["studies"]] == [0, 1] and len(net["verdicts"]) == len(CLAIMS)
        whole = net["test_accuracy"]["whole"]
        assert whole["values"] == [study["whole"]["test"] for study in net["studies"]]
        assert name in record["summary"] and 0.3 < net["macs_saved"]["mean"] < 1
    figures = sorted(path.name for path in (tmp_path / "pruning-fast").iterdir())
    assert len(figures) == 20 and "resnet8-recovery.png" in figures


def test_an_interrupted_call_goes_on_to_the_same_record(tmp_path):
    settings = dataclasses.replace(FAST, nets=FAST.nets[:1], seeds=(0,))
    check_that_it_goes_on(pruning, settings, tmp_path, (1, 9, 14), without_times)


def test_a_measurement_is_kept_until_what_decides_it_changes(tmp_path):
    bench = Bench(FAST, FAST.nets[0], 0, tmp_path, lambda what: None)
    calls = []

    def compute():
        calls.append(len(calls))
        return {"found": (len(calls), 2)}

    assert bench.measure("x", {"ratios": (0.1,)}, compute) == bench.measure("x", {"ratios": (0.1,)}, compute)
    assert bench.measure("x", {"ratios": (0.2,)}, compute) == {"found": [2, 2]} and calls == [0, 1]


def without_times(record):
    if isinstance(record, dict):
        times = {"time", "seconds", "cpu_seconds", "time_saved"}
        return {key: without_times(value) for key, value in record.items() if key not in times}
    return [without_times(value) for value in record] if isinstance(record, list) else record


def test_a_claim_is_decided_where_the_paired_interval_leaves_out_zero():
    names = {name for _, better, worse in CLAIMS for name in (better, worse)}
    equal = {name: estimate([0.5, 0.6, 0.7]) for name in names}
    assert {verdict.verdict for verdict in verdicts(equal)} == {"undecided"}
    better = equal | {"random, decayed": estimate([0.61, 0.7, 0.81])}
    (found,) = [v for v in verdicts(better) if "random" in v.claim and "falling" in v.claim]
    assert found.verdict == "contradicted" and found.difference.mean == pytest.approx(-0.1, abs=0.01)


def test_pairing_takes_out_what_a_seed_brings_to_both():
    a, b = estimate([0.1, 0.5, 0.9]), estimate([0.0, 0.41, 0.8])
    assert not estimate([x - 0.35 for x in a.values]).clear and paired(a, b).clear
    assert paired(a, b).half_width < 0.02 < a.half_width
    assert not estimate([0.3]).clear  # one seed decides nothing
