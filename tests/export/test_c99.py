"""The exported C computes what the graph means: to the bit where sums are exact; and it keeps to its memory."""

import re
from pathlib import Path

import numpy as np
import pytest
from c_programs import SANITIZE, computed, defined, needs_cc, needs_sanitizers, self_check
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import EXACT, ROUNDED, drawn, every_rule

import minidl
from minidl import export, graph, nn, ops
from minidl.export.c_program import program
from minidl.export.c_rules import RULES
from minidl.export.c_text import number
from minidl.graph.run import compute


def is_exact(traced, x):
    """Whether all sums are of so few bits that their order does not matter."""
    values = {traced.input.index: x}
    for node in traced.nodes[1:]:
        value = compute(node, [values[i] for i in node.inputs]) if node.batched else node.value
        values[node.index] = value
        if abs(value).max(initial=0) >= 2**10 or (value * 2**10 % 1).any():
            return False
    return True


@needs_cc
@settings(max_examples=15)
@given(drawn(EXACT))
def test_whole_numbers_give_the_same_bits(tmp_path_factory, network):
    model, shape, rng = network
    traced, folder = graph.trace(model, shape), tmp_path_factory.mktemp("c")
    x = rng.integers(-2, 3, (3, *shape)).astype(np.float32)
    with minidl.use(conv="exact"):
        assume(is_exact(traced, x))
        want = graph.run(traced, x)
    export.c99(traced, folder)
    np.testing.assert_array_equal(computed(folder, x, traced.output.shape), want)


@needs_cc
@settings(max_examples=15)
@given(drawn(ROUNDED))
def test_other_numbers_come_close(tmp_path_factory, network):
    model, shape, rng = network
    traced, folder = graph.trace(model, shape), tmp_path_factory.mktemp("c")
    x = rng.standard_normal((3, *shape)).astype(np.float32)
    export.c99(traced, folder)
    want = graph.run(traced, x)
    found = computed(folder, x, traced.output.shape)
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-5 * max(1, abs(want).max(initial=0)))


@pytest.mark.parametrize(
    "options", [pytest.param(SANITIZE, marks=needs_sanitizers), pytest.param(["-O3"], marks=needs_cc)]
)
def test_every_rule_is_clean(tmp_path, options):
    model, shape = every_rule()
    traced = graph.trace(model, shape)
    simple = graph.fuse(graph.fold_batch_norm(traced))
    assert {node.op for node in simple if node.batched} == {"input", "Reshape", *RULES}
    export.c99(traced, tmp_path)
    self_check(tmp_path, options)


SMALL = {
    "lenet5": ({}, (28, 28, 1)),
    "resnet8": ({}, (16, 16, 3)),
    "resnet14-noshort": ({"width": 0.5}, (16, 12, 3)),
    "resnet8-B": ({"shortcut": "B"}, (16, 16, 3)),
    "wrn-20-2": ({"width": 0.5}, (16, 16, 3)),
    "tiny-mobile": ({}, (32, 32, 3)),
    "vgg9": ({"widths": ((9, 8), (16,), (20,)), "hidden": (16,)}, (32, 32, 3)),
    "vgg16": ({"widths": ((4, 4), (8, 8), (8, 8)), "hidden": (16,)}, (32, 32, 3)),
    "vgg-bc": ({"widths": ((8, 8), (8, 8)), "hidden": (16, 16)}, (16, 16, 3)),
    "resnet18": ({"num_classes": 3}, (32, 32, 3)),
    "densenet121": ({"growth": 2}, (8, 8, 3)),
}


