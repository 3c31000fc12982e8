"""Where numba does not exist, minidl imports, trains and gives the same numbers, from its NumPy twins.

To run any other test on the twins: `MINIDL_BACKEND=numpy pytest tests/ops`.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

from minidl.kernels.backend import numba_available

HIDE_NUMBA = """
import sys
from importlib.machinery import PathFinder

class WithoutNumba(PathFinder):
    @classmethod
    def find_spec(cls, name, *args, **kwargs):
        return None if name.split(".")[0] in ("numba", "llvmlite") else super().find_spec(name, *args, **kwargs)

sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutNumba
"""

TRAIN = """
import sys
import numpy as np
import minidl
from minidl import nn, ops

rng = np.random.default_rng(0)
x, labels = rng.standard_normal((8, 8, 8, 2)).astype(np.float32), rng.integers(0, 3, 8)
net = nn.Sequential(
    nn.Conv2d(2, 6, 3, padding=1, rng=0), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 6, 3, 2, 1, groups=3, rng=1), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6, 3, rng=2),
)
for _ in range(3):
    net.zero_grad()
    loss = ops.cross_entropy(net(x), labels)
    loss.backward()
    for p in net.parameters():
        p.data -= np.float32(0.1) * p.grad.numpy()
    print(repr(loss.item()))
print(repr(float(ops.cross_entropy(net.eval()(x), labels).item())))
print("numba" in sys.modules)
"""


def run(program, **environment):
    completed = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True, timeout=120
    )
    assert completed.returncode == 0, completed.stderr
    *losses, has_numba = completed.stdout.split()
    return np.array([float(v) for v in losses]), has_numba == "True"


@pytest.fixture(scope="module")
def twins():
    losses, has_numba = run(HIDE_NUMBA + TRAIN)
    assert not has_numba
    return losses


def test_three_steps_of_training_without_numba(twins):
    assert np.isfinite(twins).all() and twins[2] < twins[0]


def test_chosen_twins_are_what_runs_without_numba(twins):
    losses, has_numba = run(TRAIN, MINIDL_BACKEND="numpy")
    assert not has_numba
    np.testing.assert_array_equal(losses, twins)


@pytest.mark.skipif(not numba_available(), reason="compares with the compiled kernels")
def test_compiled_kernels_train_alike(twins):
    losses, has_numba = run(TRAIN, MINIDL_BACKEND="numba")
    assert has_numba
    np.testing.assert_allclose(losses, twins, rtol=1e-4)  # three steps multiply the kernels' 1e-6 by less than 100


def test_asking_for_numba_where_it_is_not_says_so():
    program = HIDE_NUMBA + "import minidl\ntry:\n    minidl.use(backend='numba')\nexcept ValueError as e:\n    print(e)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "numba is not installed" in found.stdout, found.stderr
