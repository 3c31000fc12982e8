"""The counter-based generator: known answers, twins of the same bits, and the statistics that users of it rely on.

The statistical tests draw from fixed keys, so they are deterministic; their bounds are 5 standard deviations of the
quantity under a perfect generator.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.kernels import random
from minidl.kernels.backend import numba_available, use
from minidl.kernels.parallel import get_num_threads, set_num_threads

N = 1 << 20
SIGMAS = 5.0

words64 = st.integers(0, 2**64 - 1)
parts = words64, words64 | st.text(max_size=20), words64
hash_keys, philox_keys = st.builds(random.stream_key, *parts), st.builds(random.philox_key, *parts)
keys = hash_keys | philox_keys
backends = ["numpy", pytest.param("numba", marks=pytest.mark.skipif(not numba_available(), reason="numba is absent"))]


def some_keys(count, *, seeds=False):
    """Keys of neighbouring steps (or seeds), where a bad key schedule would show."""
    return [random.stream_key(k if seeds else 0, "weight", 0 if seeds else k) for k in range(count)]


def chi_square_z(codes, cells):
    """How many standard deviations the chi-square statistic of uniform cells lies from its mean."""
    counts = np.bincount(codes, minlength=cells)
    expected = len(codes) / cells
    statistic = ((counts - expected) ** 2).sum() / expected
    return (statistic - (cells - 1)) / np.sqrt(2 * (cells - 1))


# --- Philox and the keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_known_answers(counter, key, answer):
    assert random.philox4x32(counter, key) == answer


@given(words64, words64, words64, st.sampled_from(["seed", "stream", "step"]), st.integers(0, 63))
def test_every_bit_of_seed_stream_and_step_changes_the_key(seed, stream, step, which, bit):
    changed = {"seed": seed, "stream": stream, "step": step}
    changed[which] ^= 1 << bit
    assert (random.stream_key(seed, stream, step) != random.stream_key(**changed)).any()


def test_keys_are_the_same_in_another_interpreter_with_another_hash_seed():
    code = "from minidl.kernels.random import stream_key; print(stream_key(7, 'conv1.weight', 3).tolist())"
    environment = {**os.environ, "PYTHONHASHSEED": "99"}
    output = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert output.strip() == str(random.stream_key(7, "conv1.weight", 3).tolist())


@pytest.mark.parametrize("backend", backends)
def test_draws_under_a_philox_key_are_the_published_words(backend):
    """Counter and key of the third published answer, of which every part differs."""
    (low, high), (step, *stream) = (0xA4093822, 0x299F31D0), (0x85A308D3, 0x13198A2E, 0x03707344)
    key = random.philox_key(high << 32 | low, stream[1] << 32 | stream[0], step)
    block, words = 0x243F6A88, np.zeros(4, np.uint32)
    with use(backend=backend):
        first = random.random_uint32(4, random.philox_key(0, 0, 0))
    assert first.tolist() == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    if backend == "numpy":
        words = random.stream_words(np.arange(4, dtype=np.uint64) + 4 * block, key)
    else:
        from minidl.kernels.random_compiled import fill_words

        fill_words(4 * block, words, key)
    assert words.tolist() == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


@given(philox_keys, st.integers(0, 40))
def test_every_word_of_a_philox_stream_is_that_of_its_block(key, word):
    block = random.philox4x32((word // 4, *key[2:].tolist()), tuple(key[:2].tolist()))
    assert random.random_uint32(word + 1, key)[word] == block[word % 4]


# --- Draws: purity and twins -----------------------------------------------------------------------------------------


@given(keys, st.integers(0, 300), st.integers(0, 300))
def test_draws_do_not_depend_on_how_many_are_drawn(key, a, b):
    short, long = sorted((a, b))
    for draw in (random.random_uint32, random.random_uint16, random.uniform):
        np.testing.assert_array_equal(draw(short, key), draw(long, key)[:short])


@pytest.mark.parametrize("make_key", [random.stream_key, random.philox_key])
@pytest.mark.parametrize("backend", backends)
def test_draws_do_not_depend_on_threads_or_backend(backend, make_key):
    key, n = make_key(1, "x", 2), 3 * random.GRAIN + 17
    former = get_num_threads()
    with use(backend="numpy"):
        expected = [draw(n, key) for draw in (random.random_uint32, random.random_uint16, random.uniform)]
    try:
        for threads in (1, 3):
            set_num_threads(threads)
            with use(backend=backend):
                found = [draw(n, key) for draw in (random.random_uint32, random.random_uint16, random.uniform)]
            for x, y in zip(expected, found, strict=True):
                assert x.dtype == y.dtype and x.tobytes() == y.tobytes()
    finally:
        set_num_threads(former)


@pytest.mark.skipif(not numba_available(), reason="numba is absent")
@given(keys, st.integers(0, 50), st.integers(0, 50))
def test_compiled_kernels_fill_the_same_range_with_the_same_bits(key, start, length):
    from minidl.kernels import random_compiled

    for name, dtype in (("fill_uint32", np.uint32), ("fill_uint16", np.uint16), ("fill_uniform", np.float32)):
        ours, theirs = np.zeros(120, dtype), np.zeros(120, dtype)
        getattr(random, name)(start, start + length, ours, key)
        getattr(random_compiled, name)(start, start + length, theirs, key)
        assert ours.tobytes() == theirs.tobytes()
        assert not ours[:start].any() and not ours[start + length :].any()


@pytest.mark.skipif(not numba_available(), reason="numba is absent")
@given(keys, st.sampled_from([1, 2, 2**14, 2**15 - 1]), st.integers(-50, 10), st.integers(0, 100))
def test_the_compiled_loop_crosses_runs_of_equal_upper_bits(key, runs, before, length):
    from minidl.kernels import random_compiled

    first, words = runs * random_compiled.RUN + before, np.zeros(length, np.uint32)
    random_compiled.fill_words(first, words, key)
    elements = np.arange(first, first + length, dtype=np.uint32)
    np.testing.assert_array_equal(words, random.stream_words(elements, key))


@given(keys, st.integers(0, 1000))
def test_halves_are_the_two_halves_of_each_word(key, pairs):
    halves, words = random.random_uint16(2 * pairs, key).astype(np.uint32), random.random_uint32(pairs, key)
    np.testing.assert_array_equal(halves[0::2] | halves[1::2] << np.uint32(16), words)


@given(hash_keys, st.integers(0, 2**32 - 1))
def test_the_hash_is_a_bijection_of_the_element(key, element):
    x = int(random.hash32(np.array([element], np.uint32), key)[0])
    for step in (2, 1, 0):  # undo the rounds, last first
        x = undo_shift(x, int(random.SHIFT[step + 1])) ^ (int(key[1]) if step == 0 else 0)
        x = x * pow(int(random.MULTIPLY[step]), -1, 2**32) % 2**32
    assert undo_shift(x, int(random.SHIFT[0])) ^ int(key[0]) == element


def undo_shift(x, shift):
    """The inverse of ``x ^= x >> shift``."""
    y = x
    for _ in range(32 // shift):
        y = x ^ (y >> shift)
    return y


# --- Draws: statistics -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [False, True], ids=["steps", "seeds"])
def test_mean_and_variance_of_uniform_draws(seeds):
    for key in some_keys(8, seeds=seeds):
        draws = random.uniform(N, key).astype(np.float64)
        assert draws.min() >= 0 and draws.max() < 1
        assert abs(draws.mean() - 1 / 2) < SIGMAS * np.sqrt(1 / 12 / N)
        assert abs(draws.var() - 1 / 12) < SIGMAS * np.sqrt(1 / 180 / N)


def test_mean_of_halves_as_stochastic_rounding_uses_them():
    for key in some_keys(8):
        mean = random.random_uint16(N, key).astype(np.float64).mean() / 65536
        assert abs(mean - (1 - 2**-16) / 2) < SIGMAS * np.sqrt(1 / 12 / N)


def test_every_bit_is_balanced():
    for key in some_keys(4):
        words = random.random_uint32(N, key)
        for bit in range(32):
            share = ((words >> np.uint32(bit)) & np.uint32(1)).mean()
            assert abs(share - 0.5) < SIGMAS * 0.5 / np.sqrt(N)


@pytest.mark.parametrize("shift", [0, 8, 16])
def test_sixteen_bits_of_a_word_are_uniform(shift):
    for key in some_keys(4):
        codes = random.random_uint32(N, key) >> np.uint32(shift) & np.uint32(0xFFFF)
        assert abs(chi_square_z(codes, 65536)) < SIGMAS


@pytest.mark.parametrize("lag", [1, 2, 3, 18, 32, 512, 1024, 8192])
@pytest.mark.parametrize("shift", [0, 8], ids=["low", "high"])
def test_halves_a_lag_apart_are_independent_those_of_one_word_too(lag, shift):
    for key in some_keys(3):
        byte = random.random_uint16(N, key).astype(np.uint32) >> np.uint32(shift) & np.uint32(0xFF)
        assert abs(chi_square_z(byte[:-lag] << np.uint32(8) | byte[lag:], 65536)) < SIGMAS


def test_avalanche_each_element_bit_flips_each_output_bit_half_of_the_time():
    n = 1 << 14
    elements = random.random_uint32(n, random.stream_key(5, "elements", 0))
    key = random.stream_key(0, 0, 0)
    base = random.hash32(elements, key)
    for bit in range(32):
        flipped = base ^ random.hash32(elements ^ np.uint32(1 << bit), key)
        share = np.unpackbits(flipped.view(np.uint8)).reshape(n, 32).mean(axis=0)
        assert np.abs(share - 0.5).max() < 6 * 0.5 / np.sqrt(n)  # the largest of 1024: 6 sigmas, once in 10^6


@pytest.mark.parametrize("lag", [1, 2, 3, 9, 16, 27, 64, 256, 512, 576, 4096, 65536])
@pytest.mark.parametrize("shift", [0, 24], ids=["low", "high"])
def test_elements_a_lag_apart_are_independent(lag, shift):
    # a hash of two multiplies fails here at powers of two, by 20 sigmas and more
    for key in some_keys(3):
        byte = random.random_uint32(N, key) >> np.uint32(shift) & np.uint32(0xFF)
        assert abs(chi_square_z(byte[:-lag] << np.uint32(8) | byte[lag:], 65536)) < SIGMAS


@pytest.mark.parametrize("other", [(0, "weight", 1), (1, "weight", 0), (0, "bias", 0), (1 << 32, "weight", 0)])
@pytest.mark.parametrize("shift", [0, 24], ids=["low", "high"])
def test_neighbouring_steps_seeds_and_streams_are_independent(other, shift):
    first, second = random.stream_key(0, "weight", 0), random.stream_key(*other)
    a, b = (random.random_uint32(N, key) >> np.uint32(shift) & np.uint32(0xFF) for key in (first, second))
    assert abs(chi_square_z(a << np.uint32(8) | b, 65536)) < SIGMAS
    correlation = np.corrcoef(random.uniform(N, first), random.uniform(N, second))[0, 1]
    assert abs(correlation) < SIGMAS / np.sqrt(N)


def test_one_element_over_many_steps_is_uniform():
    draws = np.array([random.random_uint32(4, random.stream_key(0, "weight", step)) for step in range(1 << 14)])
    for element in range(4):
        assert abs(chi_square_z(draws[:, element] >> np.uint32(24), 256)) < SIGMAS
        assert abs(chi_square_z(draws[:, element] & np.uint32(255), 256)) < SIGMAS


# --- Permutations ----------------------------------------------------------------------------------------------------


@given(keys, st.integers(0, 500))
def test_a_permutation_holds_every_number_once(key, n):
    order = random.permutation(n, key)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_all_permutations_are_equally_likely():
    weights = 4 ** np.arange(4)
    codes = np.array([random.permutation(4, key) @ weights for key in some_keys(24 * 200)])
    _, numbered = np.unique(codes, return_inverse=True)
    assert numbered.max() == 23
    assert abs(chi_square_z(numbered, 24)) < SIGMAS
