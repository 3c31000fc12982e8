"""Freed memory stays with the process: the second time around, arrays cost no page faults."""

import platform
import subprocess
import sys

import pytest

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")

FAULTS = """
import resource
import sys
import numpy as np
from minidl.kernels.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def touch():
    arrays = [np.ones(1 << 19, np.float32) for _ in range(16)]  # 2 MB each, 512 pages: too small for huge pages

if sys.argv[1] == "keep":
    assert keep_freed_memory()
touch()
before = faults()
touch()
print(faults() - before)
"""

PREPARED = """
import numpy as np
from minidl.kernels import parallel
told = []
parallel.keep_freed_memory = lambda: told.append(1)
for _ in range(3):
    parallel.parallel_for(lambda start, stop: None, 4, 1)
print(len(told))
"""


def count(script, *args):
    done = subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True, check=True)
    return int(done.stdout)


@glibc
def test_arrays_of_a_second_step_need_no_fresh_pages():
    assert count(FAULTS, "leave") > 4000  # of 16 · 512; what the machine does unless told: the test can see it
    assert count(FAULTS, "keep") < 100


def test_the_first_loop_tells_it_once():
    assert count(PREPARED) == 1
