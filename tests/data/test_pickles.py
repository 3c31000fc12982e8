"""The inert pickle reader: agrees with `pickle` on plain values, and never runs anything a pickle asks for."""

import os
import pickle
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.data import DataError
from minidl.data.pickles import Call, read_pickle

atoms = st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text(max_size=5)
values = st.recursive(
    atoms, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=5), inner)
)


@given(values, st.sampled_from([2, 3, 4, 5]))
def test_agrees_with_pickle_on_plain_values(value, protocol):
    assert read_pickle(pickle.dumps(value, protocol), (), "test") == value


@given(st.dictionaries(st.binary(max_size=5), st.binary(max_size=300)))
def test_bytes_come_back_as_bytes(value):
    assert read_pickle(pickle.dumps(value, 3), (), "test") == value


class Malicious:
    """Unpickled, it would run a command that leaves a file behind."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path, protocol):
    trace = tmp_path / "trace"
    attack = pickle.dumps({"data": Malicious(trace), "labels": []}, protocol)
    with pytest.raises(DataError, match=r"system.*do not trust it|opcode .*use the official file"):
        read_pickle(attack, ("numpy ndarray",), "attack")
    assert not trace.exists()
    pickle.loads(attack)  # the attack itself works
    assert trace.exists()


def test_even_an_allowed_name_is_recorded_but_not_called(tmp_path):
    trace = tmp_path / "trace"
    name = f"{os.system.__module__} system"
    found = read_pickle(pickle.dumps(Malicious(trace), 2), (name,), "test")
    assert found == Call(name, (f"touch '{trace}'",))
    assert not trace.exists()


@pytest.mark.parametrize(
    "attack",
    [
        b"\x80\x02cbuiltins\neval\n(V1+1\ntR.",
        b"\x80\x02cnumpy\nload\n.",
        b"\x80\x02cnumpy ndarray\nx\n.",
        b"(S'touch x'\nios\nsystem\n.",  # INST
        b"\x80\x02cnumpy\nndarray\n)\x81.",  # NEWOBJ
        b"\x80\x02\x82\x01.",  # EXT1
        b"Pidentity\n.",  # PERSID
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",  # STACK_GLOBAL
    ],
)
def test_every_way_to_name_an_object_is_refused(attack):
    with pytest.raises(DataError, match=r"attack\.bin (asks for|uses the pickle opcode)"):
        read_pickle(attack, ("numpy ndarray",), "attack.bin")


def test_a_huge_memo_index_or_length_costs_nothing():
    started = time.perf_counter()
    assert read_pickle(b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b".", (), "test") is None
    with pytest.raises(DataError, match="not a readable pickle"):
        read_pickle(b"\x80\x02T" + struct.pack("<i", 2**31 - 1) + b"short.", (), "test")
    assert time.perf_counter() - started < 5


def test_nested_tuples_cannot_make_a_key_that_takes_for_ever_to_hash():
    doubled = b"h\x00h\x00\x86q\x00"  # get, get, pair, put
    bomb = b"\x80\x02}Nq\x00" + doubled * 60 + b"Ns."  # a key of 2**60 leaves
    with pytest.raises(DataError, match="a key that is neither text nor number"):
        read_pickle(bomb, (), "test")


@given(value=values, data=st.data())
def test_damage_gives_a_value_or_one_sentence(value, data):
    content = bytearray(pickle.dumps({"data": value, "more": [1, b"xyz"]}, data.draw(st.sampled_from([2, 4]))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_pickle(bytes(content[: data.draw(st.integers(0, len(content)))]), (), "damaged")
    except DataError as error:
        assert "\n" not in str(error).replace(repr("\n"), "")
