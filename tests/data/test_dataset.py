"""`Dataset`: refuses what is not a set of labelled images, is read-only, and splits without loss."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.data import DataError, Dataset
from minidl.data.dataset import channel_statistics


@st.composite
def datasets(draw, min_size=1):
    n = draw(st.integers(min_size, 40))
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Dataset(rng.integers(0, 256, (n, *shape), np.uint8), rng.integers(0, 7, n))


def some(n=6, **changes):
    arguments = {"images": np.zeros((n, 4, 4, 3), np.uint8), "labels": np.arange(n), **changes}
    return Dataset(**arguments)


@given(datasets())
def test_statistics_are_those_of_numpy(dataset):
    pixels = dataset.images.reshape(-1, dataset.images.shape[3]) / 255
    mean, std = channel_statistics(dataset.images)
    np.testing.assert_allclose(mean, pixels.mean(axis=0), rtol=1e-12, atol=1e-15)  # both sum in float64
    varies = pixels.std(axis=0) > 1e-9
    np.testing.assert_allclose(std[varies], pixels.std(axis=0)[varies], rtol=1e-9)
    assert (std[~varies] == 1).all()


@given(datasets(), st.data())
def test_a_subset_keeps_pairs_classes_and_statistics(dataset, data):
    index = data.draw(st.lists(st.integers(0, len(dataset) - 1), min_size=1, max_size=20))
    part = dataset.subset(index)
    np.testing.assert_array_equal(part.images, dataset.images[index])
    np.testing.assert_array_equal(part.labels, dataset.labels[index])
    assert part.classes == dataset.classes
    np.testing.assert_array_equal(part.mean, dataset.mean)


@given(datasets(min_size=2), st.data(), st.integers(0, 2**64 - 1))
def test_a_split_is_a_partition_in_the_original_order(dataset, data, seed):
    n = data.draw(st.integers(1, len(dataset) - 1))
    marked = Dataset(dataset.images, np.arange(len(dataset)))  # labels that tell each image
    rest, held = marked.split(n, seed)
    assert len(held) == n
    assert sorted([*rest.labels, *held.labels]) == list(range(len(dataset)))
    assert (np.diff(rest.labels) > 0).all() and (np.diff(held.labels) > 0).all()
    again = marked.split(n, seed)
    np.testing.assert_array_equal(again[1].labels, held.labels)


def test_two_seeds_split_differently():
    dataset = some(100)
    assert (dataset.split(50, 0)[1].labels != dataset.split(50, 1)[1].labels).any()


def test_the_first_n():
    np.testing.assert_array_equal(some().subset(2).labels, [0, 1])


def test_arrays_are_read_only_and_attributes_frozen():
    images = np.zeros((2, 4, 4, 1), np.uint8)
    dataset = Dataset(images, np.array([0, 1]))
    with pytest.raises(ValueError, match="read-only"):
        dataset.images[0, 0, 0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"
    images[0] = 1  # the caller's own array stays writeable, and is the same memory
    assert (dataset.images[0] == 1).all()


def test_a_list_of_labels_will_do():
    dataset = some(labels=[0, 1, 2, 0, 1, 2])
    assert dataset.labels.dtype == np.int64 and dataset.classes == ("0", "1", "2")


@pytest.mark.parametrize("nothing", [[], np.zeros(0, int), np.zeros(6, bool)])
def test_a_subset_of_nothing_is_refused(nothing):
    with pytest.raises(DataError, match="cannot take 0 of 6 images: ask for 1 to 6"):
        some().subset(nothing)


def test_types_and_repr():
    dataset = some(labels=np.arange(6, dtype=np.uint8), name="squares")
    assert dataset.labels.dtype == np.int64 and dataset.mean.dtype == np.float64
    assert repr(dataset) == "Dataset(squares: 6 images (4, 4, 3), 6 classes)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((6, 4, 4, 3), np.float32)}, r"images are float32 .* expected uint8 .*\(N, H, W, C\)"),
        ({"images": np.zeros((6, 4, 4), np.uint8)}, r"shape \(6, 4, 4\), expected uint8"),
        ({"labels": np.zeros(6)}, r"labels are float64 .* expected integers"),
        ({"labels": np.zeros((6, 1), int)}, r"shape \(6, 1\), expected integers of shape \(N,\)"),
        ({"labels": np.arange(5)}, "found 6 images and 5 labels, expected the same number"),
        ({"labels": np.arange(-1, 5)}, "labels run from -1 to 4, expected 0 to 4"),
        ({"classes": ("a", "b")}, "labels run from 0 to 5, expected 0 to 1"),
        ({"mean": np.zeros(3), "std": np.zeros(3)}, "std above 0"),
        ({"mean": np.zeros(1), "std": np.ones(1)}, "expected 3 numbers each"),
        ({"mean": np.zeros(3)}, r"std \[\], expected 3 numbers each"),
        ({"std": np.ones(3)}, r"mean is \[\] .* expected 3 numbers each"),
        ({"mean": 0.5, "std": 0.5}, "mean is 0.5 and std 0.5, expected 3 numbers each"),
        ({"mean": [0.0, np.nan, 0.0], "std": np.ones(3)}, "expected 3 numbers each, finite"),
        ({"mean": np.zeros(3), "std": [1.0, np.inf, 1.0]}, "expected 3 numbers each, finite"),
        (
            {"images": np.zeros((6, 0, 8, 3), np.uint8)},
            r"shape \(6, 0, 8, 3\), expected at least one pixel and channel",
        ),
        (
            {"images": np.zeros((6, 8, 8, 0), np.uint8)},
            r"shape \(6, 8, 8, 0\), expected at least one pixel and channel",
        ),
        ({"labels": list("abcdef")}, r"labels are <U1 .* expected integers"),
    ],
)
def test_what_is_no_dataset_is_refused_in_one_sentence(changes, message):
    with pytest.raises(DataError, match=message) as caught:
        some(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("n", [0, -1, 7])
def test_impossible_counts(n):
    with pytest.raises(DataError, match=f"cannot take {n} of 6 images"):
        some().subset(n)
    with pytest.raises(DataError, match=f"cannot set {n} of 6 images aside"):
        some().split(n, 0)