@needs_cc
@pytest.mark.parametrize("name", [name for name in SMALL if name != "resnet18"])
def test_networks_pass_their_self_check(tmp_path, name):
    options, shape = SMALL[name]
    model = nn.models.build(name.removesuffix("-B"), shape, rng=0, **options)
    done = export.c99(graph.trace(model, shape), tmp_path)
    self_check(tmp_path, ["-O1"])
    assert done.macs > 0 and done.memory_bytes == 4 * defined(tmp_path, "MEMORY")


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "densenet121", "vgg16", "resnet110", "wrn-20-4"])
def test_large_networks_are_accepted(name):
    model = nn.models.build(name, (32, 32, 3), rng=0)
    simple = graph.fuse(graph.fold_batch_norm(graph.trace(model, (32, 32, 3))))
    weights = sum(node.value.nbytes for node in simple if not node.batched)
    assert 0.98 * weights <= program(simple).statics.nbytes <= 1.02 * weights  # of batch norm two of four arrays stay


def trained(model, seed=0):
    rng = np.random.default_rng(seed)
    for p in model.parameters():
        p.data[...] = rng.standard_normal(p.shape)
    return model.eval()


@needs_cc
def test_a_pruned_network_is_smaller(tmp_path):
    from algorithms.pruning import plan

    model = trained(nn.models.resnet(8, rng=0))
    small = plan(model, (12, 12, 3), 0.5).apply(model)
    whole, pruned = (
        export.c99(graph.trace(m.eval(), (12, 12, 3)), tmp_path / folder) for m, folder in ((model, "a"), (small, "b"))
    )
    assert pruned.weight_bytes < 0.7 * whole.weight_bytes and pruned.macs < 0.7 * whole.macs
    self_check(tmp_path / "b", ["-O1"])


@given(drawn(ROUNDED))
def test_memory_is_the_most_that_is_needed_at_once(network):
    model, shape, _ = network
    simple = graph.fuse(graph.fold_batch_norm(graph.trace(model, shape)))
    code = program(simple)
    sizes = [int(np.prod(node.shape)) for node in simple if node.batched]
    assert code.memory <= sum(size + 15 for size in sizes)
    offsets = [int(offset) for line in code.lines for offset in re.findall(r"memory \+ (\d+)", line)]
    assert all(offset < code.memory for offset in offsets)


def test_a_network_without_values_in_between_needs_no_memory(tmp_path):
    assert export.c99(graph.trace(nn.Linear(3, 2, rng=0), (3,)), tmp_path).memory_bytes == 0


