"""Reading a file of known size: whole or not at all, never more than promised, and one sentence when it fails."""

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.data.files import DataError, data_root, find_file, read_exact


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@given(content=st.binary(max_size=300), packed=st.booleans())
def test_a_file_of_the_right_size_is_read_packed_or_not(folder, content, packed):
    path = folder / "right"
    path.write_bytes(gzip.compress(content) if packed else b"." + content)
    expected = content if packed else b"." + content  # the dot: plain content must not look like gzip
    assert read_exact(path, len(expected)) == expected


@given(content=st.binary(min_size=1, max_size=300), error=st.sampled_from([-1, 1, -20, 20]), packed=st.booleans())
def test_a_wrong_size_is_refused(folder, content, error, packed):
    path, content = folder / "wrong", b"." + content
    path.write_bytes(gzip.compress(content) if packed else content)
    expected = max(0, len(content) + error)
    with pytest.raises(DataError, match="is truncated" if expected > len(content) else "longer than it should be"):
        read_exact(path, expected)


@given(content=st.binary(min_size=20, max_size=300), data=st.data())
def test_a_damaged_gzip_file_never_passes(folder, content, data):
    packed = bytearray(gzip.compress(content, mtime=0))
    path = folder / "damaged"
    if data.draw(st.booleans(), label="cut"):
        packed = packed[: data.draw(st.integers(3, len(packed) - 1))]
    else:
        place = data.draw(st.integers(10, len(packed) - 1))  # after the header, whose fields do not all matter
        packed[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(packed)
    try:
        assert read_exact(path, len(content)) == content  # a flipped bit that unpacks to the same bytes is harmless
    except DataError as error:
        assert str(path) in str(error) and "\n" not in str(error)


def test_a_gzip_bomb_costs_no_more_than_the_file_it_pretends_to_be(tmp_path):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(DataError, match="found more than 1000 unpacked bytes, expected exactly 1000"):
        read_exact(path, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_plain_file_is_measured_before_it_is_read(tmp_path):
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(DataError, match="longer than it should be"):
        read_exact(path, 1000)


def test_the_plain_file_is_found_before_the_packed_one(tmp_path):
    (tmp_path / "b").mkdir()
    folders = [tmp_path / "a", tmp_path / "b"]
    assert find_file(folders, "x") is None
    (tmp_path / "b" / "x.gz").touch()
    assert find_file(folders, "x") == tmp_path / "b" / "x.gz"
    (tmp_path / "b" / "x").touch()
    assert find_file(folders, "x") == tmp_path / "b" / "x"


def test_where_data_lies(monkeypatch, tmp_path):
    monkeypatch.delenv("MINIDL_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_root() == tmp_path / ".cache" / "minidl"
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert data_root() == Path("/cache/minidl")
    monkeypatch.setenv("MINIDL_DATA", "~/sets")
    assert data_root() == tmp_path / "sets"
    assert data_root("/given") == Path("/given")
