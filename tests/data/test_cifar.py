"""The CIFAR readers: both official forms give the same images, and anything else is refused."""

import gzip
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from official_forms import binary_version, python_version, rows_and_labels

from minidl.data import DataError
from minidl.data.cifar import PIXELS, planes_to_nhwc, read_binary, read_python


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("cifar") / "batch"


def modern_pickle(batch):
    """What Python 3 and NumPy 2 write, with the old name of NumPy's core."""
    return pickle.dumps(batch, 3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def test_the_pickles_made_here_are_what_pickle_reads():
    rows, labels = rows_and_labels(3, 0)
    for fortran in (False, True):
        batch = pickle.loads(python_version(rows, labels, fortran=fortran), encoding="bytes")
        np.testing.assert_array_equal(batch[b"data"], rows)
        assert batch[b"labels"] == labels.tolist()


@given(rows=st.integers(1, 5), seed=st.integers(0, 2**32 - 1), coarse=st.integers(0, 1), packed=st.booleans())
def test_binary_version(path, rows, seed, coarse, packed):
    rows, labels = rows_and_labels(rows, seed)
    content = binary_version(rows, labels, coarse)
    path.write_bytes(gzip.compress(content) if packed else content)
    images, found = read_binary(path, len(rows), 1 + coarse)
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(images, planes_to_nhwc(rows))


@given(
    rows=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
    key=st.sampled_from([b"labels", b"fine_labels"]),
    fortran=st.booleans(),
    packed=st.booleans(),
)
def test_python_version(path, rows, seed, key, fortran, packed):
    rows, labels = rows_and_labels(rows, seed)
    content = python_version(rows, labels, key, fortran)
    path.write_bytes(gzip.compress(content) if packed else content)
    images, found = read_python(path, len(rows), key)
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(images, planes_to_nhwc(rows))


def test_batches_pickled_again_by_python_3(path):
    rows, labels = rows_and_labels(4, 1)
    path.write_bytes(modern_pickle({b"data": rows, b"labels": labels.tolist()}))
    np.testing.assert_array_equal(read_python(path, 4, b"labels")[0], planes_to_nhwc(rows))


def test_planes_become_channels():
    rows = np.zeros((1, PIXELS), np.uint8)
    rows[0, 2 * 1024 + 5 * 32 + 7] = 9  # blue, row 5, column 7
    images = planes_to_nhwc(rows)
    assert images.shape == (1, 32, 32, 3) and images[0, 5, 7, 2] == 9 and images.sum() == 9


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({b"labels": [1, 2]}, "is no CIFAR batch"),
        ([1, 2], "is no CIFAR batch"),
        ({b"data": np.zeros((2, PIXELS), np.uint8), b"labels": [1]}, "no list of 2 integer labels"),
        ({b"data": np.zeros((2, PIXELS), np.uint8), b"labels": [1, "2"]}, "no list of 2 integer labels"),
        ({b"data": np.zeros((3, PIXELS), np.uint8), b"labels": [1, 2]}, r"no uint8 array of shape \(2, 3072\)"),
        ({b"data": np.zeros((2, PIXELS), np.int8), b"labels": [1, 2]}, "no uint8 array"),
        ({b"data": np.zeros((2, PIXELS), np.uint16), b"labels": [1, 2]}, "no uint8 array"),
        ({b"data": bytes(2 * PIXELS), b"labels": [1, 2]}, "no uint8 array"),
    ],
)
def test_other_batches_are_refused(path, batch, message):
    path.write_bytes(modern_pickle(batch))
    with pytest.raises(DataError, match=message):
        read_python(path, 2, b"labels")


def test_an_array_of_objects_is_refused(path):
    array = np.empty((2, 1), object)
    path.write_bytes(modern_pickle({b"data": array, b"labels": [1, 2]}))
    with pytest.raises(DataError, match="no uint8 array"):
        read_python(path, 2, b"labels")


@given(cut=st.integers(1, 2 * (PIXELS + 1)))
def test_a_truncated_binary_file_is_refused(path, cut):
    content = binary_version(*rows_and_labels(2, 0), 0)
    path.write_bytes(content[:-cut])
    with pytest.raises(DataError, match="is truncated"):
        read_binary(path, 2, 1)
