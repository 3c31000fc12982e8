"""The comparison of the rules on a tiny problem: same start, same order, and records that add up."""

import itertools

import numpy as np
import pytest

import minidl
from algorithms.quantization import compare_rules, curves
from algorithms.quantization.compare import RULES
from minidl import nn


def build():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, 3, rng=0), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(384, 10, rng=1)
    )


@pytest.fixture(scope="module")
def records():
    images = minidl.data.load("fashion-mnist-mini").subset(512)
    return list(compare_rules(build, images, images, epochs=3, big_batch=256, progress=False))


def test_every_rule_gives_a_record_for_every_epoch(records):
    assert [(r.rule, r.record.epoch) for r in records] == [(rule, e) for rule in RULES for e in (1, 2, 3)]
    np.testing.assert_allclose([r.record.lr for r in records[:3]], [0.01, 0.001, 0.0001])


def test_curves_collect_them(records):
    found = curves(records)
    assert list(found) == list(RULES)
    for curve in found.values():
        assert all(getattr(curve, name).shape == (3,) for name in vars(curve))
        assert curve.loss[-1] < curve.loss[0]
        assert ((curve.changed >= 0) & (curve.changed <= 1)).all()
    assert not found["r"].changed.any() and not found["r"].flips.any()
    assert found["sr"].changed[-1] > found["r"].changed[-1]


def test_the_same_seed_gives_the_same_records():
    images = minidl.data.load("fashion-mnist-mini").subset(128)
    runs = [[(r.record.loss, r.changed) for r in compare_rules(build, images, images, 1, seed=3)] for _ in range(2)]
    assert runs[0] == runs[1]


def test_stopped_anywhere_it_goes_on_to_the_same_records(tmp_path):
    images = minidl.data.load("fashion-mnist-mini").subset(64)

    def compare(run):
        return compare_rules(build, images, images, 3, rules=("bc", "sr"), batch_size=16, run=run, progress=False)

    def numbers(records):
        return [(r.rule, r.record.epoch, r.record.loss, r.record.validation_loss, r.changed, r.flips) for r in records]

    whole = numbers(compare(None))
    for stop in range(7):
        seen = numbers(itertools.islice(compare(tmp_path / "run"), stop))
        assert seen == whole[:stop]
    assert numbers(compare(tmp_path / "run")) == whole  # read, nothing trained


def test_a_big_batch_may_take_more_passes():
    images = minidl.data.load("fashion-mnist-mini").subset(64)
    records = compare_rules(build, images, images, 1, rules=("sr-big", "sr"), batch_size=16, big_batch=32, big_epochs=2)
    assert [(r.rule, r.record.epoch) for r in records] == [("sr-big", 1), ("sr-big", 2), ("sr", 1)]


def test_an_unknown_rule_is_named():
    images = minidl.data.load("fashion-mnist-mini").subset(16)
    with pytest.raises(ValueError, match=r"\['rs'\], expected some of float"):
        next(compare_rules(build, images, images, 1, rules=("rs",)))
