"""Bad input and accidents: one clear line each, and nothing of what was measured is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from landscape_nets import convnet, images, mlp

from algorithms.landscape import (
    Surface,
    between,
    curvature_map,
    decay_term,
    interpolate,
    line,
    plane,
    project,
    random_direction,
    refined_plane,
    scan,
    slice_curvature,
    through,
    trajectories,
    trajectory,
)
from minidl.checkpoint import CheckpointError, read

AXIS = np.linspace(-1, 1, 3)


def one_line(error):
    """Found, expected, and no traceback's worth of text."""
    text = str(error.value)
    assert "\n" not in text and ("expected" in text or "choose another" in text or "use another" in text)
    return text


@pytest.mark.parametrize("axis", [[0.0, 0.0], [0.5], [], [1.0, -1.0], [0.0, np.nan]], ids=str)
def test_a_range_of_zero_and_a_grid_of_one_point(axis):
    net, data = convnet(), images()
    dx, dy = (random_direction(net, i) for i in (0, 1))
    for look in (
        lambda: line(net, data, dx, axis),
        lambda: plane(net, data, dx, dy, axis, AXIS),
        lambda: plane(net, data, dx, dy, AXIS, axis),
        lambda: refined_plane(net, data, dx, dy, axis, AXIS),
        lambda: curvature_map(net, data, dx, dy, AXIS, axis),
        lambda: interpolate(net.state_dict(), convnet(1).state_dict(), net, data, axis),
    ):
        with pytest.raises(ValueError, match="give the range a width and at least two points") as error:
            look()
        one_line(error)


@pytest.mark.parametrize("other", [mlp(), convnet(classes=5), convnet(channels=1)], ids=["mlp", "classes", "channels"])
def test_checkpoints_of_different_networks(other):
    net, data = convnet(), images()
    a, b = net.state_dict(), other.state_dict()
    for look in (
        lambda: between(a, b),
        lambda: interpolate(a, b, net, data, AXIS),
        lambda: through(net, a, b, convnet(1).state_dict()),
        lambda: trajectory([a, b, a]),
        lambda: trajectories([[a, convnet(1).state_dict()], [b]]),
    ):
        with pytest.raises(ValueError, match=r"of (another|different) network") as error:
            look()
        one_line(error)


@pytest.mark.parametrize("other", [mlp(), convnet(classes=5)], ids=["mlp", "classes"])
def test_a_direction_of_another_network(other):
    net, data = convnet(), images()
    before = {name: array.copy() for name, array in net.state_dict().items()}
    own, foreign = random_direction(net, 0), random_direction(other, 0)
    state = net.state_dict()
    for look in (
        lambda: line(net, data, foreign, AXIS),
        lambda: plane(net, data, own, foreign, AXIS, AXIS),
        lambda: plane(net, data, own, foreign, AXIS, AXIS, fast=True),
        lambda: refined_plane(net, data, foreign, own, AXIS, AXIS),
        lambda: curvature_map(net, data, own, foreign, AXIS, AXIS),
        lambda: slice_curvature(net, data, own, foreign),
        lambda: decay_term(net, [foreign], np.zeros((1, 1)), 1e-4),
        lambda: project([state], state, own, foreign),
    ):
        with pytest.raises(ValueError, match=r"does not fit this network, found .* expected one made for it") as error:
            look()
        one_line(error)
    assert all(np.array_equal(before[name], array) for name, array in net.state_dict().items())


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-50], lambda b: b[:200] + b"x" + b[201:], lambda b: b"", lambda b: b"?"]
)
def test_a_damaged_file_is_named_and_left_alone(tmp_path, damage):
    net, data = mlp(), images()
    dx, dy = (random_direction(net, i) for i in (0, 1))
    surface, tally, curved = (tmp_path / name for name in ("surface.npz", "scan.npz", "map.npz"))
    plane(net, data, dx, dy, AXIS, AXIS, file=tally).save(surface)
    curvature_map(net, data, dx, dy, AXIS[:2], AXIS[:2], file=curved, max_products=2)
    for file, look in (
        (surface, lambda: Surface.load(surface)),
        (tally, lambda: plane(net, data, dx, dy, AXIS, AXIS, file=tally)),
        (curved, lambda: curvature_map(net, data, dx, dy, AXIS[:2], AXIS[:2], file=curved, max_products=2)),
    ):
        damaged = damage(file.read_bytes())
        file.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=file.name) as error:
            look()
        one_line(error)
        assert file.read_bytes() == damaged


def test_a_file_of_another_kind_is_named():
    with pytest.raises(CheckpointError, match=r"nowhere\.npz"):
        Surface.load("nowhere.npz")


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from landscape_nets import images, mlp
from algorithms.landscape import random_direction, scan
import algorithms.landscape.scan
sys.modules["algorithms.landscape.scan"].SAVE_EVERY = 0.0
net = mlp()
points = np.random.default_rng(0).uniform(-1, 1, (200, 1))
for known in scan(net, images(count=400), points, [random_direction(net, 0)], chunk=10, file=sys.argv[2]):
    print(known.done, flush=True)
"""


def test_a_process_that_is_killed_at_any_moment_goes_on_to_the_same_bits(tmp_path):
    """With kill -9, which nothing can catch."""
    file, here = tmp_path / "scan.npz", Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", KILLED, str(here), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for _ in range(20):
            assert process.stdout.readline()  # it works, and writes after every tile
        time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    arrays, _ = read(file)
    assert 0 < arrays["count"].sum() < 200 * 400
    net = mlp()
    how = net, images(count=400), np.random.default_rng(0).uniform(-1, 1, (200, 1)), [random_direction(net, 0)]
    resumed = scan(*how, chunk=10, file=file)
    first = next(resumed)
    assert first.count.sum() > arrays["count"].sum()
    *_, found = resumed
    *_, whole = scan(*how, chunk=10)
    np.testing.assert_array_equal(found.loss, whole.loss)
    np.testing.assert_array_equal(found.difference_error, whole.difference_error)
