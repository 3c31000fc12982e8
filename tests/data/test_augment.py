"""Crop and flip: what comes out is a window of the padded image, and depends on (seed, epoch, index) alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.data import CropFlip

seeds = st.integers(0, 2**64 - 1)
epochs = st.integers(0, 2**32)


@st.composite
def image_batches(draw):
    n, height, width = draw(st.tuples(st.integers(1, 12), st.integers(1, 9), st.integers(1, 9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = rng.integers(0, 256, (n, height, width, draw(st.integers(1, 3))), np.uint8)
    return images, rng.choice(100_000, n, replace=False)


@given(image_batches(), st.integers(0, 5), st.booleans(), seeds, epochs)
def test_each_result_is_the_drawn_window_of_the_padded_image(batch, pad, flip, seed, epoch):
    images, index = batch
    before = images.copy()
    augment = CropFlip(pad, flip)
    results = augment(images, index, seed=seed, epoch=epoch)
    top, left, mirror = augment.draw(index, seed=seed, epoch=epoch)
    height, width = images.shape[1:3]
    for i, image in enumerate(images):
        padded = np.zeros((height + 2 * pad, width + 2 * pad, image.shape[2]), np.uint8)
        padded[pad : pad + height, pad : pad + width] = image
        window = padded[top[i] : top[i] + height, left[i] : left[i] + width]
        assert window.shape == image.shape  # the corner lies in range
        np.testing.assert_array_equal(results[i], window[:, ::-1] if mirror[i] else window)
    assert flip or not mirror.any()
    np.testing.assert_array_equal(images, before)


@given(image_batches(), st.data(), seeds, epochs)
def test_an_image_changes_alike_in_any_batch(batch, data, seed, epoch):
    images, index = batch
    whole = CropFlip()(images, index, seed=seed, epoch=epoch)
    chosen = np.array(data.draw(st.permutations(range(len(images)))))[: data.draw(st.integers(1, len(images)))]
    part = CropFlip()(images[chosen], index[chosen], seed=seed, epoch=epoch)
    np.testing.assert_array_equal(part, whole[chosen])


@given(image_batches(), seeds, epochs)
def test_without_padding_and_flip_nothing_changes(batch, seed, epoch):
    images, index = batch
    np.testing.assert_array_equal(CropFlip(0, flip=False)(images, index, seed=seed, epoch=epoch), images)


@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (0, 1), (1, 0)])
def test_corners_are_uniform_flips_are_half_and_both_independent(seed, epoch):
    n, sides = 50_000, 9
    top, left, mirror = CropFlip().draw(np.arange(n), seed=seed, epoch=epoch)
    cells = np.bincount((top * sides + left) * 2 + mirror, minlength=2 * sides**2)
    expected = n / len(cells)
    statistic = ((cells - expected) ** 2).sum() / expected
    freedom = len(cells) - 1
    # uint16 * 9 >> 16 favours some corners by 1e-4 of their share, far below the 5 sigmas here
    assert abs(statistic - freedom) < 5 * np.sqrt(2 * freedom)
    assert abs(mirror.mean() - 0.5) < 5 * 0.5 / np.sqrt(n)


def test_epochs_and_seeds_draw_independently():
    n = 50_000
    draws = [CropFlip().draw(np.arange(n), seed=s, epoch=e) for s, e in [(0, 0), (0, 1), (1, 0)]]
    for one in range(3):
        for other in range(one):
            for a, b in zip(draws[one], draws[other], strict=True):
                assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(n)
