"""Removal equals a gate behind each activation; ratios, ties and coupled layers follow the documented rules."""

import copy
import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from prunable import doubled, gates_of, nets

import minidl
from algorithms.pruning import Plan, find_channels, plan, removed_count
from algorithms.pruning.selection import rounded
from minidl import graph, nn
from minidl.autograd import recording
from minidl.nn import models

RATIOS = st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9, 0.99])


@st.composite
def pruned(draw, **options):
    """Draw (network, input shape, generator, plan of random filters)."""
    net, shape, rng = draw(nets(**options))
    free = [group.name for group in find_channels(graph.trace(net, shape)).groups if not group.fixed and len(group) > 1]
    assume(free)
    names = draw(st.lists(st.sampled_from(free), min_size=1, unique=True))
    ratios = {name: draw(RATIOS) for name in names}
    try:
        chosen = plan(net, shape, ratios, "random", rng=rng)
    except ValueError as error:
        assume("no filter would leave" not in str(error))
        raise
    return net, shape, rng, chosen


def outputs(net, x):
    """All results of operations, the last of which is the output."""
    found = []
    with minidl.no_grad(), recording(lambda function, inputs, y: found.append(y.data)):
        net(minidl.Tensor(x))
    return found


def gated(net, chosen):
    copied = copy.deepcopy(net)
    copied.gates = gates_of(net, chosen)
    return copied


@given(pruned(), st.integers(1, 3))
def test_removal_equals_a_gate_behind_the_activation(drawn, batch):
    net, shape, rng, chosen = drawn
    small = chosen.apply(net)
    x = rng.standard_normal((batch, *shape)).astype(np.float32)
    expected, found = outputs(gated(net, chosen), x)[-1], outputs(small, x)[-1]
    # float32 sums in another order: their error is a few units of rounding of the largest number that was summed
    scale = max(np.abs(y).max() for y in outputs(net, x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(scale, 1))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@given(pruned(integers=True, acts=("relu", "hardtanh", "none"), max_steps=3))
def test_with_integer_weights_removal_is_bit_equal(backend, drawn):
    net, shape, rng, chosen = drawn
    x = rng.integers(-2, 3, (2, *shape)).astype(np.float32)
    with minidl.use(backend=backend, conv="exact"):
        gate = gated(net, chosen)
        expected, found = outputs(gate, x), outputs(chosen.apply(net), x)
        doubled(gate)  # to see that float32 was exact everywhere
        double = outputs(gate, x.astype(np.float64))
    assume(all(np.array_equal(a, b) for a, b in zip(expected, double, strict=True)))
    np.testing.assert_array_equal(found[-1], expected[-1])


@given(pruned())
def test_what_the_plan_promises_is_what_the_network_costs(drawn):
    net, shape, _, chosen = drawn
    before, state = net.num_parameters(), net.state_dict()
    small = chosen.apply(net)
    found = graph.cost(graph.trace(small, shape))
    assert found == chosen.after
    assert small.num_parameters() == found.params < before == chosen.before.params
    assert all(p.data.flags.c_contiguous and min(p.shape) > 0 for p in small.parameters())
    assert all(np.array_equal(state[name], array) for name, array in net.state_dict().items())  # the original is whole
    with minidl.no_grad():  # and it trains on
        small.train()(np.zeros((2, *shape), np.float32))


@given(pruned())
def test_every_filter_that_stays_is_the_original(drawn):
    net, _, _, chosen = drawn
    small, names = chosen.apply(net), chosen.channels.weights
    old, new = dict(net.named_parameters()), dict(small.named_parameters())
    for layer, name in names.items():
        if (name, old[name].ndim - 1) not in chosen.channels.readers:  # depthwise: only filters leave
            np.testing.assert_array_equal(new[name].data, old[name].data[chosen.kept(layer)])
        else:
            inputs = ~chosen.gone[chosen.channels.axes[name, old[name].ndim - 1]]
            np.testing.assert_array_equal(new[name].data, old[name].data[chosen.kept(layer)][..., inputs])


@given(pruned())
def test_a_plan_survives_json(drawn):
    import json

    net, shape, _, chosen = drawn
    again = Plan.from_record(json.loads(json.dumps(chosen.record())), net, shape)
    assert str(again) == str(chosen) and again.after == chosen.after
    assert all(np.array_equal(again.removed[name], chosen.removed[name]) for name in chosen.removed)


@given(nets(), RATIOS, st.integers(1, 3))
def test_no_layer_loses_its_last_filters(drawn, ratio, min_keep):
    net, shape, rng = drawn
    try:
        chosen = plan(net, shape, ratio, "random", min_keep=min_keep, rng=rng)
    except ValueError as error:
        assume("no filter would leave" not in str(error))
        raise
    for layer in chosen.channels.weights:
        kept = chosen.kept(layer)
        assert kept.sum() >= min(min_keep, len(kept))


def test_no_stage_of_a_zero_padded_network_loses_its_last_filters():
    """All 16 filters of the first layer are among the 64 of the shared set: they must not all leave."""
    net = models.resnet(8, rng=0)
    net.conv1.weight.data[:] *= 1e-6
    net.stages[0][0].conv2.weight.data[:] *= 1e-6
    net.stages[1][0].conv2.weight.data[:16] *= 1e-6
    net.stages[2][0].conv2.weight.data[:16] *= 1e-6
    chosen = plan(net, (32, 32, 3), {"conv1": 0.5}, min_keep=2)
    assert chosen.kept("conv1").sum() == 2 and len(chosen.removed["conv1"]) == 32
    assert chosen.apply(net)(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 10)


# -- how many, and which --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "n, ratio, removed",
    [(10, 0.9, 9), (100, 0.9, 90), (10, 0.3, 3), (16, 0.1, 2), (16, 0.6, 10), (64, 0.8, 52), (32, 0.1, 4), (64, 0.1, 7),
     (256, 0.3, 77), (128, 0.6, 77), (256, 0.4, 103), (256, 0.2, 52), (512, 0.5, 256), (7, 0.0, 0), (3, 0.999, 3)],
)  # fmt: skip
def test_the_table_of_the_paper(n, ratio, removed):
    assert removed_count(ratio, n) == removed


