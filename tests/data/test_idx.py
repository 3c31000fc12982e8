"""The idx reader: reads what it writes, and refuses any other header."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from minidl.data import DataError
from minidl.data.idx import idx_header, read_idx


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "file-idx-ubyte"


def content_of(array):
    return idx_header(array.shape) + array.tobytes()


@given(shape=array_shapes(max_dims=3, max_side=6), seed=st.integers(0, 2**32 - 1), packed=st.booleans())
def test_reads_what_was_written(path, shape, seed, packed):
    array = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    path.write_bytes(gzip.compress(content_of(array)) if packed else content_of(array))
    np.testing.assert_array_equal(read_idx(path, shape), array)


def test_the_official_magic_numbers():
    assert idx_header((60000, 28, 28)) == bytes.fromhex("00000803 0000ea60 0000001c 0000001c")
    assert idx_header((10000,)) == bytes.fromhex("00000801 00002710")


@given(place=st.integers(0, 15), bit=st.integers(0, 7))
def test_any_other_header_is_refused(path, place, bit):
    content = bytearray(content_of(np.zeros((3, 4, 5), np.uint8)))
    content[place] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"expected the idx header 00000803 00000003 00000004 00000005"):
        read_idx(path, (3, 4, 5))
