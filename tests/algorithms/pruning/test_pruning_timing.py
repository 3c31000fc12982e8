"""Times of two networks, by layer, with the arithmetic beside them; how long anything takes is not tested."""

import pytest

from algorithms.pruning import plan
from algorithms.pruning.timing import LayerTime, Spread, Times, time_layers
from minidl.graph import cost, trace
from minidl.nn import models

SHAPE = (8, 8, 3)


def row(name, whole, small, macs):
    return LayerTime(name, Spread(whole, whole, whole), Spread(small, small, small), macs)


def test_every_layer_has_its_arithmetic_and_all_have_that_of_the_plan():
    net = models.resnet(8, shortcut="B", width=0.5, rng=0)
    chosen = plan(net, SHAPE, 0.5)
    times = time_layers(net, chosen.apply(net), SHAPE, batch=4, repeats=3)
    before, after = ({r.name: r.macs for r in cost(trace(m, SHAPE)).rows} for m in (net, chosen.apply(net)))
    found = {t.name.rpartition(" ")[2]: t.macs for t in times.layers if t.macs[0]}
    assert found == {name: (before[name], after[name]) for name in before}
    assert times.total.macs == (chosen.before.macs_with_projections, chosen.after.macs_with_projections)
    assert times.repeats == 3 and times.batch == 4
    for each in (times.total, *times.layers):
        assert 0 <= each.whole.low <= each.whole.median <= each.whole.high


def test_a_budget_still_measures_once():
    net = models.resnet(8, width=0.25, rng=0)
    assert time_layers(net, net, SHAPE, batch=1, repeats=50, budget=0.0).repeats == 1


def test_time_that_does_not_go_with_the_arithmetic_is_flagged():
    good, bad, none = (
        row("Conv2d a", 2, 1, (100, 50)),
        row("Conv2d b", 2, 1.8, (100, 50)),
        row("MaxPool2d", 1, 1, (0, 0)),
    )
    assert [r.parted for r in (good, bad, none)] == [False, True, False]
    assert (good.saved, good.macs_saved, none.macs_saved) == (0.5, 0.5, 0.0)
    assert not row("Conv2d c", 2, 2.1, (100, 100)).parted  # nothing was to be saved there
    times = Times(8, 3, row("all", 5, 3.8, (200, 100)), (good, bad, none))
    assert times.predicted == 1 + 1 + 1 == times.record()["predicted"]
    text = str(times)
    assert "they part in b" in text and text.count("parted") == 2  # b, and all together
    assert "24.0% of the time saved beside 50.0% of the MACs" in text


def test_quartiles():
    found = Spread.of([0.001, 0.002, 0.003, 0.004, 0.009])
    assert (found.low, found.median, found.high) == pytest.approx((2, 3, 4))
