"""`minidl doctor --explain`: every convolution of a network once, with the kernel that the chooser takes."""

import json

import pytest

from minidl.cli import main
from minidl.graph import trace
from minidl.kernels import choice
from minidl.nn import models


def explained(capsys, *args):
    assert main(["doctor", "--json", "--explain", *args]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["resnet20", "tiny-mobile", "lenet5"])
def test_every_convolution_is_explained_once(capsys, name):
    rows = explained(capsys, name)
    graph = trace(models.build(name, rng=0), models.default_input_shape(name))
    convolutions = [node.name for node in graph if node.op == "Conv2d"]
    assert sorted(layer for row in rows for layer in row["layers"]) == sorted(convolutions)
    assert all(row["training"].endswith(".") and row["inference"].endswith(".") for row in rows)


def test_it_names_what_is_chosen(capsys):
    pytest.importorskip("numba")
    (row,) = (
        row for row in explained(capsys, "resnet20", "--batch-size", "128") if "stages.2.0.conv2" in row["layers"]
    )
    chosen = choice.choose((128, 8, 8, 64), (64, 3, 3, 64), (1, 1), (1, 1), 1)
    assert row["training"].startswith(f"{chosen}: ")
    assert row["inference"].startswith("lanewise winograd: ")
    assert row["convolution"] == "3x3, 64 to 64 channels, images of 8x8"
    single = {
        layer: row["inference"]
        for row in explained(capsys, "resnet20", "--batch-size", "15")
        for layer in row["layers"]
    }
    assert all("blocks of an image" in words for words in single.values())
    assert single["stages.2.0.conv2"].startswith("lanewise small: ")
    assert single["stages.1.0.conv1"].startswith("lanewise stride: ")
    assert not any("lanewise" in row["inference"] for row in explained(capsys, "vgg16", "--batch-size", "15"))


def test_mistakes_get_one_line(capsys):
    assert main(["doctor", "--explain", "resnet21"]) == 2
    assert "resnet21" in capsys.readouterr().err
    assert main(["doctor", "--explain", "resnet20", "--batch-size", "0"]) == 2
    assert "expected 1 or more" in capsys.readouterr().err


def test_the_tile_is_a_fact(capsys):
    pytest.importorskip("numba")
    main(["doctor", "--json"])
    facts = {fact["what"]: fact for fact in json.loads(capsys.readouterr().out)}
    assert "pixels x 16 channels" in facts["register tile"]["found"]
