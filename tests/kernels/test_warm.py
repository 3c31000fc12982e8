"""What `minidl warmup` compiles is all that networks need, and what it deletes is only what is old."""

import json
import os
import subprocess
import sys
import time

import pytest

pytest.importorskip("numba")

from minidl.cli import main
from minidl.kernels import choice, jit, warm
from minidl.kernels.backend import use

NETWORKS = """
import sys
import numpy as np
import minidl
from minidl import nn, ops
from minidl.kernels import backend, warm
from minidl.kernels.entry import Entry
from numba.core.dispatcher import Dispatcher

def compiled():
    modules = [module for name, module in sys.modules.items() if name.startswith("minidl.")]
    kernels = {kernel for module in modules for kernel in vars(module).values() if isinstance(kernel, Dispatcher)}
    entries = {kernel for module in modules for kernel in vars(module).values() if isinstance(kernel, Entry)}
    sums = {(name, "summing", sys.modules["minidl.kernels." + name].summing.cache_info().misses)
            for name in ("lanewise_sum", "lanewise_small")}
    return sums | {(k.py_func.__module__, k.py_func.__name__, str(s)) for k in kernels for s in k.signatures} | {
        (k.function.__module__, k.function.__name__, "") for k in entries if "compiled" in vars(k)}

backend.use(backend="numba")
for call in warm.calls().values():
    call()
ready = compiled()
assert len(ready) > 40
for name, options in [("lenet5", {}), ("vgg9", {}), ("vgg-bc", {}), ("resnet8", {}), ("resnet14", {"shortcut": "B"}),
                      ("densenet121", {"growth": 4}), ("tiny-mobile", {}), ("resnet18", {})]:
    shape = (28, 28, 1) if name == "lenet5" else (32, 32, 3)
    net = nn.models.build(name, input_shape=shape, rng=0, **options)
    for optimizer in (minidl.optim.SGD(net.named_parameters(), lr=0.1, momentum=0.9, nesterov=True),
                      minidl.optim.SGD(net.named_parameters(), lr=0.1), minidl.optim.Adam(net.named_parameters())):
        net.train().zero_grad()
        ops.cross_entropy(net(np.ones((8, *shape), np.float32)), np.arange(8) % 10).backward()
        optimizer.step()
    with minidl.no_grad():
        net.eval()(np.ones((1, *shape), np.float32))
        plan = minidl.runtime.compile(net, shape)
        for batch in (1, 16):
            plan(np.ones((batch, *shape), np.float32))
    print(name, *sorted(compiled() - ready), sep="\\n  ")
    assert compiled() == ready
"""


@pytest.mark.parametrize("name", warm.CONVOLUTIONS)
def test_each_convolution_runs_the_kernel_it_is_named_after(name):
    x, weight, stride, groups = warm.CONVOLUTIONS[name]
    how = (stride, stride), (weight[1] // 2, weight[2] // 2), groups
    with use(backend="numba", conv="fast"):
        assert choice.choose(x, weight, *how) == name.split()[0]
        assert choice.choose(*choice.transposed(x, weight, *how)) == name.split()[0]  # the input gradient's


def test_no_network_compiles_anything_after_it():
    done = subprocess.run([sys.executable, "-c", NETWORKS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_says_what_it_did_and_deletes_only_old_folders(tmp_path, monkeypatch, capsys):
    current, old, young = (tmp_path / (letter * 24) for letter in "abc")
    for folder in (current, old, young, tmp_path / "my files"):
        folder.mkdir()
        (folder / "kernel.nbc").write_bytes(bytes(100))
        os.utime(folder, (time.time() - 30 * 86_400,) * 2)
    os.utime(young)
    monkeypatch.setattr(jit, "cache_folder", lambda: current)
    monkeypatch.setattr(warm, "calls", lambda: {"nothing": lambda: None})
    with use(backend="numba"):
        assert main(["warmup", "--keep-old"]) == 0 and old.exists()
        capsys.readouterr()
        assert main(["warmup", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["deleted"] == [{"folder": str(old), "bytes": 100}] and list(said["seconds"]) == ["nothing"]
    assert {path.name for path in tmp_path.iterdir()} == {current.name, young.name, "my files"}


def test_without_numba_there_is_nothing_to_compile(capsys):
    with use(backend="numpy"):
        assert main(["warmup"]) == 2
    assert "expected numba" in capsys.readouterr().err
