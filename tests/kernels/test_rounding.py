"""Rounding: exact laws by enumeration, grid points that never move, and compiled kernels of the same bits."""

import importlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.kernels import rounding
from minidl.kernels.backend import numba_available, use
from minidl.kernels.parallel import get_num_threads, set_num_threads
from minidl.kernels.random import philox_key, random_uint16, stream_key
from minidl.kernels.rounding import (
    Counts,
    encode_nearest,
    encode_stochastic,
    shift_stochastic,
    update_bits,
    update_codes,
)

needs_numba = pytest.mark.skipif(not numba_available(), reason="compares with compiled kernels")
seeds = st.integers(0, 2**32 - 1)
sizes = st.one_of(st.integers(0, 70), st.integers(rounding.GRAIN - 3, rounding.GRAIN + 70))
make_keys = st.sampled_from([stream_key, philox_key])
dtypes = st.sampled_from([np.float32, np.float64])
code_types = st.sampled_from([np.int8, np.int16, np.int32])
special = np.array([0, -0.0, 0.5, -0.5, 0.49999997, -1e-30, 1e30, np.inf, -np.inf, np.nan, 127.5, -128.5], np.float32)


def numbers(seed, size, dtype):
    """Numbers of many sizes, with every special one among them."""
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(size) * np.exp2(rng.integers(-30, 12, size))).astype(dtype)
    chosen = rng.random(size) < 0.3
    x[chosen] = rng.choice(special, chosen.sum()).astype(dtype)
    return x


def both(run):
    """The results of `run` on the NumPy twin and compiled."""
    with use(backend="numpy"):
        twin = run()
    with use(backend="numba"):
        return twin, run()


def same(a, b):
    assert a[0] == b[0]
    np.testing.assert_array_equal(a[1], b[1])


# --- The twins ------------------------------------------------------------------------------------------------------


@needs_numba
@given(seeds, sizes, dtypes, code_types, st.sampled_from([1, 0.5, 16, 0.1]))
def test_nearest_is_the_same_compiled(seed, size, dtype, code_type, inverse):
    x = numbers(seed, size, dtype)

    def run():
        codes = np.empty(size, code_type)
        return encode_nearest(x, codes, inverse, -128, 127), codes

    same(*both(run))


@needs_numba
@given(seeds, sizes, dtypes, code_types, st.integers(1, 16), st.sampled_from([(1, 0), (0.5, 0.5), (0.1, 0)]), make_keys)
def test_stochastic_is_the_same_compiled(seed, size, dtype, code_type, bits, scale, make_key):
    x, key = numbers(seed, size, dtype), make_key(seed, "w", 1)

    def run():
        codes = np.empty(size, code_type)
        return encode_stochastic(x, codes, *scale, -128, 127, key, bits), codes

    same(*both(run))


@needs_numba
@given(seeds, sizes, dtypes, st.integers(1, 16), make_keys)
def test_update_is_the_same_compiled(seed, size, dtype, bits, make_key):
    grad, key = numbers(seed, size, dtype), make_key(seed, "w", 1)
    start = np.random.default_rng(seed).integers(-128, 128, size).astype(np.int8)

    def run():
        codes = start.copy()
        return update_codes(codes, grad, 0.03, -128, 127, key, bits), codes

    same(*both(run))


@needs_numba
@given(seeds, sizes, st.integers(0, 16))
def test_shift_is_the_same_compiled(seed, size, shift):
    values = np.random.default_rng(seed).integers(-(2**31), 2**31, size).astype(np.int32)
    twin, compiled = both(lambda: shift_stochastic(values, shift, stream_key(seed, "acc", 0)))
    np.testing.assert_array_equal(twin, compiled)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
