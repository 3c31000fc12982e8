"""The named roundings: what each does to signs, halves and integers, and its bias."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.quantization.rounding import MODES, probability_up, round_half_even, round_nearest, round_stochastic
from minidl.kernels.random import random_uint16, stream_key
from minidl.kernels.rounding import encode_stochastic

numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50).map(lambda x: np.array(x, np.float32))


@given(numbers, st.sampled_from(sorted(MODES)))
def test_every_mode_gives_a_neighbour_and_keeps_integers(x, mode):
    rounded = MODES[mode](x)
    assert ((rounded == np.floor(x)) | (rounded == np.ceil(x))).all()
    np.testing.assert_array_equal(MODES[mode](rounded), rounded)


@given(numbers)
def test_nearest_and_toward_zero_are_odd_and_floor_is_not(x):
    for mode in ("nearest", "half_even", "toward_zero"):
        np.testing.assert_array_equal(MODES[mode](-x), -MODES[mode](x))
    np.testing.assert_array_equal(MODES["floor"](-x), -np.ceil(x))


def test_halves():
    halves = np.arange(-3.5, 4)
    np.testing.assert_array_equal(round_nearest(halves), np.sign(halves) * (np.abs(halves) + 0.5))
    assert (round_half_even(halves) % 2 == 0).all()


@pytest.mark.parametrize(
    ("mode", "signed", "size"),
    [("nearest", 0, 0), ("half_even", 0, 0), ("floor", -0.5, -0.5), ("toward_zero", 0, -0.5)],
)
def test_bias_of_each_mode(mode, signed, size):
    """Mean error over numbers spread evenly on both sides of 0, of the number and of its magnitude."""
    x = (np.arange(-4000, 4000) + 0.5) / 1000
    rounded = MODES[mode](x)
    np.testing.assert_allclose((rounded - x).mean(), signed, atol=1e-9)
    if mode != "floor":
        np.testing.assert_allclose((np.abs(rounded) - np.abs(x)).mean(), size, atol=1e-3)


@given(st.integers(1, 10), st.integers(-5000, 5000))
def test_stochastic_is_exact_over_all_draws(bits, value):
    x = np.full(2**bits, value / 2**bits)
    rounded = round_stochastic(x, np.arange(2**bits), bits)
    q = x[0] - np.floor(x[0])
    assert rounded.mean() == x[0]
    np.testing.assert_allclose(rounded.var(), q * (1 - q), atol=1e-12)


@given(st.integers(1, 12))
def test_cut_fractions_are_low_by_half_a_unit_and_rounded_ones_are_not(bits):
    fractions = (np.arange(2**14) + 0.5) / 2**14
    np.testing.assert_allclose((probability_up(fractions, bits) - fractions).mean(), 0, atol=1e-12)
    bias = (probability_up(fractions, bits, cut=True) - fractions).mean()
    np.testing.assert_allclose(bias, -(2.0 ** -(bits + 1)), rtol=1e-9)


@given(numbers, st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_the_kernel_does_what_the_definition_says(x, bits, seed):
    x = np.clip(x, -(2**14), 2**14)
    key = stream_key(seed, "w", 0)
    codes = np.empty(len(x), np.int16)
    encode_stochastic(x, codes, 1, 0, -(2**15), 2**15 - 1, key, bits)
    draws = random_uint16(len(x), key).astype(np.int64) >> (16 - bits)
    np.testing.assert_array_equal(codes, round_stochastic(x, draws, bits))
