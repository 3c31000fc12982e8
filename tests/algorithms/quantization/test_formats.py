"""Formats: grids, codes and back, storage, symmetry, unbiased rounding, and what happens at and beyond the ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.quantization import Binary, BlockFloat, FixedPoint, Ternary

seeds = st.integers(0, 2**32 - 1)
odd_deltas = seeds.map(lambda seed: float(np.random.default_rng(seed).lognormal(0, 3)))  # no round numbers
deltas = st.one_of(st.sampled_from([1.0, 0.5, 0.1, 3.0]), odd_deltas)
dtypes = st.sampled_from([np.float32, np.float64])
formats = st.one_of(
    deltas.map(Binary),
    deltas.map(Ternary),
    st.builds(FixedPoint, st.integers(2, 16), st.integers(-8, 30)),
)


def weights(seed, shape=(4, 3, 3, 2), dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def some_codes(format, seed, size=300):
    return np.random.default_rng(seed).integers(format.lowest, format.highest, size, endpoint=True)


@given(formats, seeds, dtypes)
def test_values_of_the_grid_keep_their_codes_under_every_rounding(format, seed, dtype):
    codes = some_codes(format, seed).astype(format.code_dtype)
    values = format.decode(codes, dtype)
    for mode in ("nearest", "half_even") if isinstance(format, FixedPoint) else ("nearest",):
        encoded = format.encode(values, mode)
        np.testing.assert_array_equal(encoded.codes, codes)
        assert encoded.codes.dtype == format.code_dtype
        assert encoded.saturated == 0
    position, inverse = format.scaled(values)  # exact, so that not even one draw in 2**16 moves them
    np.testing.assert_array_equal(position * dtype(inverse) + dtype(format.offset), codes)
    np.testing.assert_array_equal(format.round_nearest(values), values)
    np.testing.assert_array_equal(format.round_stochastic(values, seed), values)
    assert format.round_stochastic(values, seed).dtype == dtype


@given(formats, seeds, dtypes)
def test_nearest_is_nearest_and_odd(format, seed, dtype):
    low, high = format.ends
    spacing = float(format.spacing)
    x = (np.random.default_rng(seed).uniform(-1.5, 1.5, 400) * min(abs(low), high)).astype(dtype)
    rounded = format.round_nearest(x).astype(float)
    inside = (x >= low) & (x <= high)
    reach = spacing / 2 + 4 * np.finfo(dtype).eps * max(abs(low), high)
    assert (np.abs(rounded - x)[inside] <= reach).all()
    if isinstance(format, FixedPoint):  # one more negative code than positive ones
        x = x[np.abs(x) <= high]
    np.testing.assert_array_equal(format.round_nearest(-x), -format.round_nearest(x))


@given(formats, seeds)
def test_stochastic_rounding_is_unbiased_between_neighbours(format, seed):
    rng = np.random.default_rng(seed)
    below = int(rng.integers(format.lowest, format.highest))
    q, n = rng.random(), 20_000
    x = np.full(n, (below + q - format.offset) * format.spacing)  # float64
    codes = format.encode_stochastic(x, np.array([seed, 1], np.uint32)).codes
    assert set(np.unique(codes)) <= {below, below + 1}
    assert abs((codes - below).mean() - q) <= 6 * np.sqrt(q * (1 - q) / n) + 1.5 / n  # 6 standard errors


@given(formats, seeds)
def test_lemma_1_rounding_errors_are_bounded_by_the_step(format, seed):
    """From a grid point, E‖r‖² <= Δ‖step‖₁: the sum over weights of Δ² q(1 - q), here of one draw each."""
    n, spacing = 20_000, float(format.spacing)
    rng = np.random.default_rng(seed)
    values = format.decode(some_codes(format, seed, n), np.float64)
    moved = np.clip(values + spacing * rng.uniform(-0.2, 0.2, n), *format.ends)
    error = (format.round_stochastic(moved, seed) - moved) / spacing
    bound = np.abs(moved - values).sum() / spacing
    assert (error**2).sum() <= bound + 6 * np.sqrt(n) / 2  # each r² has a deviation below 1/2


@given(seeds, st.integers(1, 70))
def test_binary_codes_are_stored_as_bits(seed, size):
    codes = some_codes(Binary(), seed, size).astype(np.int8)
    packed = Binary().pack(codes)
    assert packed.nbytes == -(-size // 8)
    np.testing.assert_array_equal(Binary().unpack(packed, (size,)), codes)


def test_storage_is_a_32nd_and_a_quarter_of_float():
    weight = weights(0, (64, 3, 3, 32))
    binary, fixed = Binary(), FixedPoint(8, 5)
    assert binary.pack(binary.encode(weight).codes).nbytes * 32 == weight.nbytes
    packed = fixed.pack(fixed.encode(weight).codes)
    assert packed.dtype == np.int8
    assert packed.nbytes * 4 == weight.nbytes
    np.testing.assert_array_equal(fixed.unpack(packed, weight.shape), fixed.encode(weight).codes)


@given(seeds, dtypes)
def test_binary_scales_per_filter_are_mean_sizes(seed, dtype):
    weight = weights(seed, dtype=dtype)
    rounded = Binary(per_filter=True).round_nearest(weight)
    for o in range(len(weight)):
        expected = np.sign(weight[o]) * np.abs(weight[o]).mean(dtype=dtype)
        np.testing.assert_allclose(rounded[o], expected, rtol=1e-5)
    fixed = Binary(per_filter=True).fit(weight)
    np.testing.assert_array_equal(fixed.round_stochastic(rounded, seed), rounded)  # the grid stays where it is


@given(seeds, st.integers(2, 12), st.booleans())
def test_block_float_holds_its_largest_weight_in_the_finest_scale_that_can(seed, word, per_filter):
    weight = weights(seed) * np.float32(2.0) ** np.random.default_rng(seed).integers(-20, 20, (4, 1, 1, 1))
    weight = weight.astype(np.float32)
    fixed = BlockFloat(word, per_filter).fit(weight)
    blocks = np.abs(weight).reshape(4, -1).max(axis=1) if per_filter else np.abs(weight).max()
    codes = blocks * 2.0 ** fixed.fraction.reshape(blocks.shape)
    assert ((2 ** (word - 2) <= codes) & (codes < 2 ** (word - 1))).all()
    high = fixed.ends[1]
    error = np.abs(fixed.round_nearest(weight) - np.minimum(weight, high))
    assert (error <= fixed.spacing / 2 + 1e-30).all()


def test_zeros_are_positive_in_binary_and_stay_zero_elsewhere():
    zeros = np.array([0.0, -0.0], np.float32)
    assert Binary().round_nearest(zeros).tolist() == [1, 1]
    for format in (Ternary(), FixedPoint(4, 2), BlockFloat(4)):
        assert not format.round_nearest(zeros).any()


@pytest.mark.parametrize("format", [Binary(0.5), Ternary(0.1), FixedPoint(8, 4)])
def test_infinities_saturate_and_are_counted_and_nan_is_an_error(format):
    x = np.array([np.inf, -np.inf, 1e30, 0.0], np.float32)
    low, high = (np.float32(end) for end in format.ends)
    for encoded in (format.encode(x), format.encode_stochastic(x, np.zeros(2, np.uint32))):
        assert encoded.saturated == 3
        np.testing.assert_array_equal(format.decode(encoded.codes)[:3], [high, low, high])
    x[3] = np.nan
    for rounding in (format.round_nearest, lambda x: format.round_stochastic(x, 0)):
        with pytest.raises(ValueError, match="1 of 4 weights to round are NaN"):
            rounding(x)


def test_mistakes_get_one_clear_sentence():
    for delta in (0.0, -1.0, np.inf, np.nan, np.array([1.0, 0.0])):
        for format in (Binary, Ternary):
            with pytest.raises(ValueError, match="above 0"):
                format(delta)
    with pytest.raises(ValueError, match="expected 2 to 16"):
        FixedPoint(1, 0)
    with pytest.raises(ValueError, match=r"filters \[1\] are all zero"):
        Binary(per_filter=True).round_nearest(np.array([[1.0], [0.0]]))
    with pytest.raises(ValueError, match=r"call \.fit"):
        Binary(per_filter=True).encode(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"convert it with \.astype"):
        Ternary().round_nearest(np.arange(3))


def test_a_generator_stands_for_a_fresh_seed():
    x, rng = np.zeros(1000), np.random.default_rng(0)
    first, second = Binary().round_stochastic(x, rng), Binary().round_stochastic(x, rng)
    assert (first != second).any()
    np.testing.assert_array_equal(first, Binary().round_stochastic(x, np.random.default_rng(0)))