@given(seed=seeds, size=sizes, bits=st.integers(1, 16))
def test_packed_bits_move_as_codes_of_0_and_1_do(backend, seed, size, bits):
    grad, key = numbers(seed, size, np.float32), stream_key(seed, "w", 1)
    codes = np.random.default_rng(seed).integers(0, 2, size).astype(np.int8)
    packed = np.packbits(codes.astype(np.uint8), bitorder="little")
    with use(backend=backend):
        counts = update_bits(packed, grad, 0.3, key, bits)
        assert counts == update_codes(codes, grad, 0.3, 0, 1, key, bits)
    np.testing.assert_array_equal(np.unpackbits(packed, bitorder="little", count=size), codes)
    assert packed.nbytes == -(-size // 8)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
def test_any_number_of_threads_gives_the_same_bits(backend):
    n = 5 * rounding.GRAIN + 13
    x, key, former = numbers(3, n, np.float32), stream_key(3, "w", 0), get_num_threads()
    results = []
    try:
        for threads in (1, 2, 4):
            set_num_threads(threads)
            codes, packed = np.empty(n, np.int8), np.zeros(-(-n // 8), np.uint8)
            with use(backend=backend):
                counts = encode_stochastic(x, codes, 0.5, 0.5, 0, 1, key), update_bits(packed, x, 0.2, key)
            results.append((counts, codes.tobytes(), packed.tobytes()))
    finally:
        set_num_threads(former)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
@given(seed=seeds, cuts=st.sets(st.integers(1, 40), max_size=5), make_key=make_keys)
def test_any_tiles_give_the_same_bits(backend, seed, cuts, make_key):
    """Ranges end anywhere at a multiple of 16 elements, the unit that shares bytes and blocks of draws."""
    n = 16 * 41 + 5
    x, key = numbers(seed, n, np.float32), make_key(seed, "w", 1)
    module = rounding if backend == "numpy" else importlib.import_module("minidl.kernels.rounding_compiled")
    arguments = (*(np.float32(v) for v in (2**16, 0, -128 * 2**16, 127 * 2**16)), np.int32(1), key)
    whole, pieces = np.zeros(n, np.int8), np.zeros(n, np.int8)
    with use(backend=backend):
        expected = encode_stochastic(x, whole, 1, 0, -128, 127, key)
    counts = np.zeros((1, 2), np.int64)
    ends = [0, *(16 * cut for cut in sorted(cuts)), n]
    for start, stop in itertools.pairwise(ends):
        module.stochastic(start, stop, x, pieces, *arguments, counts)
    np.testing.assert_array_equal(pieces, whole)
    assert Counts(*counts[0].tolist()) == expected


# --- The laws -------------------------------------------------------------------------------------------------------


@given(st.integers(0, 12), st.integers(-(2**20), 2**20))
def test_integer_rounding_is_exactly_unbiased(shift, value):
    """Every draw of the low bits once, by enumeration: mean value/2**s, variance q(1 - q)."""
    draws = np.arange(2**shift)
    rounded = (value + draws) >> shift  # what the kernel does with the low bits of its words
    q = value / 2**shift - (value >> shift)
    assert rounded.sum() == value
    np.testing.assert_allclose(rounded.var(), q * (1 - q), atol=1e-12)


@given(seeds, st.integers(1, 16))
def test_integer_rounding_adds_the_high_bits_of_its_draws(seed, shift):
    values = np.random.default_rng(seed).integers(-(2**31), 2**31 - 2**16, 100).astype(np.int32)
    key = stream_key(seed, "acc", 0)
    high = random_uint16(100, key).astype(np.int64) >> (16 - shift)
    expected = (values.astype(np.int64) + high) >> shift
    np.testing.assert_array_equal(shift_stochastic(values, shift, key), expected)


@given(seeds, st.integers(1, 16), dtypes)
def test_floats_are_rounded_as_the_integers_that_they_stand_for(seed, shift, dtype):
    """n/2**s rounded with s random bits is n shifted by s: what makes simulated and integer training agree."""
    values = np.random.default_rng(seed).integers(-100 << shift, 100 << shift, 1000).astype(np.int32)
    key, codes = stream_key(seed, "acc", 0), np.empty(1000, np.int8)
    encode_stochastic(values.astype(dtype), codes, 2.0**-shift, 0, -128, 127, key, bits=shift)
    np.testing.assert_array_equal(codes, shift_stochastic(values, shift, key))


@given(st.integers(1, 12), st.integers(-(2**15), 2**15))
def test_float_rounding_of_r_bits_is_exactly_unbiased_on_fractions_of_r_bits(bits, value):
    """All 2**r draws once, fed to the definition in place of the words: mean and variance are exact."""
    position = np.full(2**bits, value / 2**bits, np.float32)
    every_draw = (np.arange(2**bits) << (16 - bits)).astype(np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounding, "_draws", lambda start, stop, key: every_draw)
        rounded = rounding._carried(position * np.float32(2**bits), 0, np.int32(2 ** (16 - bits)), None)
    q = value / 2**bits - value // 2**bits
    assert rounded.sum() == value
    np.testing.assert_allclose(rounded.var(), q * (1 - q), atol=1e-12)


@given(seeds, st.floats(-3, 3, width=32), dtypes)
def test_float_rounding_is_unbiased_in_a_large_sample(seed, value, dtype):
    n = 20_000
    codes = np.empty(n, np.int8)
    encode_stochastic(np.full(n, value, dtype), codes, 1, 0, -100, 100, stream_key(seed, "w", 0))
    q = value - np.floor(value)
    # 6 standard errors, one failure in 5e8 draws; a single deviating draw is allowed where q(1 - q) rounds to nothing
    assert abs(codes.mean() - value) <= 6 * np.sqrt(q * (1 - q) / n) + 1.5 / n
    assert set(np.unique(codes)) <= {int(np.floor(value)), int(np.floor(value)) + 1}


@given(st.integers(1, 16), st.floats(-3, 3), dtypes)
def test_the_mean_is_off_by_half_of_the_last_bit_at_most(bits, value, dtype):
    """All draws once: the bias that is stated, 2**-(r+1) of a spacing, and what stays below it is lost."""
    every_draw = (np.arange(2**bits) << (16 - bits)).astype(np.int32)
    position = np.full(2**bits, value, dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounding, "_draws", lambda start, stop, key: every_draw)
        rounded = rounding._carried(position * dtype(2**bits), 0, np.int32(2 ** (16 - bits)), None)
        tiny = rounding._carried(np.full(2**bits, 0.499), 0, np.int32(2 ** (16 - bits)), None)
    assert abs(rounded.mean() - float(position[0])) <= 2.0 ** -(bits + 1)
    assert not tiny.any()


@given(st.integers(1, 16), st.integers(-(2**15), 2**15 - 1), dtypes)
def test_codes_of_16_bits_fill_the_sum_and_never_overflow_it(bits, code, dtype):
    near = np.array([code, code + 0.999, code - 0.999, 2**15, -1e9], dtype)
    codes = np.empty(5, np.int16)
    encode_stochastic(near, codes, 1, 0, -(2**15), 2**15 - 1, stream_key(0, "w", code), bits)
    floor = np.clip(np.floor(near), -(2**15), 2**15 - 1)
    assert ((codes == floor) | (codes == floor + 1)).all()
    assert codes[3:].tolist() == [2**15 - 1, -(2**15)]


@given(st.integers(1, 16), st.integers(-128, 127), dtypes)
def test_grid_points_never_move(bits, code, dtype):
    codes = np.empty(4096, np.int8)
    for step in range(3):
        encode_stochastic(np.full(4096, code, dtype), codes, 1, 0, -128, 127, stream_key(0, "w", step), bits)
        assert (codes == code).all()


def test_adding_a_uniform_number_would_move_grid_points():
    """The trap that the carry avoids: floor(100 + u) in float32 leaves 100 when u rounds the sum up to 101."""
    u = np.float32(1 - 2**-24)
    assert np.floor(np.float32(100) + u) == 101


@given(seeds, st.integers(1, 6))
def test_few_bits_have_no_mean_bias_because_the_fraction_is_rounded_and_not_cut(seed, bits):
    """Over fractions spread evenly the mean is exact; a cut fraction would be low by 2**-(r + 1)."""
    fractions = np.arange(2**16) / 2**16
    kept = np.rint(fractions * 2**bits) / 2**bits
    assert abs((kept - fractions).mean()) < 2**-16  # the half-open end of the sample itself
    cut = np.floor(fractions * 2**bits) / 2**bits
    np.testing.assert_allclose((cut - fractions).mean(), -(2.0 ** -(bits + 1)), atol=2**-16)
    codes = np.empty(2**16, np.int8)
    encode_stochastic(fractions.astype(np.float32), codes, 1, 0, 0, 1, stream_key(seed, "w", 0), bits)
    assert abs(codes.mean() - fractions.mean()) < 6 * 0.5 / 2**8 * 0.82  # 6 sd; the mean of q(1-q) is at most 1/6


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
@given(seed=seeds, dtype=dtypes)
def test_nearest_is_odd_and_takes_halves_away_from_zero(backend, seed, dtype):
    x = np.concatenate([np.clip(numbers(seed, 200, dtype), -100, 100), np.arange(-100, 100, 0.5, dtype)])
    x = x[~np.isnan(x)]
    codes, mirrored = np.empty(len(x), np.int8), np.empty(len(x), np.int8)
    with use(backend=backend):
        encode_nearest(x, codes, 1, -128, 127)
        encode_nearest(-x, mirrored, 1, -128, 127)
    np.testing.assert_array_equal(codes, -mirrored)
    np.testing.assert_array_equal(codes, np.sign(x) * np.floor(np.abs(x.astype(np.float64)) + 0.5))


@given(seeds, st.floats(-1.5, 1.5, width=32))
def test_an_update_is_a_rounding_of_the_step_alone(seed, step):
    """Steps far below the resolution of a float32 at 127 still move codes as often as they should."""
    n, small = 200_000, 2.0**-14  # a multiple of 2**-16, so the mean is exact
    codes = np.full(n, 126, np.int8)
    update_codes(codes, np.full(n, -small, np.float32), 1, -128, 127, stream_key(seed, "w", 0))
    assert abs((codes - 126.0).mean() - small) < 6 * np.sqrt(small / n)
    codes = np.zeros(n, np.int8)
    update_codes(codes, np.full(n, -step, np.float32), 1, -128, 127, stream_key(seed, "w", 1))
    assert abs(codes.mean() - step) < 6 * 0.5 / np.sqrt(n)


# --- Degenerate input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
def test_infinities_saturate_and_are_counted_and_nan_never_makes_a_wild_code(backend):
    x = np.array([np.inf, -np.inf, np.nan, 1e30, 0.0], np.float32)
    codes = np.zeros(5, np.int8)
    with use(backend=backend):
        assert encode_stochastic(x, codes, 1, 0, -8, 7, stream_key(0, "w", 0)) == Counts(saturated=3, nan=1)
        assert codes.tolist() == [7, -8, -8, 7, 0]
        assert encode_nearest(x, codes, 1, -8, 7) == Counts(saturated=3, nan=1)
        assert codes.tolist() == [7, -8, -8, 7, 0]
        codes[:] = 3
        assert update_codes(codes, x, 1, -8, 7, stream_key(0, "w", 0)) == Counts(saturated=3, nan=1)
        assert codes.tolist() == [-8, 7, -8, -8, 3]


def test_mistakes_get_one_clear_sentence():
    x, codes, key = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.int8), stream_key(0, "w", 0)
    with pytest.raises(ValueError, match="expected 1 to 16"):
        encode_stochastic(x, codes, 1, 0, -8, 7, key, bits=17)
    with pytest.raises(ValueError, match="contiguous"):
        encode_nearest(x.T[:, :2], codes, 1, -8, 7)
    with pytest.raises(ValueError, match="int32"):
        shift_stochastic(np.zeros(3, np.int64), 2, key)
    with pytest.raises(ValueError, match="shift of 17, expected"):
        shift_stochastic(np.zeros(3, np.int32), 17, key)
    with pytest.raises(ValueError, match="at most 16 bits"):
        encode_stochastic(x, codes, 1, 0, -8, 2**15, key)
    with pytest.raises(ValueError, match="int16 codes, expected int8"):
        update_codes(codes.astype(np.int16), x, 1, -8, 7, key)