@needs_cc
@pytest.mark.parametrize("model", [nn.Sequential(), nn.Flatten(), nn.ReLU(), nn.Sequential(nn.ReLU(), nn.Flatten())])
def test_networks_of_next_to_nothing(tmp_path, model):
    traced = graph.trace(model, (2, 3, 4))
    export.c99(traced, tmp_path)
    x = np.random.default_rng(0).standard_normal((2, 2, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(computed(tmp_path, x, traced.output.shape), graph.run(traced, x))
    self_check(tmp_path, ["-O1"])


@needs_cc
def test_images_are_read_from_the_input(tmp_path):
    import subprocess

    traced = graph.trace(nn.Linear(3, 2, rng=0), (3,))
    export.c99(traced, tmp_path)
    program = self_check(tmp_path, ["-O1"])
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    y = subprocess.run([program, "-"], input=x.tobytes(), capture_output=True, check=True).stdout
    np.testing.assert_allclose(np.frombuffer(y, np.float32).reshape(4, 2), graph.run(traced, x), rtol=1e-5)
    cut = subprocess.run([program, "-"], input=x.tobytes()[:-4], capture_output=True)
    assert cut.returncode == 2 and b"found 2 numbers at the end, expected 3" in cut.stderr


@needs_cc
def test_a_broken_network_fails_its_self_check(tmp_path):
    export.c99(graph.trace(nn.Linear(3, 2, rng=0), (3,)), tmp_path)
    for wrong in ("1e9f", "NAN"):
        source = (tmp_path / "network.c").read_text()
        (tmp_path / "network.c").write_text(source.replace("\n}\n", f"\n    y[1] = {wrong};\n}}\n"))
        with pytest.raises(AssertionError, match="wrong outputs 1 of 2"):
            self_check(tmp_path, ["-O1"])
        (tmp_path / "network.c").write_text(source)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_numbers_come_back_to_the_bit(value):
    text = number(value)
    assert text.endswith("f") and re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", text) and re.search(r"[.e]", text)
    assert np.float32(text[:-1]).tobytes() == np.float32(value).tobytes()


class Apply(nn.Module):
    def __init__(self, function, layer=None):
        self.function, self.layer = function, layer

    def forward(self, x):
        return self.function(self.layer(x) if self.layer else x)


def diverged(value):
    layer = nn.Linear(4, 2, rng=0)
    layer.weight.data[1, 2] = value
    return Apply(lambda x: x, layer)


def doubled():
    layer = nn.Linear(4, 2, rng=0)
    for p in layer.parameters():
        p.data = p.data.astype(np.float64)
    return layer


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Apply(lambda x: ops.exp(x)), "operation Exp, for which it has no rule, expected Reshape, Conv2d"),
        (Apply(lambda x: ops.matmul(x, np.ones((4, 4), np.float32))), "operation MatMul"),
        (Apply(lambda x: x[:, [0, 2]]), "get_item with an array as index"),
        (Apply(lambda x: x.reshape(x.shape[0], 2, 1, 2, 1)), r"reshape with a value of shape \(2, 1, 2, 1\)"),
        (diverged(np.nan), "NaN or infinity in layer.weight"),
        (diverged(np.inf), "NaN or infinity in layer.weight"),
        (doubled(), "weight of float64, expected float32"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("write", [export.c99, export.onnx])
def test_what_cannot_be_said_is_refused_by_name_and_nothing_is_written(tmp_path, model, words, write):
    if write is export.onnx:
        pytest.importorskip("onnx", reason="the package onnx is not installed")
        words = words.replace("Reshape, Conv2d", "Conv2d")
        if "with a value of shape" in words:
            return  # ONNX has values of any number of axes
    with pytest.raises(ValueError, match=words):
        write(graph.trace(model, (4,)), tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_names_stay_apart_and_shared_weights_are_written_once(tmp_path):
    class Names(nn.Module):
        def __init__(self):
            self.a_b, self.a = nn.Linear(4, 4, rng=0), [nn.Linear(4, 4, rng=1)]
            self._int = nn.Linear(4, 4, rng=2)

        def forward(self, x):
            return self.a[0](self._int(self.a[0](self.a_b(x))))

    model = Names()
    code = program(graph.trace(model, (4,)))
    assert sorted(code.statics.arrays) == sorted(
        f"{layer}_{kind}" for layer in ("a_b", "a_0", "int") for kind in ("weight", "bias")
    )
    model.a_0 = nn.Linear(4, 4, rng=3)
    model.forward = lambda x: model.a_0(model.a[0](x))
    assert "a_0_weight_2" in program(graph.trace(model, (4,))).statics.arrays


def test_the_sources_hold_no_state_and_allocate_nothing(tmp_path):
    export.c99(graph.trace(nn.models.lenet5(rng=0), (28, 28, 1)), tmp_path)
    for name in ("network.c", "layers.h", "network.h", "weights.h"):
        source = re.sub(r"/\*.*?\*/", "", (tmp_path / name).read_text(), flags=re.DOTALL)
        assert not re.search(r"alloc|\bstatic (?!inline|const)", source)


def test_a_main_of_ones_own_is_kept_and_the_same_network_gives_the_same_files(tmp_path):
    traced = graph.trace(nn.models.lenet5(rng=0), (28, 28, 1))
    before = {path.name: path.read_bytes() for path in export.c99(traced, tmp_path).files}
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    export.c99(traced, tmp_path)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after.pop("main.c") == b"int main(void) { return 0; }\n"
    assert after == {name: content for name, content in before.items() if name != "main.c"}


def test_filters_side_by_side_are_as_many_as_layers_h_says():
    from minidl.export.c_rules import FILTERS

    source = (Path(export.__file__).parent / "c" / "layers.h").read_text()
    assert f"#define FILTERS {FILTERS} " in source
