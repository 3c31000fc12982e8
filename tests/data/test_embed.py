"""The embedded files are what the script makes of the real Fashion-MNIST."""

import gzip
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.data.embed import compress, embedded_files, first_of_each_class
from minidl.data.reading import EMBEDDED


@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=50), n=st.integers(1, 10))
def test_the_first_of_each_class_in_order(labels, n):
    labels = np.array(labels)
    expected = [i for i, k in enumerate(labels) if (labels[:i] == k).sum() < n]
    assert first_of_each_class(labels, n).tolist() == expected


@given(st.binary(max_size=100))
def test_compression_keeps_no_time_and_no_name(content):
    packed = compress(content)
    assert gzip.decompress(packed) == content
    assert packed[3] == 0 and packed[4:8] == bytes(4)  # no flags, hence no name; no time


@pytest.mark.skipif("MINIDL_DATA" not in os.environ, reason="MINIDL_DATA names no folder with the real Fashion-MNIST")
def test_the_embedded_files_come_from_the_real_set():
    # compared unpacked: another zlib may pack the same bytes otherwise
    for name, content in embedded_files(os.environ["MINIDL_DATA"]).items():
        assert gzip.decompress((EMBEDDED / f"{name}.gz").read_bytes()) == content
