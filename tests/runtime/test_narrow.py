"""A plan lays 16 images lanewise where all layers are narrow and known, nowhere else; what it computes is the same."""

import numpy as np
import pytest

pytest.importorskip("numba")

import minidl
from minidl import nn, runtime
from tests.runtime.test_compile import assert_close, evaluate, shake, shaken


def is_lanewise(model, shape=(16, 16, 3)):
    return bool(runtime.compile(model.eval(), shape).program.lanewise)


def ending(*layers):
    return nn.Sequential(*layers, nn.GlobalAvgPool2d(), nn.Linear(8, 3, rng=0))


def conv(*args, **options):
    return nn.Conv2d(*args, rng=0, **options)


class Padded(nn.Module):
    """A convolution of what a padding makes: its border must be zeros."""

    def __init__(self):
        self.conv1, self.conv2 = conv(3, 5, 3, padding=1), conv(8, 8, 3, padding=1)

    def forward(self, x):
        y = nn.ops.pad(self.conv1(x), [(0, 0), (0, 0), (0, 0), (1, 2)])
        return nn.ops.global_avg_pool2d(self.conv2(y))


class Indexed(nn.Module):
    """A convolution of a part of what another makes."""

    def __init__(self, index):
        self.index = index
        self.conv1, self.conv2 = conv(3, 12, 3, padding=1), conv(8, 8, 3, padding=1)

    def forward(self, x):
        return nn.ops.global_avg_pool2d(self.conv2(self.conv1(x)[self.index]))


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
])  # fmt: skip
def test_others_are_not(layers):
    assert not is_lanewise(ending(*layers))


@pytest.mark.parametrize(("index", "expected"), [
    (np.s_[:, ::2, ::2, 4:], True),
    (np.s_[:, :, ::-1, :8], False),
    (np.s_[:, 1:, :, :8], False),  # a cut has no border of zeros
    (np.s_[..., :8], False),
    (np.s_[:, :, :, 4:], True),
])  # fmt: skip
def test_pieces_are_not_taken_for_images(index, expected):
    model = Indexed(index)
    assert is_lanewise(model) == expected
    x = np.random.default_rng(0).standard_normal((16, 16, 16, 3)).astype(np.float32)
    assert_close(runtime.compile(model.eval(), (16, 16, 3))(x), evaluate(model, x))


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


def test_borders_are_cleared_by_whoever_writes_an_image():
    model = Padded()
    plan, x = runtime.compile(model.eval(), (16, 16, 3)), np.ones((16, 16, 16, 3), np.float32)
    plan(x)
    plan.memory.fill(255)  # every float is NaN
    assert plan.program.lanewise
    assert_close(plan(x), evaluate(model, x))