@given(st.integers(1, 2000), st.integers(0, 999))
def test_removed_is_the_ceiling_in_exact_arithmetic(n, thousandths):
    assert removed_count(thousandths / 1000, n) == -(-thousandths * n // 1000)


@given(st.integers(1, 600), st.integers(0, 600), st.integers(1, 40), st.sampled_from(["up", "down", "nearest"]))
def test_rounding_to_a_multiple(n, removed, multiple, rounding):
    removed = min(removed, n - 1)
    kept, target = n - rounded(removed, n, multiple, rounding), n - removed
    assert 0 < kept <= n and (kept % multiple == 0 or kept == n)
    if removed == 0:
        assert kept == n
    elif rounding == "up":
        assert kept >= target and (kept - target < multiple)
    elif rounding == "down":
        assert kept <= target or kept == min(multiple, n)
    elif multiple <= kept < n:
        assert abs(kept - target) * 2 <= multiple or kept == multiple


def chain(*widths, seed=0, size=3):
    layers = []
    for a, b in itertools.pairwise(widths[:-1]):
        layers += [nn.Conv2d(a, b, 3, padding=1, rng=seed + b), nn.ReLU()]
    return nn.Sequential(*layers, nn.GlobalAvgPool2d(), nn.Linear(widths[-2], widths[-1], rng=seed)), (
        size,
        size,
        widths[0],
    )


def test_ten_filters_at_ninety_per_cent_leave_one():
    for n, kept in ((10, 1), (100, 10)):
        net, shape = chain(1, n, 2)
        assert plan(net, shape, 0.9).kept("layers.0").sum() == kept


@given(st.integers(2, 60), st.integers(1, 59), st.sampled_from(["l1", "l2", "geometric-median", "largest"]))
def test_of_equal_filters_the_first_leave(n, count, criterion):
    assume(count < n)
    net, shape = chain(2, n, 2)
    net[0].weight.data[:] = net[0].weight.data[0]
    chosen = plan(net, shape, {"layers.0": count / n}, criterion)
    np.testing.assert_array_equal(chosen.removed["layers.0"], np.arange(removed_count(count / n, n)))


@given(st.permutations(range(6)), st.integers(1, 5))
def test_the_smallest_norms_leave(order, count):
    net, shape = chain(2, 6, 2)
    norms = np.array(order) + 1.0
    net[0].weight.data[:] = np.where(net[0].weight.data > 0, 1, -1) * norms[:, None, None, None]
    chosen = plan(net, shape, {"layers.0": count / 6})
    assert sorted(norms[~chosen.kept("layers.0")]) == list(range(1, count + 1))
    opposite = plan(net, shape, {"layers.0": count / 6}, "largest")
    assert sorted(norms[~opposite.kept("layers.0")]) == list(range(7 - count, 7))


def test_greedy_does_not_count_kernels_that_read_removed_channels():
    """Layer 2's filter 0 is large, but only through a kernel that reads the channel that leaves first."""
    net, shape = chain(1, 2, 2, 2)
    first, second = net[0].weight.data, net[2].weight.data
    first[0], first[1] = 0.1, 1.0
    second[0, ..., 0], second[0, ..., 1] = 10, 0.1
    second[1, ..., 0], second[1, ..., 1] = 0.1, 1
    by = {s: plan(net, shape, 0.5, strategy=s).removed["layers.2"].tolist() for s in ("independent", "greedy")}
    assert by == {"independent": [1], "greedy": [0]}


@given(nets(), RATIOS)
def test_greedy_and_independent_give_equal_shapes(drawn, ratio):
    net, shape, _ = drawn
    free = [
        g for g in find_channels(graph.trace(net, shape)).groups if not g.fixed and len(g.layers) == 1 and len(g) > 1
    ]
    assume(free)
    ratios = {g.name: ratio for g in free}
    a, b = (plan(net, shape, ratios, strategy=s) for s in ("independent", "greedy"))
    assert a.after == b.after
    assert [p.shape for p in a.apply(net).parameters()] == [p.shape for p in b.apply(net).parameters()]


def test_scores_of_a_coupled_group_are_combined_as_asked():
    net = models.resnet(8, shortcut="B", rng=0)
    rng = np.random.default_rng(0)
    scores = {layer: rng.random(32) for layer in ("stages.1.0.conv2", "stages.1.0.shortcut.conv")}
    conv, projection = scores.values()
    expected = {
        "sum": conv + projection,
        "mean": conv + projection,
        "max": np.maximum(conv, projection),
        "shortcut": projection,
    }
    for combine, total in expected.items():
        chosen = plan(net, (32, 32, 3), {"stages.1.0.conv2": 0.5}, scores, combine=combine)
        assert chosen.removed["stages.1.0.conv2"].tolist() == sorted(np.argsort(total)[:16])


def test_without_a_projection_the_first_layer_decides_alone():
    net = models.resnet(8, rng=0)
    net.conv1.weight.data[5] = 0
    net.stages[0][0].conv2.weight.data[5] = 100
    chosen = plan(net, (32, 32, 3), {"conv1": 1 / 64}, combine="shortcut")
    assert chosen.removed["conv1"].tolist() == [5]
    assert plan(net, (32, 32, 3), {"conv1": 1 / 64}, combine="sum").removed["conv1"].tolist() != [5]


@given(st.integers(1, 200), st.integers(0, 199), st.integers(1, 40), st.sampled_from(["up", "down", "nearest"]),
       st.integers(0, 199))  # fmt: skip
def test_no_rounding_takes_more_than_may_leave(n, removed, multiple, rounding, most):
    most = min(most, n - 1)
    leave = rounded(min(removed, n - 1), n, multiple, rounding, most)
    assert 0 <= leave <= most and (leave == 0 or (n - leave) % multiple == 0)
    assert rounded(min(removed, most), n, multiple, rounding, n) >= leave


def test_rounding_keeps_a_multiple_that_is_no_less_than_min_keep():
    net, shape = chain(3, 32, 32, 2)
    assert plan(net, shape, 0.6, min_keep=12, multiple=8, rounding="down").kept("layers.0").sum() == 16


def test_a_ratio_of_32_bits_is_meant_as_it_is_written():
    assert removed_count(np.float32(0.3), 100) == 30


def test_rounding_keeps_multiples():
    net, shape = chain(3, 20, 17, 2)
    chosen = plan(net, shape, 0.3, multiple=8, rounding="up")
    assert [chosen.kept(layer).sum() for layer in ("layers.0", "layers.2")] == [16, 16]
    with pytest.raises(ValueError, match="rounding='sideways'"):
        plan(net, shape, 0.3, multiple=8, rounding="sideways")


# -- odd networks ---------------------------------------------------------------------------------------------------


class Shared(nn.Module):
    """One depthwise and one full convolution, each of which runs twice."""

    def __init__(self):
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1, rng=0)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6, rng=1)
        self.full = nn.Conv2d(6, 6, 3, padding=1, rng=2)
        self.linear = nn.Linear(6, 2, rng=3)

    def forward(self, x):
        x = self.depthwise(nn.ops.relu(self.depthwise(self.conv1(x))))
        x = self.full(nn.ops.relu(self.full(x)))
        return self.linear(nn.ops.global_avg_pool2d(x))


