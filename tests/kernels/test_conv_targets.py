"""The convolution's tests once more, with the code generator held to narrower processors than this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

X86 = os.uname().machine == "x86_64" if hasattr(os, "uname") else False
RUN_TILE = "from minidl.kernels.tile import registers, tile_rows; print(registers(), tile_rows())"


def environment(cpu):
    # numba keeps the host's features beside the name, AVX-512 among them, unless they are set as well.
    return {**os.environ, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}


@pytest.mark.skipif(not X86, reason="names x86 processors")
@pytest.mark.parametrize(("cpu", "expected"), [("haswell", "ymm 4"), ("x86-64", "xmm 2"), ("znver4", "zmm 8")])
def test_the_tile_follows_what_llvm_emits(cpu, expected):
    done = subprocess.run([sys.executable, "-c", RUN_TILE], env=environment(cpu), capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not X86, reason="names x86 processors")
@pytest.mark.parametrize("cpu", ["haswell", "x86-64"])
@pytest.mark.parametrize("suite", ["test_conv.py", "test_lanewise.py"])
def test_the_suite_passes_on_a_narrower_processor(cpu, suite):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__).with_name(suite))],
        env=environment(cpu), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
