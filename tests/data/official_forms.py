"""Writers of the two official forms of CIFAR, for the tests of their readers."""

import struct

import numpy as np

from minidl.data.cifar import PIXELS


def rows_and_labels(n, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, PIXELS), np.uint8), rng.integers(0, 10, n)


def binary_version(rows, labels, coarse):
    columns = [labels[:, None].astype(np.uint8), rows]
    return np.hstack([np.full((len(rows), 1), 77, np.uint8)] * coarse + columns).tobytes()


def python_version(rows, labels, key=b"labels", fortran=False):
    """A batch as Python 2 wrote it: protocol 2, text and pixels as byte strings."""

    def string(text):
        return b"U" + bytes([len(text)]) + text

    numbers = b"".join(b"K" + bytes([int(k)]) for k in labels)
    shape = b"M" + struct.pack("<H", len(rows)) + b"M" + struct.pack("<H", PIXELS) + b"\x86"
    dtype = b"cnumpy\ndtype\n" + string(b"u1") + b"K\x00K\x01\x87R(K\x03" + string(b"|") + b"NNN"
    dtype += b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    raw = rows.tobytes(order="F" if fortran else "C")
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + string(b"b") + b"\x87R"
    array += b"(K\x01" + shape + dtype + (b"\x88" if fortran else b"\x89")
    array += b"T" + struct.pack("<i", len(raw)) + raw + b"tb"
    label_list = b"](" + numbers + b"e"
    title = string(b"batch_label") + string(b"training batch 1 of 5")
    return b"\x80\x02}q\x01(" + title + string(key) + label_list + string(b"data") + array + b"u."