def test_layers_that_run_twice():
    net = Shared()
    chosen = plan(net, (5, 5, 3), {"full": 0.5})
    assert chosen.channels.group_of("full").layers == ("conv1", "full")
    small = chosen.apply(net)
    assert small.depthwise.groups == 3 and small.depthwise.weight.shape == (3, 3, 3, 1)
    kept = chosen.kept("full")
    silent = copy.deepcopy(net)
    silent.full.weight.data[..., ~kept] = 0
    silent.linear.weight.data[:, ~kept] = 0
    x = np.random.default_rng(0).standard_normal((2, 5, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(small(x).numpy(), silent(x).numpy(), rtol=1e-4, atol=1e-5)


class Tied(nn.Module):
    """One weight under two names, in a tuple."""

    def __init__(self):
        self.pair = (nn.Linear(4, 4, bias=False, rng=0), nn.Linear(4, 4, bias=False, rng=1))
        self.pair[1].weight = self.pair[0].weight
        self.first, self.last = nn.Linear(3, 4, rng=2), nn.Linear(4, 2, rng=3)

    def forward(self, x):
        return self.last(nn.ops.relu(self.pair[1](self.pair[0](self.first(x)))))


def test_tied_weights_stay_tied():
    small = plan(Tied(), (3,), {"first": 0.5}).apply(Tied())
    assert small.pair[0].weight is small.pair[1].weight and small.pair[0].weight.shape == (2, 2)
    assert small(np.ones((1, 3), np.float32)).shape == (1, 2)


class Stubborn(nn.Module):
    """Writes a number of channels into its forward."""

    def __init__(self):
        self.conv, self.linear = nn.Conv2d(3, 4, 1, rng=0), nn.Linear(4, 2, rng=0)

    def forward(self, x):
        return self.linear(nn.ops.global_avg_pool2d(self.conv(x)).reshape(-1, 4))


def test_a_network_that_names_a_number_of_channels_is_refused_in_words():
    with pytest.raises(ValueError, match="names a number of channels"):
        plan(Stubborn(), (4, 4, 3), 0.5)


# -- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"ratios": {"conv7": 0.5}}, "no layer 'conv7'.*expected one of layers.0"),
        ({"ratios": 1.0}, "ratio for layers.0 is 1.0, expected 0 <= ratio < 1"),
        ({"ratios": -0.1}, "expected 0 <= ratio < 1"),
        ({"ratios": float("nan")}, "expected 0 <= ratio < 1"),
        ({"ratios": 0.0}, "no filter would leave"),
        ({"ratios": {}}, "no filter would leave"),
        ({"ratios": 0.2, "multiple": 64}, "no filter would leave, expected a larger ratio, or a smaller multiple"),
        ({"ratios": 0.5, "skip": ["layers.0", "layers.2"]}, "no filter would leave"),
        ({"ratios": 0.5, "skip": ["conv7"]}, "no layer 'conv7'"),
        ({"ratios": {"layers.5": 0.5}}, "may not leave: they are the network's output"),
        ({"ratios": 0.5, "criterion": "l3"}, "criterion 'l3', expected one of l1"),
        ({"ratios": 0.5, "criterion": {"layers.0": np.ones(4)}}, "no scores for layers.2"),
        ({"ratios": 0.5, "criterion": {"layers.0": np.ones(3)}}, "expected 4 numbers, one for each filter"),
        (
            {"ratios": 0.5, "criterion": {"layers.0": np.ones(4)}, "strategy": "greedy"},
            "expected a criterion of weights",
        ),
        ({"ratios": 0.5, "criterion": "gamma"}, "no scores for layers.0"),
        ({"ratios": 0.5, "strategy": "bold"}, "strategy 'bold'"),
        ({"ratios": 0.5, "combine": "product"}, "combine='product'"),
        ({"ratios": 0.5, "min_keep": 0}, "min_keep=0"),
        ({"ratios": 0.5, "multiple": 0}, "multiple=0"),
    ],
)
def test_mistakes_get_one_clear_line(arguments, message):
    net, shape = chain(3, 4, 5, 2)
    with pytest.raises(ValueError, match=message) as caught:
        plan(net, shape, **arguments)
    assert "\n" not in str(caught.value)


