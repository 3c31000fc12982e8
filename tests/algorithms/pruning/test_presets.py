"""Every row of the paper's table, recounted to the unit, from networks that were really made smaller."""

import json

import pytest

from algorithms.pruning import PRESETS, preset
from algorithms.pruning.presets import CONVOLUTIONS, numbered_convolutions
from minidl import cli, graph
from minidl.nn import models

GOLDEN = {  # macs, weights (projections not counted), parameters with batch norm and biases
    "vgg16-A": (206_279_680, 5_390_176, 5_397_034),
    "resnet56-A": (112_435_840, 769_456, 773_336),
    "resnet56-B": (90_907_264, 732_016, 735_712),
    "resnet110-A": (212_779_648, 1_680_688, 1_688_522),
    "resnet110-B": (155_124_352, 1_161_712, 1_168_424),
    "resnet34-A": (3_080_916_992, 19_962_560, 20_151_764),
    "resnet34-B": (2_763_001_856, 19_280_576, 19_469_372),
    "resnet34-C": (3_374_446_592, 20_050_112, None),
}
WITH_PROJECTIONS = {"resnet34-A": 3_100_184_576, "resnet34-B": 2_782_269_440}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_command_prints_the_golden_counts(name, capsys):
    assert cli.main(["cost", PRESETS[name].model, "--pruned", name, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    macs, weights, params = GOLDEN[name]
    assert (found["macs"], found["weights"]) == (macs, weights)
    assert found["params"] == params or params is None
    assert found["macs_with_projections"] == WITH_PROJECTIONS.get(name, found["macs_with_projections"])
    assert (found["macs_with_projections"] > macs) == ("resnet34" in name)
    assert found["plan"]["macs"][1] == macs and "projection" in found["convention"]


INNER = {  # filters that stay in the first convolution of every block
    "resnet56-A": [14] * 7 + [16, 14] + [32] + [28] * 8 + [64] + [57] * 7 + [64],
    "resnet56-B": [6] * 7 + [16, 16] + [32] + [22] * 6 + [32, 22] + [64] + [57] * 7 + [64],
    "resnet110-B": [8] * 17 + [16, 32] + [19] * 17 + [64] + [44] * 17,
    "resnet34-A": [64, 44, 44, 128, 89, 89, 128, 256, 179, 179, 179, 179, 256, 512, 512, 512],
    "resnet34-B": [64, 32, 32, 128, 51, 51, 128, 256, 153, 153, 153, 153, 256, 512, 512, 512],
}


@pytest.mark.parametrize("name", INNER)
def test_inner_widths(name):
    p = preset(name)
    rows = p.plan(models.build(p.model, rng=0), (32, 32, 3)).after.rows
    assert [row.map[-1] for row in rows if row.name.endswith(".conv1")] == INNER[name]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_name_convolutions_that_exist_and_never_the_last_of_a_residual_block(name):
    p = preset(name.upper())
    shape = models.default_input_shape(p.model)
    layers = p.by_layer(graph.trace(models.build(p.model, rng=0), shape))
    assert len(layers) == len(p.ratios) and all(0 < ratio < 1 for ratio in p.ratios.values())
    if "resnet" in name and name != "resnet34-C":
        assert all(layer.endswith("conv1") and layer.startswith("stages") for layer in layers)


def test_resnet34_c_ranks_the_projection_alone():
    net = models.resnet34(num_classes=5, rng=0)
    projection = net.stages[2][0].shortcut.conv.weight.data
    projection[:] = 1
    projection[200:252] = 0.5  # the 52 smallest; the second convolutions would choose others
    chosen = preset("resnet34-C").plan(net, (32, 32, 3))
    assert {name: at.tolist() for name, at in chosen.removed.items()} == {"stages.2.0.conv2": list(range(200, 252))}
    small = chosen.apply(net)
    assert small.stages[2][0].shortcut.conv.weight.shape[0] == 204 == small.stages[3][0].conv1.weight.shape[3]


def test_vgg_numbers_leave_out_linear_layers():
    numbers = numbered_convolutions(graph.trace(models.vgg16(rng=0), (32, 32, 3)))
    assert len(numbers) == 13 and numbers[13] == "layers.conv13"


@pytest.mark.parametrize("name", sorted({chosen.model for chosen in PRESETS.values()}))
def test_presets_know_how_many_convolutions_their_networks_have(name):
    net = models.build(name, rng=0)
    assert len(numbered_convolutions(graph.trace(net, models.default_input_shape(name)))) == CONVOLUTIONS[name]


def test_mistakes_get_one_line(capsys):
    with pytest.raises(ValueError, match="no preset 'vgg99'"):
        preset("vgg99")
    with pytest.raises(ValueError, match="found 7 convolutions, expected 19"):
        preset("resnet20-A").plan(models.resnet(8, rng=0), (32, 32, 3))
    assert cli.main(["cost", "vgg16", "--pruned", "resnet56-A"]) == 2
    assert "made for resnet56" in capsys.readouterr().err
