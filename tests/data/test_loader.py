"""Batches: every image once, the same bits for any batch size, start and order of epochs; and the background thread."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.data import CropFlip, DataError, Dataset, ahead, batches, normalize

seeds = st.integers(0, 2**64 - 1)
epochs = st.integers(0, 1000)
sizes = st.integers(1, 12)
augmentations = st.sampled_from([None, CropFlip(pad=2), CropFlip(pad=1, flip=False)])


@st.composite
def datasets(draw):
    """Random images whose label is their index, so that a test can tell them."""
    n, width, channels = draw(st.tuples(st.integers(1, 40), st.integers(1, 5), st.integers(1, 3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Dataset(rng.integers(0, 256, (n, 4, width, channels), np.uint8), np.arange(n))


def joined(parts):
    parts = list(parts)
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


@given(datasets(), sizes, seeds, epochs, augmentations, st.booleans())
def test_every_image_exactly_once_with_its_label(dataset, batch_size, seed, epoch, augment, shuffle):
    parts = list(batches(dataset, batch_size, seed=seed, epoch=epoch, augment=augment, shuffle=shuffle))
    assert [len(y) for _, y in parts[:-1]] == [batch_size] * (len(parts) - 1)
    x, y = joined(parts)
    assert x.dtype == np.float32 and y.dtype == np.int64 and x.shape == dataset.images.shape
    np.testing.assert_array_equal(np.sort(y), np.arange(len(dataset)))
    if not shuffle:
        np.testing.assert_array_equal(y, np.arange(len(dataset)))
    if augment is None:
        np.testing.assert_array_equal(x, normalize(dataset.images[y], dataset.mean, dataset.std))


@given(datasets(), sizes, sizes, seeds, epochs, augmentations, st.booleans())
def test_the_batch_size_changes_no_bit(dataset, one, other, seed, epoch, augment, shuffle):
    kind = {"seed": seed, "epoch": epoch, "augment": augment, "shuffle": shuffle}
    x, y = joined(batches(dataset, one, **kind))
    x_other, y_other = joined(batches(dataset, other, **kind))
    assert x.tobytes() == x_other.tobytes()
    np.testing.assert_array_equal(y, y_other)


@given(datasets(), sizes, st.integers(0, 15), seeds, epochs, augmentations)
def test_a_resumed_epoch_goes_on_with_the_same_bits(dataset, batch_size, start, seed, epoch, augment):
    kind = {"seed": seed, "epoch": epoch, "augment": augment}
    whole = list(batches(dataset, batch_size, **kind))
    rest = list(batches(dataset, batch_size, start=start, **kind))
    assert len(rest) == max(0, len(whole) - start)
    for (x, y), (x_rest, y_rest) in zip(whole[start:], rest, strict=True):
        assert x.tobytes() == x_rest.tobytes()
        np.testing.assert_array_equal(y, y_rest)


@given(datasets(), sizes, seeds, st.permutations(range(4)))
def test_epochs_do_not_depend_on_those_before(dataset, batch_size, seed, order):
    def run(epoch):
        return joined(batches(dataset, batch_size, seed=seed, epoch=epoch, augment=CropFlip()))[0].tobytes()

    expected = [run(epoch) for epoch in range(4)]
    found = {epoch: run(epoch) for epoch in order}
    assert [found[epoch] for epoch in range(4)] == expected


@given(datasets(), sizes, seeds, epochs)
def test_drop_last_leaves_out_only_a_short_last_batch(dataset, batch_size, seed, epoch):
    whole = [y for _, y in batches(dataset, batch_size, seed=seed, epoch=epoch)]
    full = [y for _, y in batches(dataset, batch_size, seed=seed, epoch=epoch, drop_last=True)]
    expected = [y for y in whole if len(y) == batch_size]
    assert len(full) == len(expected)
    for a, b in zip(full, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_epochs_and_seeds_give_different_orders():
    dataset = Dataset(np.zeros((200, 1, 1, 1), np.uint8), np.arange(200))
    orders = {tuple(joined(batches(dataset, 50, seed=s, epoch=e))[1]) for s in range(3) for e in range(3)}
    assert len(orders) == 9


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"batch_size": 4, "start": -1}])
def test_impossible_arguments_are_refused_at_once(arguments):
    dataset = Dataset(np.zeros((2, 1, 1, 1), np.uint8), np.arange(2))
    with pytest.raises(DataError, match="expected at least 1 and 0"):
        batches(dataset, **arguments, seed=0, epoch=0)


@given(datasets())
def test_normalized_training_images_have_mean_0_and_deviation_1(dataset):
    x = normalize(dataset.images, dataset.mean, dataset.std).astype(np.float64)
    exact = (dataset.images / 255 - dataset.mean) / dataset.std
    # float32 scale, shift, product and sum: each errs by 2**-24 of values up to 255 scale and |shift|
    size = np.abs(dataset.mean / dataset.std).max() + (1 / dataset.std).max()
    np.testing.assert_allclose(x, exact, rtol=0, atol=4 * 2.0**-24 * size)


# --- The background thread -------------------------------------------------------------------------------------------


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("minidl-data")]


@given(st.lists(st.integers()))
def test_ahead_yields_the_same_items(items):
    assert list(ahead(iter(items))) == items
    assert not loader_threads()


def test_ahead_prepares_exactly_one_item_in_another_thread():
    made = []

    def items():
        for k in range(5):
            made.append(k)
            yield threading.current_thread().name

    iterator = ahead(items())
    assert not made  # nothing happens before the first item is asked for
    assert next(iterator).startswith("minidl-data")
    deadline = time.monotonic() + 10
    while len(made) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert made == [0, 1]
    iterator.close()
    assert not loader_threads()


def test_an_exception_comes_out_where_its_item_would_have():
    def items():
        yield 1
        yield 2
        raise RuntimeError("broken image")

    iterator = ahead(items())
    assert [next(iterator), next(iterator)] == [1, 2]
    with pytest.raises(RuntimeError, match="broken image"):
        next(iterator)
    assert not loader_threads()


def test_leaving_the_loop_stops_the_thread():
    dataset = Dataset(np.zeros((64, 2, 2, 1), np.uint8), np.arange(64))
    for _ in ahead(batches(dataset, 4, seed=0, epoch=0)):
        break
    deadline = time.monotonic() + 10
    while loader_threads() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not loader_threads()
