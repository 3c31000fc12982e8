"""The ONNX file computes what the graph means, by the reference implementation of that format."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from networks import ROUNDED, drawn, every_rule

from minidl import export, graph, nn
from minidl.export.onnx_rules import RULES

pytest.importorskip("onnx", reason="the package onnx is not installed")


def agrees(traced, folder, n=3):
    import onnx
    from onnx.reference import ReferenceEvaluator

    path = folder / "network.onnx"
    done = export.onnx(traced, path)
    model = onnx.load(path)
    assert [entry.version for entry in model.opset_import] == [13] and model.ir_version == 7
    assert done.weight_bytes == sum(onnx.numpy_helper.to_array(a).nbytes for a in model.graph.initializer)
    x = np.random.default_rng(n).standard_normal((n, *traced.input.shape)).astype(np.float32)
    (found,), want = ReferenceEvaluator(model).run(None, {"x": x}), graph.run(traced, x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-5 * max(1, abs(want).max(initial=0)))


@given(drawn(ROUNDED))
@settings(max_examples=40)
def test_random_networks_agree(tmp_path_factory, network):
    model, shape, _ = network
    agrees(graph.trace(model, shape), tmp_path_factory.mktemp("onnx"))


def test_every_rule_agrees(tmp_path):
    model, shape = every_rule()
    traced = graph.trace(model, shape)
    assert {node.op for node in traced if node.batched} == {"input", *RULES}
    agrees(traced, tmp_path)
    x = np.ones((1, *shape), np.float32)
    assert graph.run(traced, x).shape == (1, *traced.output.shape)


@pytest.mark.parametrize("name", ["lenet5", "resnet8", "tiny-mobile"])
def test_networks_agree(tmp_path, name):
    shape = nn.models.default_input_shape(name)
    agrees(graph.trace(nn.models.build(name, rng=0), shape), tmp_path, n=1)


@pytest.mark.parametrize("name", ["vgg9", "resnet20-noshort", "resnet34", "densenet121"])
def test_larger_networks_are_accepted(tmp_path, name):
    done = export.onnx(graph.trace(nn.models.build(name, (32, 32, 3), rng=0), (32, 32, 3)), tmp_path / "network.onnx")
    assert done.files[0].stat().st_size > done.weight_bytes and done.memory_bytes is None


@pytest.mark.parametrize("model", [nn.Sequential(), nn.Flatten(), nn.Sequential(nn.ReLU(), nn.Flatten())])
def test_networks_of_next_to_nothing(tmp_path, model):
    agrees(graph.trace(model, (2, 3, 4)), tmp_path)


def test_without_the_package_one_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"needs the package onnx: install it with `pip install 'minidl\[onnx\]'`"):
        export.onnx(graph.trace(nn.Linear(3, 2, rng=0), (3,)), tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())