def test_two_ratios_for_one_group_are_refused():
    with pytest.raises(ValueError, match="expected one for both"):
        plan(models.resnet(8, rng=0), (32, 32, 3), {"conv1": 0.5, "stages.0.0.conv2": 0.4})


def test_weights_that_are_not_finite_are_refused():
    net, shape = chain(3, 4, 2)
    net[0].weight.data[1] = np.nan
    with pytest.raises(ValueError, match=r"1 of the scores of layers\.0 are not finite"):
        plan(net, shape, 0.5)


def test_a_plan_fits_its_own_network_only():
    net, shape = chain(3, 4, 5, 2)
    chosen = plan(net, shape, 0.5)
    with pytest.raises(ValueError, match="or has been applied already"):
        chosen.apply(chosen.apply(net))
    with pytest.raises(ValueError, match=r"has no layers\.0\.weight"):
        chosen.apply(models.resnet(8, rng=0))
    with pytest.raises(ValueError, match="expected 4 channels"):
        chosen.apply(chain(3, 6, 5, 2)[0])
    of_the_trunk = plan(models.resnet(8, rng=0), (32, 32, 3), {"conv1": 0.3})
    with pytest.raises(ValueError, match=r"has stages\.0\.1\.\S+, which the one that was planned for had not"):
        of_the_trunk.apply(models.resnet(14, rng=0))
    for record, message in (
        ({}, "malformed record"),
        ({**chosen.record(), "removed": {"layers.0": ["x"]}}, "malformed record"),
        ({**chosen.record(), "removed": {"layers.0": [1.9]}}, "malformed record"),
        ({**chosen.record(), "removed": {}, "arrays": 99}, "made for a network of 99 parameters and buffers"),
        ({**chosen.record(), "removed": {"layers.0": [7]}}, "made for another network"),
        ({**chosen.record(), "removed": {"layers.0": [0, 1, 2, 3]}}, "made for another network"),
        ({**chosen.record(), "filters": {"layers.0": 9, "layers.2": 5}}, "made for another network"),
    ):
        with pytest.raises(ValueError, match=message):
            Plan.from_record(record, net, shape)


