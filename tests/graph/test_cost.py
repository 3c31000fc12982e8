"""Costs are those of the papers to the unit, and projections are told from other convolutions by structure alone."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import graph, nn, ops
from minidl.nn import models


def cost_of(net, shape):
    return graph.cost(graph.trace(net, shape))


GOLDEN = {  # Pruning Filters for Efficient ConvNets, recounted: macs, weights, and both with projections
    ("vgg16", None): (313_463_808, 14_977_728, 313_463_808, 14_977_728),
    ("resnet56", "A"): (125_485_696, 848_944, 125_485_696, 848_944),
    ("resnet56", "B"): (125_485_696, 848_944, 125_747_840, 851_504),
    ("resnet110", "A"): (252_887_680, 1_719_856, 252_887_680, 1_719_856),
    ("resnet34", "B"): (3_644_493_824, 21_607_616, 3_663_761_408, 21_779_648),
}


@pytest.mark.parametrize("name, shortcut", GOLDEN)
def test_golden_table(name, shortcut):
    net = models.build(name, rng=0, **({"shortcut": shortcut} if shortcut else {}))
    cost = cost_of(net, models.default_input_shape(name))
    found = cost.macs, cost.weights, cost.macs_with_projections, cost.weights_with_projections
    assert found == GOLDEN[name, shortcut]
    assert cost.params == net.num_parameters()


def test_vgg16_layer_by_layer():
    rows = cost_of(models.vgg16(rng=0), (32, 32, 3)).rows
    middle = [37_748_736, 18_874_368, 37_748_736, 18_874_368, 37_748_736, 37_748_736, 18_874_368]
    assert [row.macs for row in rows] == [
        1_769_472, *middle, 37_748_736, 37_748_736, *[9_437_184] * 3, 262_144, 5_120,
    ]  # fmt: skip
    assert [row.map[0] for row in rows[:13]] == [32, 32, 16, 16, 8, 8, 8, 4, 4, 4, 2, 2, 2]
    assert [row.name.removeprefix("layers.") for row in rows[11:]] == ["conv12", "conv13", "linear1", "linear2"]
    assert {row.kind for row in rows} == {"conv 3x3", "linear"}


@pytest.mark.parametrize("depth, stages", [(56, (2, 20, 38, 56)), (110, (2, 38, 74, 110))])
def test_layers_are_numbered_as_in_the_paper(depth, stages):
    """The first layer is 1, stages start at these numbers, and the first convolutions of blocks are even."""
    rows = [row for row in cost_of(models.resnet(depth, shortcut="B", rng=0), (32, 32, 3)).rows if not row.projection]
    names = dict(enumerate((row.name for row in rows), start=1))
    assert names[1] == "conv1" and names[stages[3]] == "linear"
    assert [names[first] for first in stages[:3]] == [f"stages.{s}.0.conv1" for s in range(3)]
    assert all(name.endswith("conv1") == (i % 2 == 0) for i, name in names.items() if 1 < i < depth)


@given(
    size=st.integers(3, 8),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    groups=st.integers(1, 3),
    depth=st.integers(1, 3),
    filters=st.integers(1, 3),
)
def test_macs_are_how_many_products_are_summed(size, kernel, stride, groups, depth, filters):
    """With ones everywhere and no padding, every multiply-accumulate adds one to the sum of the output."""
    conv = nn.Conv2d(groups * depth, groups * filters, kernel, stride, groups=groups, bias=False, rng=0)
    conv.weight.data[:] = 1
    shape = (size, size, groups * depth)
    counted = conv(np.ones((1, *shape), np.float32)).numpy().sum()
    cost = cost_of(conv, shape)
    assert cost.macs == counted and cost.weights == conv.weight.size


class Sum(nn.Module):
    """The sum of two branches of one input."""

    def __init__(self, *branches):
        self.branches = [nn.Sequential(*branch) for branch in branches]

    def forward(self, x):
        x = ops.relu(x)
        left, right = self.branches
        return left(x) + right(x)


def conv(kernel=1, groups=1):
    return nn.Conv2d(4, 4, kernel, padding=kernel // 2, groups=groups, bias=False, rng=0)


def norm():
    return nn.BatchNorm2d(4)


BRANCHES = {  # two branches that are added, and how many convolutions are projections
    "projection": ([conv(3), nn.ReLU(), conv(3)], [conv()], 1),
    "projection with batch norm": ([conv(3), norm()], [conv(), norm()], 1),
    "projection on the left": ([conv(), norm()], [conv(3)], 1),
    "bottleneck": ([conv(), nn.ReLU(), conv(3), nn.ReLU(), conv()], [conv(), norm()], 1),
    "identity beside a 1x1": ([conv(), norm()], [], 0),
    "inverted bottleneck": ([conv(), nn.ReLU(), conv(3, groups=4), nn.ReLU(), conv()], [], 0),
    "two equal branches": ([conv(), norm()], [conv(), norm()], 0),
    "depthwise 1x1": ([conv(3)], [conv(groups=4)], 0),
    "3x3 shortcut": ([conv(3)], [conv(3)], 0),
    "activation after the 1x1": ([conv(3)], [conv(), nn.ReLU()], 0),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_projections_are_found_by_structure(name):
    left, right, expected = BRANCHES[name]
    cost = cost_of(Sum(left, right), (6, 6, 4))
    assert sum(row.projection for row in cost.rows) == expected
    assert cost.macs_with_projections - cost.macs == 36 * 16 * expected


@pytest.mark.parametrize("name", ["tiny-mobile", "densenet121"])
def test_networks_with_other_1x1_convolutions_have_no_projections(name):
    cost = cost_of(models.build(name, rng=0), (32, 32, 3))
    assert any("conv 1x1" in row.kind for row in cost.rows)
    assert not any(row.projection for row in cost.rows)


def test_kinds_of_convolutions():
    rows = cost_of(models.tiny_mobile(rng=0), (32, 32, 3)).rows
    assert [row.kind for row in rows[:3]] == ["conv 3x3", "depthwise conv 3x3", "conv 1x1"]
    assert cost_of(nn.Conv2d(4, 4, (1, 3), groups=2, rng=0), (5, 5, 4)).rows[0].kind == "2-group conv 1x3"
    assert cost_of(nn.Conv2d(1, 1, 3, rng=0), (5, 5, 1)).rows[0].kind == "conv 3x3"  # one channel is not depthwise


def test_a_layer_that_runs_twice_costs_twice_and_is_stored_once():
    layer = nn.Linear(3, 3, rng=0)
    cost = cost_of(nn.Sequential(layer, layer), (3,))
    assert cost.macs == 2 * 9 and cost.params == 12


def test_an_operation_without_a_rule_is_refused_by_name():
    class Product(nn.Module):
        def forward(self, x):
            return x @ np.ones((3, 2), np.float32)

    with pytest.raises(ValueError, match="operation MatMul"):
        cost_of(Product(), (3,))


def test_the_record_is_json_and_names_the_convention():
    record = json.loads(json.dumps(cost_of(models.resnet(8, shortcut="B", rng=0), (32, 32, 3)).record()))
    assert record["macs"] < record["macs_with_projections"]
    assert "multiply-accumulate" in record["convention"] and "projection" in record["convention"]
    assert record["rows"][0] == {
        "name": "conv1", "kind": "conv 3x3", "map": [32, 32, 16], "macs": 442_368, "weights": 432, "projection": False,
    }  # fmt: skip


def test_the_table_shows_both_conventions_only_where_they_differ():
    assert "with projections" in str(cost_of(models.resnet(8, shortcut="B", rng=0), (32, 32, 3)))
    assert "\nwith projections" not in str(cost_of(models.resnet(8, shortcut="A", rng=0), (32, 32, 3)))
