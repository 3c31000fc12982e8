"""The file format: what goes in comes out, any damage is found, and a failed write loses nothing."""

import errno
import hashlib
import io
import json
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import minidl
from minidl import checkpoint, nn
from minidl.checkpoint import CheckpointError, load, read, save, write

DTYPES = st.sampled_from(["bool", "int8", "uint8", "int64", "float16", "float32", "float64"])
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\\\0"), min_size=1, max_size=12).filter(
    lambda name: not name.endswith("/")
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def array_dicts(draw):
    arrays = {}
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        shape = draw(array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        array = (rng.standard_normal(shape) * 50).astype(draw(DTYPES))
        layout = draw(st.sampled_from(["C", "F", "strided"]))
        arrays[name] = array.T if layout == "F" else array[..., ::2] if layout == "strided" and shape else array
    return arrays


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.npz"


def fails(words, path, call=read):
    with pytest.raises(CheckpointError, match=words) as caught:
        call(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@given(array_dicts(), st.dictionaries(st.text(), JSON, max_size=4))
def test_what_goes_in_comes_out(tmp_path_factory, arrays, meta):
    path = tmp_path_factory.mktemp("some") / "file"
    write(path, arrays, meta)
    found, found_meta = read(path)
    assert found_meta == meta and list(found) == list(arrays)
    for name, array in arrays.items():
        assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
        assert found[name].tobytes() == array.tobytes()
        found[name][...] = 0  # an array of its own, to be written to


def test_numpy_reads_it_too(path):
    write(path, {"a/b": np.arange(6).reshape(2, 3)}, {})
    with np.load(path, allow_pickle=False) as archive:
        assert np.array_equal(archive["a/b"], np.arange(6).reshape(2, 3))


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in "ab":
        write(tmp_path / name, {"x": np.arange(5.0)}, {"k": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    path = tmp_path_factory.mktemp("intact") / "x.npz"
    write(path, {"a": np.arange(20, dtype=np.float32), "b": np.zeros((), np.int64)}, {"k": [1, 2]})
    return path.read_bytes()


def test_every_flipped_byte_is_found(path, intact):
    for i in range(len(intact)):
        path.write_bytes(intact[:i] + bytes([intact[i] ^ 0x40]) + intact[i + 1 :])
        with pytest.raises(CheckpointError):
            read(path)


def test_every_truncation_is_found(path, intact):
    for n in range(len(intact)):
        path.write_bytes(intact[:n])
        with pytest.raises(CheckpointError):
            read(path)
    path.write_bytes(intact[:-1])
    fails("truncated or damaged", path)
    path.write_bytes(intact + b"\0")
    fails("truncated or damaged", path)


def test_foreign_files(path, tmp_path):
    fails("could not be read.*No such file", path)
    fails("could not be read", tmp_path)
    np.savez(path, a=np.zeros(3))
    fails("no checkpoint of minidl", path)
    path.write_bytes(b"\x93NUMPY nonsense" * 9)
    fails("no checkpoint of minidl", path)


# -- hostile files: a right digest around something else -------------------------------------------------------


def forge(path, members, compression=zipfile.ZIP_STORED):
    """Write a file as `write` would, but with any members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
        archive.comment = b"0" * 64
    body = buffer.getvalue()[:-64]
    path.write_bytes(body + hashlib.sha256(body).hexdigest().encode())


def npy(dtype, shape, data=b""):
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}".encode()
    header += b" " * (-len(header) - 11 % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


HEAD = json.dumps({"format": 1, "meta": {}})


def test_the_forger_can_forge(path):
    forge(path, {"minidl.json": HEAD, "a.npy": npy("<f4", (2,), b"\0" * 8)})
    assert read(path)[0]["a"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (npy("<f4", (1 << 60,)), "does not fit"),  # an exabyte promised, none there
        (npy("<f4", (3,), b"\0" * 8), "does not fit"),
        (npy("<f4", (1,), b"\0" * 8), "does not fit"),
        (npy("|O", (1,), b"\0" * 8), "object"),
        (npy("<f4", (-1, -2), b"\0" * 8), "malformed"),
        (b"\x93NUMPY\x03\x00" + b"\0" * 64, "unknown version"),
        (b"", "malformed"),
    ],
)
def test_an_array_may_not_be_other_than_it_says(path, array, words):
    forge(path, {"minidl.json": HEAD, "a.npy": array})
    fails(words, path)


def test_nothing_is_unpacked(path):
    forge(path, {"minidl.json": HEAD, "a.npy": npy("|u1", (1 << 20,), b"\0" * (1 << 20))}, zipfile.ZIP_DEFLATED)
    fails("malformed.*unpacks", path)


@pytest.mark.parametrize("head", ["{}", "[]", "nonsense", "3", '{"format": 1, "meta": 3}', "[" * 100_000])
def test_a_head_must_be_a_head(path, head):
    forge(path, {"minidl.json": head})
    fails("malformed", path)


def test_a_later_format_is_named(path):
    forge(path, {"minidl.json": json.dumps({"format": 2, "meta": {}})})
    fails("format 2, expected 1", path)


def test_no_objects_and_no_nan_in_the_record(path):
    with pytest.raises(TypeError, match="a is an array of object"):
        write(path, {"a": np.array([None])}, {})
    with pytest.raises(ValueError, match="JSON"):
        write(path, {}, {"loss": float("nan")})
    assert not path.exists()


# -- writing that fails ----------------------------------------------------------------------------------------


def no_room(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_full_disk_loses_nothing(path, monkeypatch, where):
    write(path, {"a": np.arange(3)}, {"first": True})
    before = path.read_bytes()
    monkeypatch.setattr(os, where, no_room)
    fails("could not be written.*[Nn]o space.*unchanged", path, lambda p: write(p, {"a": np.zeros(9)}, {}))
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_disk_that_is_really_full(path, size):
    write(path, {"a": np.arange(3)}, {"first": True})
    before = path.read_bytes()
    path.with_name(f".{path.name}.part").symlink_to("/dev/full")
    fails("could not be written.*[Nn]o space", path, lambda p: write(p, {"a": np.zeros(size)}, {}))
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == [path.name]


def test_an_error_half_way_loses_nothing(path):
    write(path, {"a": np.arange(3)}, {})
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), checkpoint.replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_not_there(tmp_path):
    fails("could not be written.*No such file", tmp_path / "no" / "file", lambda p: write(p, {}, {}))


# -- networks --------------------------------------------------------------------------------------------------


def small():
    return nn.Sequential(nn.Conv2d(1, 3, 3, rng=0), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2, rng=1))


def test_a_network_comes_back_whole(path):
    model = small()
    model[1].running_mean[...] = 0.5
    minidl.save(path, model)
    other = minidl.load(path)
    x = minidl.Tensor(np.random.default_rng(0).standard_normal((2, 4, 4, 1)).astype(np.float32))
    assert np.array_equal(model.eval()(x).numpy(), other.eval()(x).numpy())
    assert list(model.state_dict()) == list(other.state_dict())


@pytest.mark.parametrize("thing", [3, [], {"net": nn.ReLU()}])
def test_what_is_no_network_replaces_none(path, thing):
    minidl.save(path, nn.Linear(2, 1, rng=0))
    with pytest.raises(TypeError, match=f"save got a {type(thing).__name__}, expected a network"):
        minidl.save(path, thing)
    assert minidl.load(path).weight.shape == (1, 2)


def test_a_file_without_a_network(path):
    write(path, {"a": np.zeros(3)}, {})
    fails("holds no network", path, load)


def test_a_class_that_is_not_defined_here(path):
    save(path, small())
    arrays, meta = read(path)
    meta["model"]["class"] = "elsewhere:Net"
    write(path, arrays, meta)
    fails("does not fit this program.*elsewhere:Net", path, load)


def test_arrays_and_description_that_disagree(path):
    save(path, small())
    arrays, meta = read(path)
    arrays["model/layers.0.bias"] = np.zeros(4, np.float32)
    write(path, arrays, meta)
    fails("does not fit this program.*layers.0.bias", path, load)


def test_an_attribute_that_cannot_be_saved(path):
    model = small()
    model.secret = object()
    with pytest.raises(TypeError, match="secret"):
        save(path, model)
    assert not path.exists()