# -- words ----------------------------------------------------------------------------------------------------------


def test_explain_names_everything_that_leaves():
    chosen = plan(models.resnet(8, rng=0), (32, 32, 3), {"stages.0.0.conv1": 0.5})
    assert chosen.explain("stages.0.0.conv1", 3).splitlines() == [
        "with filter 3 of stages.0.0.conv1 leave:",
        "  stages.0.0.conv1.weight: filter 3",
        "  stages.0.0.bn1.weight: entry 3",
        "  stages.0.0.bn1.bias: entry 3",
        "  stages.0.0.bn1.running_mean: entry 3",
        "  stages.0.0.bn1.running_var: entry 3",
        "  stages.0.0.conv2.weight: input 3",
    ]
    trunk = chosen.explain("conv1", 0)
    assert "since Add joins them (conv1, stages.0.0.conv2)" in trunk or "(stages.0.0.conv2, conv1)" in trunk
    assert "linear.weight: input 0" in trunk
    assert "may be removed: they are the network's output" in chosen.explain("linear", 1)
    with pytest.raises(ValueError, match="no filter 16, expected 0 to 15"):
        chosen.explain("conv1", 16)


def test_flattened_maps_lose_one_input_for_every_pixel():
    net = nn.Sequential(nn.Conv2d(1, 3, 1, rng=0), nn.Flatten(), nn.Linear(12, 2, rng=0))
    assert "layers.2.weight: input 1, 4, 7, 10" in plan(net, (2, 2, 1), 0.3).explain("layers.0", 1)


def test_a_plan_prints_what_it_saves():
    net, shape = chain(3, 4, 5, 2)
    text = str(plan(net, shape, 0.5))
    assert "layers.0: 2 of 4 filters leave" in text and "MACs" in text and "saved" in text and "parameters" in text


def test_a_plan_counts_the_filters_of_every_layer_that_leaves_with_others():
    shape = (32, 32, 3)
    padded = plan(models.resnet(8, rng=0), shape, {"conv1": 0.5})
    counts = {layer: int((~padded.kept(layer)).sum()) for layer in padded.channels.group_of("conv1").layers}
    assert counts["conv1"] != 32 and f"together: conv1 {counts['conv1']} of 16, stages.0.0.conv2 " in str(padded)
    assert f"stages.2.0.conv2 {counts['stages.2.0.conv2']} of 64 filters leave" in str(padded)
    projected = str(plan(models.resnet(8, shortcut="B", rng=0), shape, {"conv1": 0.5}))
    assert projected.startswith("conv1: 8 of 16 filters leave, with those of stages.0.0.conv2\n")
