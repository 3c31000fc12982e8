"""`load`: every name, from every official form of the files, and one helpful sentence when it cannot."""

import dataclasses
import gzip
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from official_forms import binary_version, python_version, rows_and_labels

from minidl.data import DataError, load, reading
from minidl.data.catalog import CATALOG, CIFAR10_BATCHES, IDX_PARTS
from minidl.data.dataset import channel_statistics
from minidl.data.idx import idx_header

REAL = Path(os.environ.get("MINIDL_DATA", ""))
needs_real = pytest.mark.skipif(
    "MINIDL_DATA" not in os.environ, reason="MINIDL_DATA names no folder with the real datasets"
)
COUNTS = {"train": 50, "test": 10}


@pytest.fixture
def small(monkeypatch):
    """Every dataset of the catalog with 50 training and 10 test images, so that a test can write it."""
    for name in ("mnist", "fashion-mnist", "cifar10", "cifar100"):
        monkeypatch.setitem(CATALOG, name, dataclasses.replace(CATALOG[name], counts=COUNTS))


def labels_of(name, split):
    first = CATALOG[name].first_labels[split]
    return np.array((first * 10)[: COUNTS[split]], np.uint8)


def write(path, content, packed=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.with_name(path.name + ".gz") if packed else path).write_bytes(gzip.compress(content) if packed else content)


def write_idx(folder, name, packed=False):
    """Write a whole small set; return its images by split."""
    written = {}
    for split, part in IDX_PARTS.items():
        images = np.random.default_rng(len(part)).integers(0, 256, (COUNTS[split], 28, 28), np.uint8)
        labels = labels_of(name, split)
        write(folder / f"{part}-images-idx3-ubyte", idx_header(images.shape) + images.tobytes(), packed)
        write(folder / f"{part}-labels-idx1-ubyte", idx_header(labels.shape) + labels.tobytes(), packed)
        written[split] = images[..., None]
    return written


def write_cifar(folder, name, packed=False, python=False):
    """Write a whole small set in one of the two forms; return its pixel rows by split."""
    stems = {"train": ["train"], "test": ["test"]}
    if name == "cifar10":
        stems = {"train": CIFAR10_BATCHES[:-1], "test": CIFAR10_BATCHES[-1:]}
    written = {}
    for split, names in stems.items():
        rows, _ = rows_and_labels(COUNTS[split], len(split))
        labels = labels_of(name, split)
        for stem, part, own in zip(names, np.split(rows, len(names)), np.split(labels, len(names)), strict=True):
            key = b"labels" if name == "cifar10" else b"fine_labels"
            content = python_version(part, own, key) if python else binary_version(part, own, name == "cifar100")
            write(folder / (stem if python else f"{stem}.bin"), content, packed)
        written[split] = rows
    return written


# --- The embedded subset ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "each"), [("train", 600), ("test", 100)])
def test_the_embedded_subset_is_balanced(split, each):
    dataset = load("fashion-mnist-mini", split, root="/nonexistent")
    assert dataset.images.shape == (10 * each, 28, 28, 1)
    assert np.bincount(dataset.labels).tolist() == [each] * 10


def test_the_embedded_statistics_are_those_of_its_training_images():
    train, test = load("fashion-mnist-mini"), load("fashion-mnist-mini", "test")
    mean, std = channel_statistics(train.images)
    np.testing.assert_allclose(train.mean, mean, atol=5e-6)  # written with five decimals
    np.testing.assert_allclose(train.std, std, atol=5e-6)
    np.testing.assert_array_equal(test.mean, train.mean)


def test_the_embedded_files_carry_their_licence_and_stay_small():
    assert "MIT License" in (reading.EMBEDDED / "LICENSE").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in reading.EMBEDDED.iterdir()) < 3.2e6


def test_a_changed_embedded_file_is_noticed(tmp_path, monkeypatch):
    folder = tmp_path / "embedded"
    shutil.copytree(reading.EMBEDDED, folder)
    labels = folder / "train-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[-1] = (content[-1] + 1) % 10  # a valid file with one wrong label
    labels.write_bytes(gzip.compress(bytes(content)))
    monkeypatch.setattr(reading, "EMBEDDED", folder)
    with pytest.raises(DataError, match=r"SHA-256 .* it was changed; install minidl again"):
        load("fashion-mnist-mini")
    labels.unlink()
    with pytest.raises(DataError, match=r"is missing .* install minidl again"):
        load("fashion-mnist-mini")


