"""`minidl train --rule`: few bits from the command line, resumed, and refused where they make no sense."""

import json

import numpy as np
import pytest

import minidl
from minidl.cli import main

SMALL = ("--train-images", "300", "--epochs", "2", "--batch-size", "50", "--validation", "0", "--optimizer", "adam")


def train(capsys, *args):
    status = main(["train", "tiny-mobile", *SMALL, *args])
    out = capsys.readouterr()
    return status, out.out, out.err


def convolutions(folder):
    model = minidl.load(folder / "checkpoint.npz")
    return [p.data for _, p in model.named_parameters() if p.ndim == 4]


@pytest.mark.parametrize(("rule", "bits"), [("r", 1), ("sr", 1), ("bc", 1), ("bop", 1), ("sr", 8)])
def test_every_rule_trains_weights_of_so_many_bits(capsys, tmp_path, rule, bits):
    status, out, _ = train(capsys, "--rule", rule, "--bits", str(bits), "--json", "--run", str(tmp_path))
    record = json.loads(out)
    assert (status, record["rule"], len(record["epochs"])) == (0, rule, 2)
    for weight in convolutions(tmp_path):
        assert len(np.unique(weight)) == 2 if bits == 1 else (weight * 128 == np.rint(weight * 128)).all()


def test_a_run_in_few_bits_is_continued_to_the_same_bits(capsys, tmp_path):
    for folder, stops in (("whole", "2"), ("stopped", "12")):
        for epochs in stops:
            # the schedule must not depend on where a run stops
            rest = ("--schedule", "constant", "--run", str(tmp_path / folder), "--rule", "sr", "--lr", "0.02")
            assert train(capsys, "--epochs", epochs, *rest)[0] == 0
    for a, b in zip(convolutions(tmp_path / "whole"), convolutions(tmp_path / "stopped"), strict=True):
        np.testing.assert_array_equal(a, b)


def test_mistakes_are_one_line_and_status_2(capsys):
    for args, message in (
        (("--bits", "4"), "add --rule sr"),
        (("--rule", "sr", "--bits", "17"), "expected 2 to 16"),
        (("--rule", "bop", "--bits", "2"), "expected Binary"),
    ):
        status, _, error = train(capsys, *args)
        assert (status, len(error.splitlines())) == (2, 1)
        assert message in error
