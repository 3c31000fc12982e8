"""Codes as the only memory of a weight: what readers see, what is left when they go, and training to the same bits."""

import copy
import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from algorithms.quantization import Binary, FixedPoint, Rounding, StochasticRounding, Ternary, measure_memory
from algorithms.quantization.rules import draw_key
from algorithms.quantization.storage import CodeStore
from minidl import graph, nn, ops, optim

seeds = st.integers(0, 2**32 - 1)
formats = st.sampled_from([Binary(), Binary(0.3), Ternary(), FixedPoint(8, 6), FixedPoint(12, 9)])
shapes = st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple)


def stored(format, shape, seed):
    values = format.round_nearest(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))
    weight = nn.Parameter(values)
    weight.held = CodeStore(format, format.encode(values).codes, weight.dtype)
    return weight, values


@given(formats, shapes, seeds)
def test_readers_see_the_values_and_share_one_array_that_goes_with_them(format, shape, seed):
    weight, values = stored(format, shape, seed)
    first = weight.data
    np.testing.assert_array_equal(first, values)
    assert weight.shape == first.shape
    assert weight.dtype == first.dtype == np.float32
    assert weight.data is first
    del first
    assert weight.held._decoded() is None


@given(shapes, seeds)
def test_memory_falls_by_the_promised_factor(shape, seed):
    for format, part in ((Binary(), 32), (FixedPoint(8, 6), 4), (FixedPoint(16, 9), 2)):
        weight, values = stored(format, shape, seed)
        assert weight.held.nbytes == -(-values.nbytes // part)


def test_what_is_decoded_cannot_be_written_to_and_new_numbers_replace_the_codes():
    net = nn.Sequential(nn.Linear(3, 2, rng=0))
    weight = net.layers[0].weight
    former = net.state_dict()
    weight.held = CodeStore(Binary(), Binary().encode(weight.data).codes, weight.dtype)
    with pytest.raises(ValueError, match="read-only"):
        weight.data[...] = 0
    net.load_state_dict(former)
    np.testing.assert_array_equal(weight.data, former["layers.0.weight"])
    assert weight.data is weight.held
    assert weight.data is not former["layers.0.weight"]


# --- Training ---------------------------------------------------------------------------------------------------------


def small():
    """Two convolutions whose weights have sizes (63 and 693) that no other array has."""
    return nn.Sequential(
        nn.Conv2d(1, 7, 3, bias=False, rng=0), nn.ReLU(), nn.Conv2d(7, 11, 3, stride=2, bias=False, rng=1),
        nn.Flatten(), nn.Linear(11 * 5, 3, rng=2),
    )  # fmt: skip


def backward(model, step):
    rng = np.random.default_rng(step)
    x, labels = rng.standard_normal((4, 14, 5, 1)).astype(np.float32), rng.integers(0, 3, 4)
    model.zero_grad()
    ops.cross_entropy(model(minidl.Tensor(x)), labels).backward()


OPTIMIZERS = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.05),
    "nesterov": lambda parameters: optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda parameters: optim.Adam(parameters, lr=0.01),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rule", [Rounding, StochasticRounding])
@pytest.mark.parametrize("format", [Binary(0.2), FixedPoint(8, 6)], ids=repr)
def test_training_on_codes_is_the_simulation_with_floats_bit_for_bit(rule, format, optimizer):
    """The simulation is an ordinary training whose float weights are rounded after every step."""
    coded, plain = small(), small()
    wrapped = rule(OPTIMIZERS[optimizer](coded.named_parameters()), format)
    inner = OPTIMIZERS[optimizer](plain.named_parameters())
    convs = {name: p for name, p in plain.named_parameters() if p.ndim == 4}
    for p in convs.values():
        p.data = format.round_nearest(p.data)
    for step in range(1, 13):
        for model, moved in ((coded, wrapped), (plain, inner)):
            backward(model, step)
            moved.step()
        for name, p in convs.items():
            key = draw_key(0, name, step)
            codes = format.encode(p.data) if rule is Rounding else format.encode_stochastic(p.data, key)
            p.data = format.decode(codes.codes)
        for name, array in plain.state_dict().items():
            np.testing.assert_array_equal(coded.state_dict()[name], array, err_msg=f"{name} in step {step}")


def live_arrays():
    """Every array that a living object refers to, through whatever the collector itself does not list."""
    gc.collect()
    level, seen, arrays = gc.get_objects(), set(), []
    while level:
        new = {id(o): o for o in gc.get_referents(*level) if not gc.is_tracked(o) and id(o) not in seen}
        seen |= set(new)
        level = list(new.values())
        arrays += [o for o in level if isinstance(o, np.ndarray)]
    return arrays


@pytest.mark.parametrize(("rule", "format"), [(StochasticRounding, Binary()), (Rounding, FixedPoint(8, 6))])
def test_no_float_copy_of_a_quantized_weight_lives_between_steps(rule, format):
    """With SGD nothing else has a weight's size; a hidden copy of any shape, padding apart, would be found."""
    model = small()
    sizes = {p.size for p in model.parameters() if p.ndim == 4}
    assert sizes == {63, 693}
    wrapped = rule(optim.SGD(model.named_parameters(), lr=0.05), format)

    def hidden():
        return [a.shape for a in live_arrays() if a.size in sizes and a.dtype.kind == "f"]

    for step in range(2):
        backward(model, step)
        wrapped.step()
        model.zero_grad()
        assert hidden() == []
    model.hidden = {"deep": [tuple(model.state_dict().values())]}
    assert len(hidden()) == 2  # the walk does find them where they are
    assert all(isinstance(p.held, CodeStore) for p in wrapped.quantized.values())


def test_the_report_adds_up():
    model = small()
    x = np.zeros((4, 14, 5, 1), np.float32)
    plain = measure_memory(model, optim.Adam(model.named_parameters()), x)
    rule = StochasticRounding(optim.Adam(model.named_parameters()), Binary())
    report = measure_memory(model, rule, x)
    floats = 4 * (63 + 693)
    assert plain.quantized == 0
    assert report.as_floats == floats
    assert report.quantized == 8 + 87  # 63 and 693 bits
    assert report.weights == plain.weights - floats + 95
    assert report.state >= 2 * floats
    # the network's input; 4 images of 12x3x7 before and after the ReLU; of 5x1x11 after the second convolution
    assert plain.activations == report.activations
    assert report.activations >= 4 * 4 * (70 + 252 + 55)


def test_a_coded_network_is_traced_copied_and_saved_as_a_plain_one(tmp_path):
    model = small()
    rule = StochasticRounding(optim.SGD(model.named_parameters(), lr=0.1), Binary())
    traced = graph.trace(model, (14, 5, 1))
    assert sorted(n.name for n in traced.nodes if n.op == "parameter") == sorted(dict(model.named_parameters()))
    x = minidl.Tensor(np.random.default_rng(0).standard_normal((2, 14, 5, 1)).astype(np.float32))
    minidl.save(tmp_path / "net.npz", model)
    for other in (copy.deepcopy(model), minidl.load(tmp_path / "net.npz")):
        np.testing.assert_array_equal(other(x).numpy(), model(x).numpy())
        assert all(isinstance(p.held, np.ndarray) for p in other.parameters())
    assert all(isinstance(p.held, CodeStore) for p in rule.quantized.values())