# --- Small sets in every official form -------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("sub_folder", [0, 1, None])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_idx_sets(tmp_path, small, name, sub_folder, packed):
    folder = tmp_path if sub_folder is None else tmp_path / CATALOG[name].folders[sub_folder]
    written = write_idx(folder, name, packed)
    for split in COUNTS:
        dataset = load(name, split, tmp_path)
        np.testing.assert_array_equal(dataset.images, written[split])
        np.testing.assert_array_equal(dataset.labels, labels_of(name, split))
        assert dataset.name == name


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("python", [False, True], ids=["binary", "python"])
@pytest.mark.parametrize("in_root", [False, True])
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_sets(tmp_path, small, name, in_root, python, packed):
    folder = tmp_path if in_root else tmp_path / CATALOG[name].folders[python]
    written = write_cifar(folder, name, packed, python)
    for split in COUNTS:
        dataset = load(name, split, str(tmp_path))
        planes = written[split].reshape(-1, 3, 32, 32)
        np.testing.assert_array_equal(dataset.images, planes.transpose(0, 2, 3, 1))
        np.testing.assert_array_equal(dataset.labels, labels_of(name, split))


def test_the_environment_names_the_folder(tmp_path, small, monkeypatch):
    write_idx(tmp_path, "mnist")
    monkeypatch.setenv("MINIDL_DATA", str(tmp_path))
    assert len(load("mnist")) == 50


# --- One sentence when it cannot -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("cifar", "train", "no dataset 'cifar': choose one of fashion-mnist-mini, .*cifar10"),
        ("mnist", "validation", "no split 'validation': choose one of train, test"),
        ("mnist", "train", "needs the file train-images.* found neither in .*`minidl data fetch mnist`.*MINIDL_DATA"),
        ("cifar10", "test", r"cifar10 needs the file test_batch\.bin .*`minidl data fetch cifar10`"),
        ("cifar100", "train", r"cifar100 needs the file train\.bin "),
    ],
)
def test_what_is_not_there(tmp_path, name, split, message):
    with pytest.raises(DataError, match=message) as caught:
        load(name, split, tmp_path)
    assert "\n" not in str(caught.value)


def test_one_missing_batch_is_named(tmp_path, small):
    write_cifar(tmp_path, "cifar10")
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(DataError, match=r"needs the file data_batch_4\.bin"):
        load("cifar10", root=tmp_path)


@pytest.mark.parametrize(("name", "impostor"), [("mnist", "fashion-mnist"), ("fashion-mnist", "mnist")])
def test_another_set_with_the_same_files_is_refused(tmp_path, small, name, impostor):
    write_idx(tmp_path, impostor)
    with pytest.raises(DataError, match="these are files of another set"):
        load(name, root=tmp_path)


def test_labels_beyond_the_classes_are_refused(tmp_path, small):
    write_idx(tmp_path, "mnist")
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\x0a")
    with pytest.raises(DataError, match=r"reach 10, expected .* and 9 for mnist"):
        load("mnist", root=tmp_path)


# --- The real sets, where they are at hand ---------------------------------------------------------------------------


@needs_real
@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("fashion-mnist", "train"),
        ("fashion-mnist", "test"),
        ("cifar10", "test"),
        pytest.param("cifar10", "train", marks=pytest.mark.slow),
    ],
)
def test_real_sets_are_whole_and_balanced(name, split):
    dataset = load(name, split, REAL)
    item = CATALOG[name]
    assert dataset.images.shape == (item.counts[split], *item.shape)
    assert np.bincount(dataset.labels).tolist() == [item.counts[split] // 10] * 10
    if split == "train":
        mean, std = channel_statistics(dataset.images)
        np.testing.assert_allclose(dataset.mean, mean, atol=5.1e-6)  # written with five decimals
        np.testing.assert_allclose(dataset.std, std, atol=5.1e-6)


@needs_real
def test_a_real_file_in_planes_has_the_publishers_md5():
    dataset = load("cifar10", "test", REAL)
    planes = dataset.images.transpose(0, 3, 1, 2).reshape(10_000, -1)
    table = np.hstack([dataset.labels[:, None].astype(np.uint8), planes])
    assert hashlib.md5(table.tobytes()).hexdigest() == "803d5f7f4d78ea53de84dbe85f74fb6d"
