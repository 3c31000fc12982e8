"""A plan lays 16 images, or the blocks of one, lanewise where all layers are narrow; what it computes is the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

import minidl
from minidl import nn, runtime
from tests.runtime.test_compile import assert_close, evaluate, shake, shaken


def is_lanewise(model, shape=(16, 16, 3)):
    return bool(runtime.compile(model.eval(), shape).program.lanewise)


def has_blocks(model, shape=(16, 16, 3)):
    return bool(runtime.compile(model.eval(), shape).program.blocks)


def ending(*layers):
    return nn.Sequential(*layers, nn.GlobalAvgPool2d(), nn.Linear(8, 3, rng=0))


def conv(*args, **options):
    return nn.Conv2d(*args, rng=0, **options)


class Padded(nn.Module):
    """A convolution of what a padding makes."""

    def __init__(self, *rows):
        self.rows = rows
        self.conv1, self.conv2 = conv(3, 5, 3, padding=1), conv(8, 8, 3, padding=1)

    def forward(self, x):
        y = nn.ops.pad(self.conv1(x), [(0, 0), self.rows, (0, 0), (1, 2)])
        return nn.ops.global_avg_pool2d(self.conv2(y))


class Indexed(nn.Module):
    """A convolution of a part of what another makes."""

    def __init__(self, index):
        self.index = index
        self.conv1, self.conv2 = conv(3, 12, 3, padding=1), conv(8, 8, 3, padding=1)

    def forward(self, x):
        return nn.ops.global_avg_pool2d(self.conv2(self.conv1(x)[self.index]))


class Averaged(nn.Module):
    """The averages of a part of what a convolution makes."""

    def __init__(self, index):
        self.index, self.conv = index, conv(3, 12, 3, padding=1)

    def forward(self, x):
        return nn.ops.global_avg_pool2d(self.conv(x)[self.index])


@pytest.mark.parametrize("layers", [
    [conv(3, 8, 3, padding=1)],
    [conv(3, 40, 3, stride=2, padding=1), nn.BatchNorm2d(40), nn.ReLU(), conv(40, 8, 1)],
    [conv(3, 8, 2), conv(8, 8, 3, stride=2), conv(8, 256, 1), conv(256, 8, 1)],
])  # fmt: skip
def test_narrow_networks_are_laid_lanewise_and_mean_the_same(layers):
    model = ending(*layers)
    shake(model, 0)
    assert is_lanewise(model)
    x = np.random.default_rng(0).standard_normal((37, 16, 16, 3)).astype(np.float32)
    assert_close(runtime.compile(model, (16, 16, 3))(x), evaluate(model, x))


@pytest.mark.parametrize("layers", [
    [conv(3, 128, 3, padding=1), conv(128, 128, 3, padding=1), conv(128, 8, 1)],  # weights that leave the cache
    [conv(3, 8, 5, padding=2)],  # reads further than the border
    [conv(3, 8, 1), conv(8, 8, 3, groups=2)],
    [conv(3, 8, 3, padding=1), nn.MaxPool2d(2)],  # no rule
    [conv(3, 8, 3)],  # slower than Winograd, which lanewise has one padding
    [conv(3, 128, 1), conv(128, 128, 3, stride=2, padding=1), conv(128, 8, 1)],  # 25 numbers for 9
])  # fmt: skip
def test_others_are_not(layers):
    assert not is_lanewise(ending(*layers))


@pytest.mark.parametrize(("index", "in_blocks"), [
    (np.s_[:, ::2, ::2, 4:], True),
    (np.s_[:, 1::2, :, 4:], True),
    (np.s_[:, :, :, 4:], True),
    (np.s_[:, :, ::-1, :8], False),
    (np.s_[:, 1:, :, :8], False),
    (np.s_[:, :12, :, :8], False),
    (np.s_[:, 3::2, :, :8], False),
    (np.s_[..., :8], False),
])  # fmt: skip
def test_pieces_of_images_are_what_they_are(index, in_blocks):
    model = Indexed(index)
    assert is_lanewise(model) and has_blocks(model) == in_blocks
    x = np.random.default_rng(0).standard_normal((19, 16, 16, 3)).astype(np.float32)
    plan = runtime.compile(model.eval(), (16, 16, 3))
    for batch in (16, 19, 1, 3):
        assert_close(plan(x[:batch]), evaluate(model, x[:batch]))


@pytest.mark.parametrize("index", [np.s_[:, ::2, ::2], np.s_[:, :, :, 4:], np.s_[:, 1::2]])
def test_averages_of_pieces_are_what_they_are(index):
    model = Averaged(index).eval()
    assert has_blocks(model)
    x = np.random.default_rng(0).standard_normal((19, 16, 16, 3)).astype(np.float32)
    plan = runtime.compile(model, (16, 16, 3))
    for batch in (16, 19, 1, 3):
        assert_close(plan(x[:batch]), evaluate(model, x[:batch]))


def test_large_images_and_exact_plans_are_not():
    model, shape = shaken("resnet8")
    assert is_lanewise(model, shape) and not is_lanewise(model, (96, 96, 3))
    with minidl.use(conv="exact"):
        assert not is_lanewise(model, shape)


def test_images_of_a_batch_do_not_mix():
    model, shape = shaken("resnet8")
    plan, x = runtime.compile(model, shape), np.random.default_rng(0).standard_normal((16, *shape)).astype(np.float32)
    want = plan(x)
    x[3, 5, 5] = np.nan
    found = plan(x)
    assert np.isnan(found[3]).all()
    np.testing.assert_array_equal(np.delete(found, 3, axis=0), np.delete(want, 3, axis=0))


@pytest.mark.parametrize(("rows", "in_blocks"), [((0, 0), True), ((1, 3), False)])
def test_what_was_in_the_memory_before_does_no_harm(rows, in_blocks):
    model = Padded(*rows)
    assert has_blocks(model) == in_blocks
    plan, x = runtime.compile(model.eval(), (16, 16, 3)), np.ones((16, 16, 16, 3), np.float32)
    for batch in (16, 1):
        plan(x[:batch])
        plan.memory.fill(255)  # every float is NaN
        assert_close(plan(x[:batch]), evaluate(model, x[:batch]))


# --- One image in blocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layers", "shape", "expected"), [
    ([conv(3, 8, 3, padding=1)], (16, 16, 3), True),
    ([conv(3, 8, 3, padding=1)], (28, 12, 3), True),  # blocks of 7x3: patches that are not whole
    ([conv(3, 8, 3, padding=1)], (4, 4, 3), True),  # of a pixel
    ([conv(3, 8, 3, padding=1)], (16, 18, 3), False),
    ([conv(3, 8, 3, stride=2, padding=1), conv(8, 8, 3, stride=2, padding=1)], (16, 16, 3), True),
    ([conv(3, 8, 3, stride=2, padding=1), conv(8, 8, 3, stride=2, padding=1)], (8, 8, 3), False),  # blocks of half one
    ([conv(3, 8, 1, stride=4), conv(8, 8, 1)], (16, 16, 3), True),
    ([conv(3, 8, 5, stride=4, padding=1)], (16, 16, 3), True),
    ([conv(3, 8, 2)], (17, 17, 3), False),  # reads on, from block to block
])  # fmt: skip
def test_an_image_is_cut_where_blocks_are_made_of_blocks(layers, shape, expected):
    model = ending(*layers)
    assert has_blocks(model, shape) == expected
    x = np.random.default_rng(0).standard_normal((15, *shape)).astype(np.float32)
    plan = runtime.compile(model.eval(), shape)
    for batch in (1, 2, 15):
        assert_close(plan(x[:batch]), evaluate(model, x[:batch]))


@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([1, 3]), st.booleans()), min_size=1, max_size=4),
    st.integers(1, 15),
    st.integers(1, 3),
    st.integers(0, 99),
)
def test_drawn_networks_compute_the_same_in_blocks(widths, batch, threads, seed):
    layers, channels, shape = [], 3, (16, 8, 3)
    for width, kernel, strided in widths:
        layers += [conv(channels, width, kernel, stride=1 + (strided and layers == []), padding=kernel // 2)]
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    model = ending(*layers, conv(channels, 8, 3, padding=1))
    shake(model, seed)
    x = np.random.default_rng(seed).standard_normal((batch, *shape)).astype(np.float32)
    plan = runtime.compile(model.eval(), shape, threads=threads)
    assert plan.program.blocks
    assert_close(plan(x), evaluate(model, x))
    np.testing.assert_array_equal(plan(x), runtime.compile(model, shape, threads=1)(x))
    np.testing.assert_array_equal(plan(x), np.concatenate([plan(one[None]) for one in x]))  # each on its own


class Later(nn.Module):
    """A sum whose term is read once more, after it or as the convolution's own input."""

    def __init__(self, term, again):
        self.term, self.again = term, again
        self.conv1, self.conv2, self.conv3 = (conv(c, 8, 3, padding=1) for c in (3, 8, 8))

    def forward(self, x):
        a = self.conv1(x)
        b = self.conv2(a)
        total = self.conv3(b) + (a, b)[self.term]
        for value in (a, b, total)[self.again :]:
            total = self.conv3(total) + value
        return nn.ops.global_avg_pool2d(total)


@pytest.mark.parametrize("term", [0, 1])
@pytest.mark.parametrize("again", [0, 1, 2, 3])
def test_a_sum_is_written_over_what_nobody_reads_later(term, again):
    model = Later(term, again)
    x = np.random.default_rng(0).standard_normal((16, 16, 16, 3)).astype(np.float32)
    plan = runtime.compile(model.eval(), (16, 16, 3))
    assert plan.program.lanewise and plan.program.blocks
    for batch in (16, 1):
        assert_close(plan(x[:batch]), evaluate(model, x[:batch]))
    (stage,) = plan.program.blocks
    sums = [node for node in stage.nodes if node.op == "ConvAddReLU" and node.function.add]
    in_place = any(stage.offsets[node.index] == stage.offsets[node.inputs[-1]] for node in sums)
    assert in_place == (term == 0 or again < 2)  # otherwise a term is what the convolution reads


def test_a_network_without_blocks_runs_as_it_lies():
    model, shape = shaken("resnet8")
    assert has_blocks(model, shape) and not has_blocks(model, (30, 32, 3))
    with minidl.use(conv="exact"):
        assert not has_blocks(model, shape)
