"""Compile an exported network, call it, and see that it keeps to its memory."""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

CC = shutil.which("cc")
STRICT = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
SANITIZE = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@functools.cache
def has_sanitizers():
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "a.c")
        source.write_text("int main(void) { return 0; }\n")
        return CC is not None and subprocess.run([CC, *SANITIZE, source, "-o", source.with_suffix("")]).returncode == 0


needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler (cc) on this machine")
needs_sanitizers = pytest.mark.skipif(not has_sanitizers(), reason="no C compiler (cc) with sanitizers on this machine")


def self_check(folder, options):
    """Compile network.c and main.c, run the self-check, and return the program."""
    program = folder / "network"
    files = [folder / "network.c", folder / "main.c"]
    subprocess.run([CC, *STRICT, *options, *files, "-lm", "-o", program], check=True, timeout=300)
    completed = subprocess.run([program], capture_output=True, text=True, timeout=100)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return program


def computed(folder, x, y_shape):
    """What the compiled network makes of each sample of x; canaries behind its memory and its output must survive."""
    library = folder / "network.so"
    files = [folder / "network.c", "-lm", "-o", library]
    subprocess.run([CC, *STRICT, "-O1", "-fPIC", "-shared", *files], check=True, timeout=300)
    call = ctypes.CDLL(str(library)).network
    call.restype, call.argtypes = None, [ctypes.c_void_p] * 3
    memory = np.full(defined(folder, "MEMORY") + 64, 12345, np.float32)
    y = np.full((len(x), defined(folder, "OUTPUTS") + 64), 54321, np.float32)
    before = x.copy()
    for sample, result in zip(x, y, strict=True):
        call(sample.ctypes.data, result.ctypes.data, memory.ctypes.data)
    assert (memory[-64:] == 12345).all() and (y[:, -64:] == 54321).all() and (x == before).all()
    return y[:, :-64].reshape(len(x), *y_shape)


def defined(folder, name):
    """The number that network.h defines."""
    lines = (folder / "network.h").read_text().splitlines()
    (number,) = (line.split()[2] for line in lines if line.startswith(f"#define NETWORK_{name} "))
    return int(number)
